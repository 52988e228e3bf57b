//! From a run folder to its sheets: reads `report.json`, `pool.json`, plan and ledger, and the images
//! they name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use image::RgbImage;

use super::error::PreviewError;
use super::page;
use super::sheet::{Section, Sheet, SheetOptions, write};
use super::tile::{Mark, Tile};
use crate::direction::legible;
use crate::filter::Reason;
use crate::generate::Arm;
use crate::io;
use crate::io::image::Exif;
use crate::io::source::{ImageSource, Member};
use crate::report::JsonFile as _;
use crate::report::detection::{DetectionReport, ModeReport, RankedExample};
use crate::run::decide::{Decision, Decisions, Outcome, Status};
use crate::run::folder::Layout;
use crate::run::gallery;
use crate::run::pool::{Pick, Picked};
use crate::run::state::{State, read_pool};

/// How many pictures a section shows at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// The most aligned real failures.
    pub real: usize,
    /// Kept generations.
    pub kept: usize,
    /// Rejected ones.
    pub rejected: usize,
}

impl Default for Amounts {
    fn default() -> Self {
        Self {
            real: 12,
            kept: 18,
            rejected: 12,
        }
    }
}

/// Writes `previews/CLASS-MODE.png` for every failure mode and `previews/index.html`; gives their
/// paths, the page last.
///
/// An image that is no longer where it was leaves a grey place with its name.
///
/// # Errors
///
/// [`PreviewError`], naming the file.
pub fn run(
    layout: &Layout,
    amounts: Amounts,
    options: &SheetOptions,
) -> Result<Vec<PathBuf>, PreviewError> {
    let report = DetectionReport::read(&layout.report())?;
    let state = State::read(layout)?;
    let goals = state.as_ref().map(|state| state.goals(&state.policy));
    let decisions = match (&state, &goals) {
        (Some(state), Some(goals)) => state.decide(goals),
        _ => Decisions::default(),
    };
    let pool = read_pool(layout)?;
    let mut paths = Vec::new();
    let mut listed = Vec::new();
    for entry in &report.classes {
        let mode = &entry.mode;
        let picked = pool.as_ref().and_then(|pool| pool.of(mode.id()));
        let mut hard = decisions.of(Arm::Hard);
        let outcome = hard.find(|outcome| outcome.plan.mode == mode.id());
        let sheet = sheet(layout, &report, entry, picked, outcome, amounts);
        let path = layout.preview(&mode.class, mode.mode);
        write(&sheet, options, &path)?;
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        listed.push((sheet.title, name, sheet.sentence));
        paths.push(path);
    }
    let page = layout.previews_dir().join("index.html");
    io::create_dir_all(&layout.previews_dir())?;
    io::write_atomic(&page, page::html("Failure modes", &listed).as_bytes())?;
    paths.push(page);
    Ok(paths)
}

fn sheet(
    layout: &Layout,
    report: &DetectionReport,
    entry: &ModeReport,
    picked: Option<&Picked>,
    outcome: Option<&Outcome>,
    amounts: Amounts,
) -> Sheet {
    let real_section = |title: &str, ranked: &[RankedExample], most: usize| Section {
        title: format!("{title} {}", report.judged_on),
        note: String::new(),
        cells: ranked
            .iter()
            .take(most)
            .map(|r| real(layout, report, r))
            .collect(),
    };
    let mut sections = vec![
        real_section(
            "Most aligned mistakes,",
            &entry.most_aligned_mistakes,
            amounts.real,
        ),
        real_section(
            "Most aligned that the classifier gets right,",
            &entry.most_aligned_right,
            amounts.real / 2,
        ),
    ];
    sections.extend(picked.map(|picked| from_pool(layout, report, picked, amounts.kept)));
    sections.extend(
        outcome
            .into_iter()
            .flat_map(|o| of_outcome(layout, o, amounts)),
    );
    Sheet {
        title: format!("{}, failure mode {}", entry.mode.class, entry.mode.mode),
        sentence: format!("{}. {}.", entry.judged.sentence, strength(entry)),
        sections,
    }
}

/// The CV score with its interval, p and q, and what the threshold lets pass.
fn strength(entry: &ModeReport) -> String {
    let mode = &entry.mode;
    let interval = mode.cv_interval_95.map_or_else(String::new, |(low, high)| {
        format!(" (95 % interval {low:.2} to {high:.2})")
    });
    let tested = match (mode.p_value, mode.q_value) {
        (Some(p), Some(q)) => format!(", p {p:.3}, q {q:.3} after correction for all classes"),
        _ => ", not tested".to_owned(),
    };
    let finding = if mode.finding {
        String::new()
    } else {
        format!(": {}", mode.standing.words())
    };
    format!(
        "CV score {:.2}{interval} on {} val images{tested}{finding}; the threshold {} lets {:.0} % of the {} right val \
         images pass",
        mode.cv_score,
        mode.val_examples,
        legible(entry.threshold),
        100.0 * entry.admits.share,
        entry.admits.of
    )
}

