//! Where candidate captions come from, and their embeddings.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ndarray::{Array1, Array2};

use super::context::Context;
use super::error::Error;
use super::settings::Captions;
use crate::caption::{Grammar, list};
use crate::embed::TextEncoder;

/// Numbers of embeddings that are kept for the next class, at most: 256 MiB.
const KEPT: usize = 64 << 20;

/// Captions between two signs of progress.
const BATCH: usize = 256;

/// Where candidates come from.
pub enum Candidates {
    /// A grammar, built in or in a file.
    Grammar(Grammar),
    /// A text file; references and contradictions are the general grammar's.
    List(Vec<String>, Grammar),
}

impl Candidates {
    /// Opens what the settings name.
    ///
    /// # Errors
    ///
    /// Of kind usage for a grammar that there is not, of kind input for one that is not sound.
    pub fn open(settings: &Captions) -> Result<Self, Error> {
        let name = settings.grammar.as_str();
        let path = Path::new(name);
        if let Some(grammar) = Grammar::builtin(name) {
            return Ok(Self::Grammar(grammar?));
        }
        if path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("toml"))
        {
            let grammar = Grammar::read(path, settings.wordnet.as_deref())?;
            return Ok(Self::Grammar(grammar));
        }
        if !path.exists() {
            let text = format!(
                "grammar {name:?} is neither a file nor one of {:?}",
                Grammar::BUILTIN
            );
            return Err(Error::usage(text));
        }
        match Grammar::builtin("general") {
            Some(general) => Ok(Self::List(list::read(path)?, general?)),
            None => Err(Error::usage("there is no general grammar".to_owned())),
        }
    }

    /// The grammar of references and contradictions.
    pub fn grammar(&self) -> &Grammar {
        match self {
            Self::Grammar(grammar) | Self::List(_, grammar) => grammar,
        }
    }

    /// The candidates of a class, its reference among them.
    ///
    /// # Errors
    ///
    /// Of kind input for a grammar that does not know the class.
    pub fn of(&self, class: &str, reference: &str) -> Result<Vec<String>, Error> {
        let mut captions = match self {
            Self::Grammar(grammar) => grammar.candidates(class)?,
            Self::List(captions, _) => list::for_class(captions, class),
        };
        if !captions.iter().any(|caption| caption == reference) {
            captions.insert(0, reference.to_owned());
        }
        Ok(captions)
    }
}

/// Encodes captions, each once however many classes have it, as far as memory allows.
pub(super) struct Texts<'a> {
    encoder: &'a dyn TextEncoder,
    known: HashMap<String, Array1<f32>>,
    /// Captions encoded so far.
    seen: usize,
    /// How many of them the text tower does not read to their end, and the first of them.
    cut: Option<(usize, String)>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(encoder: &'a dyn TextEncoder) -> Self {
        Self {
            encoder,
            known: HashMap::new(),
            seen: 0,
            cut: None,
        }
    }

    /// Says how many captions were longer than the text tower reads, if any were.
    pub(super) fn warn(&self, context: &mut Context<'_>) {
        if let Some((count, first)) = &self.cut {
            context.warn(format_args!(
                "{count} of {} captions are longer than CLIP reads, and cut, the first: {first:?}",
                self.seen
            ));
        }
    }

    /// Embeddings `[captions, d]`, before normalisation.
    pub(super) fn encode(&mut self, captions: &[String]) -> Result<Array2<f32>, Error> {
        let mut asked = HashSet::new();
        let fresh: Vec<String> = captions
            .iter()
            .filter(|c| !self.known.contains_key(*c) && asked.insert(c.as_str()))
            .cloned()
            .collect();
        self.seen += fresh.len();
        for caption in fresh.iter().filter(|c| self.encoder.truncates(c)) {
            let (count, _) = self.cut.get_or_insert_with(|| (0, caption.clone()));
            *count += 1;
        }
        let mut new = HashMap::new();
        for batch in fresh.chunks(BATCH) {
            let embeddings = self.encoder.encode_texts(batch)?;
            for (caption, embedding) in batch.iter().zip(embeddings.outer_iter()) {
                new.insert(caption.clone(), embedding.to_owned());
            }
        }
        let width = new.values().chain(self.known.values()).next();
        let width = width.map_or(0, Array1::len);
        let mut all = Array2::zeros((captions.len(), width));
        for (mut row, caption) in all.outer_iter_mut().zip(captions) {
            if let Some(embedding) = new.get(caption).or_else(|| self.known.get(caption)) {
                row.assign(embedding);
            }
        }
        if (self.known.len() + new.len()) * width <= KEPT {
            self.known.extend(new);
        }
        Ok(all)
    }
}
