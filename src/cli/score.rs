//! `hardlight score`: images that were not in a run, by what it learned.

use std::path::PathBuf;

use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use crate::io;
use crate::pipeline::score::{Scored, score};
use crate::pipeline::space::Space;
use crate::pipeline::{Context, Error, Models, saved};

/// Rate new images by how likely the classifier gets them wrong.
///
/// Prints alignment, probability of failure and failure mode. The run must have finished `hardlight detect` or more. An
/// image is rated for --class, else for the class that its folder is named after, else for every class. The run
/// folder does not change.
///
/// Example: `hardlight score runs/cats new/cat --format csv > scores.csv`
#[derive(Debug, clap::Args)]
pub(super) struct ScoreCommand {
    /// The run folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Images, or folders of images.
    #[arg(value_name = "IMAGES", required = true)]
    images: Vec<PathBuf>,

    /// Class of all the images [default: the class each folder is named after, else every class].
    #[arg(long, value_name = "NAME")]
    class: Option<String>,

    /// CSV, or one JSON object per line.
    #[arg(long, value_name = "FORM", default_value = "csv")]
    format: Form,

    /// Output file [default: the terminal].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// The run's CLIP, if it has moved: a folder, or its Hugging Face id.
    #[arg(long, value_name = "DIR|ID")]
    clip: Option<PathBuf>,

    /// auto, cpu, cuda or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    Csv,
    Jsonl,
}

impl ScoreCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        let Self {
            run,
            images,
            class,
            format,
            out,
            clip,
            device,
        } = self;
        let check = stop.check();
        let mut context = Context::stopped_by(ui, &check);
        let mut settings = saved::given(&saved::layout(&run)?)?;
        settings.generate.device = device;
        if clip.is_some() {
            settings.embed.clip = clip;
        }
        let settings = settings.check()?;
        let space = Space::of(&settings);
        let models = Models::that_embed(&mut context, &settings, &space)?;
        let encoder = models.encoder(&space).ok_or_else(|| {
            Error::input(format!(
                "directions live in the space {}, and nothing at hand makes embeddings of it: score needs a run in CLIP's space or in its \
                 classifier's features",
                space.name()
            ))
        })?;
        let scored = score(&mut context, &run, &images, class.as_deref(), encoder)?;
        let text = match format {
            Form::Csv => Scored::csv(&scored)?,
            Form::Jsonl => lines(&scored)?,
        };
        match out {
            Some(path) => {
                io::write_atomic(&path, text.as_bytes())?;
                ui.info(format_args!("{} lines in {}", scored.len(), path.display()));
            }
            None => {
                Ui::lines(text.lines().map(ToOwned::to_owned));
            }
        }
        Ok(ExitStatus::Success)
    }
}

fn lines(scored: &[Scored]) -> Result<String, Error> {
    let each = scored.iter();
    each.map(|row| Ok(serde_json::to_string(row).map_err(Error::other)? + "\n"))
        .collect()
}
