//! Candidate captions, scored against every direction; `captions.parquet`.

use std::path::Path;

use ndarray::Array2;

use super::detect::Detected;
use super::inputs::{Inputs, Space};
use crate::caption::score::{self, CaptionScore};
use crate::caption::{self, Grammar, Kind, list, table};
use crate::cli::exit::UsageError;
use crate::cli::session::Context;
use crate::embed::TextEncoder as _;
use crate::run::settings::Settings;

/// What captions came to.
pub(in crate::cli) struct Captioned {
    /// One a direction, in their order.
    pub(in crate::cli) modes: Vec<ModeCaptions>,
    /// Embeddings of every class's reference caption, `[classes, d]`, before normalisation.
    pub(in crate::cli) references: Array2<f32>,
}

/// The captions of one direction.
pub(in crate::cli) struct ModeCaptions {
    pub(in crate::cli) reference: String,
    /// Hardest first, the dropped ones last.
    pub(in crate::cli) scores: Vec<CaptionScore>,
}

impl ModeCaptions {
    pub(in crate::cli) fn of(&self, kind: Kind) -> Vec<String> {
        score::of_kind(&self.scores, kind)
    }
}

/// Where candidates come from.
enum Candidates {
    Grammar(Grammar),
    /// A text file; references and contradictions are the general grammar's.
    List(Vec<String>, Grammar),
}

impl Candidates {
    fn open(name: &str) -> anyhow::Result<Self> {
        if let Some(grammar) = Grammar::builtin(name) {
            return Ok(Self::Grammar(grammar?));
        }
        let path = Path::new(name);
        if path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("toml"))
        {
            return Ok(Self::Grammar(Grammar::read(path)?));
        }
        if !path.exists() {
            let text = format!(
                "grammar {name:?} is neither a file nor one of {:?}",
                Grammar::BUILTIN
            );
            return Err(UsageError(text).into());
        }
        match Grammar::builtin("general") {
            Some(general) => Ok(Self::List(list::read(path)?, general?)),
            None => Err(UsageError("there is no general grammar".to_owned()).into()),
        }
    }

    fn grammar(&self) -> &Grammar {
        match self {
            Self::Grammar(grammar) | Self::List(_, grammar) => grammar,
        }
    }

    /// The candidates of a class, its reference among them.
    fn of(&self, class: &str, reference: &str) -> anyhow::Result<Vec<String>> {
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

/// Reads the grammar early, so that a faulty one is refused before any work.
pub(in crate::cli) fn check(name: &str) -> anyhow::Result<()> {
    Candidates::open(name).map(|_| ())
}

/// Embeddings of every class's reference caption, `[classes, d]`, before normalisation; none where the
/// directions' space has no captions in it.
pub(in crate::cli) fn references(
    settings: &Settings,
    inputs: &Inputs,
) -> anyhow::Result<Option<Array2<f32>>> {
    let (Some(clip), Space::Clip) = (&inputs.clip, &inputs.space) else {
        return Ok(None);
    };
    let candidates = Candidates::open(&settings.captions.grammar)?;
    let classes = inputs.dataset.classes.iter();
    let references: Vec<String> = classes
        .map(|class| candidates.grammar().reference(class))
        .collect::<Result<_, _>>()?;
    Ok(Some(clip.encode_texts(&references)?))
}

/// Scores captions; none where there is no shared space of images and captions.
pub(in crate::cli) fn describe(
    context: &mut Context<'_>,
    inputs: &Inputs,
    detected: &Detected,
) -> anyhow::Result<Option<Captioned>> {
    let Some(clip) = &inputs.clip else {
        context
            .ui
            .info("no CLIP: the run ends after the directions (--clip DIR goes on)");
        return Ok(None);
    };
    if inputs.space != Space::Clip {
        context.ui.warn(
            "directions are not in CLIP's space, so captions cannot be scored against them: leave \
             out --space to use CLIP's",
        );
        return Ok(None);
    }
    let begun = context.ui.seconds();
    let settings = &context.settings.captions;
    let candidates = Candidates::open(&settings.grammar)?;
    let classes = &inputs.dataset.classes;
    let references: Vec<String> = classes
        .iter()
        .map(|class| candidates.grammar().reference(class))
        .collect::<Result<_, _>>()?;
    let embedded = clip.encode_texts(&references)?;
    let mut modes = Vec::new();
    for direction in &detected.fitted.directions {
        let class = &classes[direction.class];
        let reference = references[direction.class].clone();
        let captions = candidates.of(class, &reference)?;
        let cut: Vec<_> = captions.iter().filter(|c| clip.truncates(c)).collect();
        if let Some(first) = cut.first() {
            context.ui.warn(format_args!(
                "{} of {} captions of {class} are longer than CLIP reads, and cut: {first:?}",
                cut.len(),
                captions.len()
            ));
        }
        let mut stage =
            context
                .ui
                .stage(&format!("captions of {class}"), captions.len(), "captions");
        let embeddings = clip.encode_texts(&captions)?;
        stage.set(captions.len(), "");
        stage.end(context.ui);
        let space = caption::Space {
            whitening: &detected.whitening,
            references: embedded.view(),
            classes,
            contradictions: candidates.grammar().contradictions(class),
            ends: settings.per_class,
        };
        let scores = caption::score(direction, &captions, &reference, embeddings.view(), space)?;
        modes.push(ModeCaptions { reference, scores });
    }
    let all: Vec<CaptionScore> = modes
        .iter()
        .flat_map(|m| m.scores.iter().cloned())
        .collect();
    table::write(&context.layout.captions(), &all, classes)?;
    context
        .seconds
        .insert("captions", context.ui.seconds() - begun);
    Ok(Some(Captioned {
        modes,
        references: embedded,
    }))
}
