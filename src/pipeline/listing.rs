//! What a grammar makes, class by class, without models or a run.

use super::candidates::Candidates;
use super::context::Context;
use super::data::read_data;
use super::error::Error;
use super::settings::CheckedSettings;

/// The captions of some classes.
pub struct Listing {
    candidates: Candidates,
    classes: Vec<String>,
}

/// The captions of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCaptions {
    /// The class.
    pub class: String,
    /// What its captions are compared with; it is among them.
    pub reference: String,
    /// Every candidate.
    pub captions: Vec<String>,
}

impl Listing {
    /// Opens the grammar; the classes are those given, else the data's, else those that the grammar names.
    ///
    /// # Errors
    ///
    /// Of kind usage where nothing names classes; those of grammar and data.
    pub fn open(
        context: &mut Context<'_>,
        settings: &CheckedSettings,
        classes: Vec<String>,
    ) -> Result<Self, Error> {
        let candidates = Candidates::open(&settings.captions)?;
        let grammar = candidates.grammar();
        for doubt in grammar.doubts() {
            context.warn(doubt);
        }
        let data = &settings.data;
        let classes = if !classes.is_empty() {
            classes
        } else if data.root.is_some() || data.table.is_some() {
            read_data(context, settings)?.classes().to_vec()
        } else if let Some(classes) = &data.classes {
            classes.clone()
        } else {
            grammar.classes().map(str::to_owned).collect()
        };
        if classes.is_empty() {
            return Err(Error::usage(format!(
                "{} names no classes: give --classes a,b or --data DIR",
                grammar.origin()
            )));
        }
        Ok(Self {
            candidates,
            classes,
        })
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// The captions, class by class; a class is only worked out when it is asked for.
    ///
    /// # Errors
    ///
    /// Of kind input for a grammar that does not know a class.
    pub fn iter(&self) -> impl Iterator<Item = Result<ClassCaptions, Error>> {
        self.classes.iter().map(|class| {
            let reference = self.candidates.grammar().reference(class);
            Ok(ClassCaptions {
                captions: self.candidates.of(class, &reference)?,
                class: class.clone(),
                reference,
            })
        })
    }
}
