//! `--from RUN --id ID`: images of a run again, from its ledger.

use std::path::Path;

use super::GenerateCommand;
use crate::cli::exit::ExitStatus;
use crate::diffusion::pipeline::Sampling;
use crate::io;
use crate::pipeline::device::device;
use crate::pipeline::models::Diffusion;
use crate::pipeline::pictures::{again as make_again, find};
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
    let lines: Vec<Measured> = command
        .id
        .iter()
        .map(|id| find(&layout.ledger(), id))
        .collect::<Result<_, _>>()?;
    io::create_dir_all(&command.out)?;
    let mut complete = true;
    for line in lines {
        let recipe = &line.recipe;
        let on = match command.device.as_str() {
            "auto" => line.made_on.device.as_str(),
            given => given,
        };
        let (device, kind) = device(on, &recipe.model.dtype)?;
        let given = command.model.as_ref().or(settings.generate.model.as_ref());
        let model =
            given.ok_or_else(|| Error::usage("the run names no model: give --model DIR"))?;
        let mut images = Diffusion {
            model,
            variant: settings.generate.variant.clone(),
            lora: &settings.generate.lora,
            safety_checker: false,
            sampling: Sampling {
                eta: settings.generate.eta,
                batch: line.made_on.batch,
                ..recipe.sampling()
            },
            device,
            kind,
        }
        .open(context)?;
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