/// What was generated for a mode, the kept and the rejected; no section where nothing was.
fn of_outcome(layout: &Layout, outcome: &Outcome, amounts: Amounts) -> Vec<Section> {
    let of = |status: Status| -> Vec<&Decision> {
        let decided = outcome.decided.iter();
        decided.filter(|d| d.status == status).collect()
    };
    let (kept, rejected) = (of(Status::Kept), of(Status::Rejected));
    if kept.is_empty() && rejected.is_empty() {
        return Vec::new();
    }
    let note = match kept.first().and_then(|e| e.threshold) {
        Some(threshold) => format!(
            "{} kept in all; alignment at least {}, larger is harder",
            kept.len(),
            legible(threshold)
        ),
        None => "nothing passed the filters".to_owned(),
    };
    let section = |title: &str, note, shown: &[&Decision], most, mark| Section {
        title: title.to_owned(),
        note,
        cells: spread(shown, most)
            .map(|e| generated(layout, e, mark))
            .collect(),
    };
    vec![
        section("Generated and kept", note, &kept, amounts.kept, Mark::Kept),
        section(
            "Generated and rejected",
            reasons(&rejected),
            &rejected,
            amounts.rejected,
            Mark::Rejected,
        ),
    ]
}

/// What the pool gave for a mode, hardest first.
fn from_pool(layout: &Layout, report: &DetectionReport, picked: &Picked, most: usize) -> Section {
    let Picked {
        of_class,
        picks,
        rejected,
        ..
    } = picked;
    let mut note = format!("{} of the class's {of_class}, kept", picks.len());
    for (reason, count) in rejected {
        let _ = write!(note, ", {count} out for {reason}");
    }
    Section {
        title: "Real images from the pool".to_owned(),
        note,
        cells: picks
            .iter()
            .take(most)
            .map(|pick| pooled(layout, report, pick))
            .collect(),
    }
}

/// At most `n` of a list, evenly spread over it, so that every caption has its turn.
fn spread<'a>(entries: &'a [&'a Decision], n: usize) -> impl Iterator<Item = &'a Decision> {
    let shown = n.min(entries.len());
    (0..shown).map(move |i| entries[i * entries.len() / shown.max(1)])
}

fn reasons(rejected: &[&Decision]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in rejected
        .iter()
        .filter_map(|decided| decided.reason.as_ref())
    {
        *counts.entry(reason.name()).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(reason, count)| format!("{count} for {reason}"))
        .collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        format!("{} in all", parts.join(", "))
    }
}

/// An image of the data set, and how it is turned.
fn of_data(
    layout: &Layout,
    report: &DetectionReport,
    path: &str,
    member: Option<&Member>,
) -> (ImageSource, Exif) {
    let path = layout.root().join(&report.root).join(path);
    let exif = if report.exif {
        Exif::Apply
    } else {
        Exif::Ignore
    };
    (ImageSource::new(path, member.cloned()), exif)
}

fn pooled(layout: &Layout, report: &DetectionReport, pick: &Pick) -> Tile {
    let (image, exif) = of_data(layout, report, &pick.path, pick.member.as_ref());
    let lines = vec![
        pick.id.clone(),
        format!("alignment {}", legible(pick.alignment)),
    ];
    picture(&image, exif, lines, Mark::Kept)
}

fn real(layout: &Layout, report: &DetectionReport, ranked: &RankedExample) -> Tile {
    let (image, exif) = of_data(layout, report, &ranked.path, ranked.member.as_ref());
    let mut lines = vec![
        ranked.id.clone(),
        format!("alignment {}", legible(ranked.alignment)),
    ];
    if let Some(prediction) = &ranked.prediction {
        lines.push(match ranked.confidence {
            Some(confidence) => format!("said {prediction}, {confidence:.2}"),
            None => format!("said {prediction}"),
        });
    }
    picture(&image, exif, lines, Mark::Plain)
}

fn generated(layout: &Layout, decided: &Decision, mark: Mark) -> Tile {
    let measured = &decided.measured;
    let mut lines = vec![
        measured.recipe.caption.clone(),
        // Names its files, and is what `generate --from` takes.
        measured.id.to_string(),
    ];
    if let Some(alignment) = measured.measures.alignment {
        lines.push(format!("alignment {}", legible(alignment)));
    }
    if let Some(reason) = &decided.reason {
        lines.push(match reason {
            Reason::Class { margin, .. } => format!("reason: class (margin {margin:.3})"),
            _ => format!("reason: {reason}"),
        });
        lines.extend(reason.duplicate_of().map(|id| format!("of {id}")));
    }
    let shown = gallery::path(layout, decided);
    // A rejected one may be shown nowhere but here.
    let path = if shown.is_file() {
        shown
    } else {
        layout.attempt(measured)
    };
    picture(&ImageSource::new(path, None), Exif::Ignore, lines, mark)
}

fn picture(image: &ImageSource, exif: Exif, mut lines: Vec<String>, mark: Mark) -> Tile {
    let image = image.rgb(exif).unwrap_or_else(|_gone| {
        lines.push("(no longer readable)".to_owned());
        RgbImage::new(0, 0)
    });
    Tile { image, lines, mark }
}
