//! `report.html`: a finished run read back from its files and written as one page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::saved::exif;
use crate::direction::ModeId;
use crate::generate::Arm;
use crate::io::image::Exif;
use crate::io::source::{ImageSource, Member};
use crate::io::{self, JsonFile};
use crate::preview::thumbnail;
use crate::report::detection::{ModeReport, RankedExample};
use crate::report::html::{Contents, Picture, Pictures, pictured, render};
use crate::report::{DetectionReport, EvaluationReport, Summary};
use crate::run::decide::{Decision, Decisions, Outcome, Status};
use crate::run::folder::Layout;
use crate::run::pool::{Pick, PoolRecord};
use crate::run::state::{State, read_pool};

/// Pictures of a kind that a card shows at most.
const SHOWN: usize = 10;

/// Writes the page of a run into its folder; gives its path.
///
/// # Errors
///
/// Of kind input for a folder without a report, or with a damaged file; of kind disk.
pub fn write(layout: &Layout) -> Result<PathBuf, Error> {
    write_to(layout, &layout.page())
}

/// [`write`] to another place.
///
/// # Errors
///
/// Those of [`write`].
pub fn write_to(layout: &Layout, path: &Path) -> Result<PathBuf, Error> {
    let page = render(&contents(layout)?);
    io::write_atomic(path, page.as_bytes())?;
    Ok(path.to_owned())
}

/// What a run's files hold of what the page shows. An image that is no longer where it was leaves an empty place.
///
/// # Errors
///
/// Of kind input, naming the file.
pub fn contents(layout: &Layout) -> Result<Contents, Error> {
    if !layout.report().is_file() {
        let text = format!(
            "{} holds no report: let `hardlight detect` or `run` finish there first",
            layout.root().display()
        );
        return Err(Error::input(text));
    }
    let report = DetectionReport::read(&layout.report())?;
    let state = State::read(layout)?;
    let decisions = state.as_ref().map_or_else(Decisions::default, |state| {
        state.decide(&state.goals(&state.policy))
    });
    let pool = read_pool(layout)?;
    let show = Show {
        layout,
        report: &report,
    };
    let pictures = pictured(&report).into_iter().filter_map(|id| {
        let entry = report.mode(id)?;
        Some((id, show.mode(entry, &decisions, pool.as_ref())))
    });
    let pictures = pictures.collect();
    let attempts = decisions.of(Arm::Hard).map(|outcome| {
        let kept = outcome
            .decided
            .iter()
            .map(|decided| decided.status == Status::Kept);
        (outcome.plan.mode, kept.collect())
    });
    let attempts: BTreeMap<ModeId, Vec<bool>> = attempts.collect();
    Ok(Contents {
        summary: there::<Summary>(&layout.summary())?,
        evaluation: there::<EvaluationReport>(&layout.evaluation())?,
        attempts,
        quota: state.map(|state| state.policy.quota),
        pictures,
        report,
    })
}

/// A file of the run, where there is one.
fn there<T: JsonFile>(path: &Path) -> Result<Option<T>, Error> {
    Ok(if path.is_file() {
        Some(T::read(path)?)
    } else {
        None
    })
}

/// Makes pictures of a run's images.
struct Show<'a> {
    layout: &'a Layout,
    report: &'a DetectionReport,
}

impl Show<'_> {
    fn mode(
        &self,
        entry: &ModeReport,
        decisions: &Decisions,
        pool: Option<&PoolRecord>,
    ) -> Pictures {
        let id = entry.mode.id();
        let picked = pool
            .and_then(|pool| pool.of(id))
            .into_iter()
            .flat_map(|picked| &picked.picks);
        let outcome = decisions.of_mode(id).into_iter();
        let kept: Vec<&Decision> = outcome.flat_map(Outcome::kept).collect();
        Pictures {
            mistakes: entry
                .most_aligned_mistakes
                .iter()
                .take(SHOWN)
                .map(|ranked| self.mistake(entry, ranked))
                .collect(),
            pool: picked
                .take(SHOWN)
                .map(|pick| self.pick(entry, pick))
                .collect(),
            kept: spread(&kept, SHOWN)
                .map(|decided| self.generated(decided))
                .collect(),
        }
    }

    fn mistake(&self, entry: &ModeReport, ranked: &RankedExample) -> Picture {
        let said = ranked.prediction.as_ref();
        let sure = ranked
            .confidence
            .map_or_else(String::new, |c| format!(", {:.0}\u{a0}%", 100.0 * c));
        let alt = format!(
            "{} image {} of {}{}",
            self.report.judged_on,
            ranked.id,
            entry.mode.class,
            said.map_or_else(String::new, |said| format!(
                ", which the model takes for {said}"
            ))
        );
        let line = said.map_or_else(|| "wrong".to_owned(), |said| format!("says {said}{sure}"));
        self.of_data(&ranked.path, ranked.member.as_ref(), alt, line)
    }

    fn pick(&self, entry: &ModeReport, pick: &Pick) -> Picture {
        let alt = format!("pool image {} of {}", pick.id, entry.mode.class);
        let line = format!("alignment {:.2}", pick.alignment);
        self.of_data(&pick.path, pick.member.as_ref(), alt, line)
    }

    fn generated(&self, decided: &Decision) -> Picture {
        let caption = &decided.measured.recipe.caption;
        let source = ImageSource::new(self.layout.attempt(&decided.measured), None);
        let line = decided.measured.measures.alignment;
        let line = line.map_or_else(String::new, |alignment| format!("alignment {alignment:.2}"));
        picture(
            &source,
            Exif::Ignore,
            format!("generated from “{caption}”"),
            line,
        )
    }

    /// An image of the data set.
    fn of_data(&self, path: &str, member: Option<&Member>, alt: String, line: String) -> Picture {
        let path = self.layout.root().join(&self.report.root).join(path);
        let source = ImageSource::new(path, member.cloned());
        picture(&source, exif(self.report), alt, line)
    }
}

fn picture(source: &ImageSource, turned: Exif, alt: String, line: String) -> Picture {
    let read = source.rgb(turned).ok();
    let small = read.and_then(|image| thumbnail::thumbnail(&image));
    let (jpeg, size) = small.map_or(
        (None, (thumbnail::SIDE, thumbnail::SIDE)),
        |(jpeg, size)| (Some(jpeg), size),
    );
    Picture {
        jpeg,
        size,
        alt,
        line,
    }
}

/// At most `n` of a list, evenly spread over it, so that every caption has its turn.
fn spread<'a>(all: &'a [&'a Decision], n: usize) -> impl Iterator<Item = &'a Decision> {
    let shown = n.min(all.len());
    (0..shown).map(move |i| all[i * all.len() / shown.max(1)])
}
