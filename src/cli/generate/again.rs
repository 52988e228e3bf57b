//! `--from RUN --id ID`: images of a run again, from its ledger.

use std::path::Path;

use super::{GenerateCommand, start};
use crate::cli::exit::ExitStatus;
use crate::generate::ImageGenerator as _;
use crate::generate::stable_diffusion::StableDiffusion;
use crate::io;
use crate::io::source::ImageSource;
use crate::pipeline::device::device;
use crate::pipeline::models::{Diffusion, locate};
use crate::pipeline::pictures::{again as make_again, find, place};
use crate::pipeline::saved::Saved;
use crate::pipeline::settings::Settings;
use crate::pipeline::{Context, Error, saved};
use crate::run::ledger::Measured;

/// Writes the images; their bytes are compared with what the ledger tells.
pub(super) fn again(
    command: &GenerateCommand,
    run: &Path,
    context: &mut Context<'_>,
) -> Result<ExitStatus, Error> {
    let layout = saved::layout(run)?;
    let settings = saved::given(&layout)?;
    place::check(&command.out)?;
    place::check_beside(&command.out, &layout, &settings)?;
    let lines = find(&layout.ledger(), &command.id)?;
    io::create_dir_all(&command.out)?;
    let mut complete = true;
    for line in lines {
        let mut images = open(command, &settings, &line, context)?;
        if let Some(originals) = images.originals() {
            let given = command.image.clone();
            let given = given.map(|path| ImageSource::new(path, None));
            start::find(originals, &line.recipe.start, given, |id| {
                of_run(context, run, id)
            })?;
        }
        let made = make_again(context, &line, &mut images)?;
        let name = format!("{}.{}", line.id, made.format.extension());
        io::write_atomic(&command.out.join(name), &made.bytes)?;
        if !made.same {
            complete = false;
            context.warn(format_args!(
                "{} is not bit for bit what the run made: another device, or another version of \
                 libtorch, moves a pixel by a level",
                line.id
            ));
        }
    }
    Ok(ExitStatus::of_run(complete))
}

/// Where the run's data has the example of this id.
fn of_run(context: &mut Context<'_>, run: &Path, id: &str) -> Result<Option<ImageSource>, Error> {
    let dataset = Saved::open(context, run)?.dataset;
    let example = dataset.examples().iter().find(|example| example.id == id);
    Ok(example.map(|example| dataset.image(example)))
}

/// The model that made an image, from where the run's settings say it lies; everything that changes a pixel is
/// the recipe's, and the safety checker changes none.
fn open(
    command: &GenerateCommand,
    settings: &Settings,
    line: &Measured,
    context: &mut Context<'_>,
) -> Result<StableDiffusion, Error> {
    let (recipe, made_on) = (&line.recipe, &line.made_on);
    let on = match command.device.as_str() {
        "auto" => made_on.device.as_str(),
        given => given,
    };
    let (device, kind) = device(on, &recipe.model.dtype)?;
    let given = command.model.as_ref().or(settings.generate.model.as_ref());
    let model = given.ok_or_else(|| Error::usage("the run names no model: give --model DIR"))?;
    let lora = match command.lora.as_slice() {
        [] => settings.generate.lora.as_slice(),
        moved => moved,
    };
    Diffusion {
        model,
        variant: settings.generate.variant.clone(),
        lora: &locate::rescaled(lora, &recipe.model.adapters)?,
        safety_checker: false,
        sampling: recipe.sampling(made_on.batch),
        device,
        kind,
    }
    .open(context)
}
