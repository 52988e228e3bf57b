//! `--image FILE`: what pictures start from.

use super::GenerateCommand;
use crate::generate::stable_diffusion::StableDiffusion;
use crate::generate::{ImageGenerator as _, Originals, Start};
use crate::io::source::ImageSource;
use crate::pipeline::{Context, Error};

/// Without `--strength`.
const STRENGTH: f64 = 0.6;

/// Sides that differ by more than this share are noticed.
const SQUEEZED: f64 = 0.02;

impl GenerateCommand {
    /// What every picture starts from; an image is made known to the generator.
    pub(super) fn start(
        &self,
        context: &mut Context<'_>,
        images: &mut StableDiffusion,
    ) -> Result<Start, Error> {
        let Some(path) = &self.image else {
            return Ok(Start::Noise);
        };
        let strength = self.strength.unwrap_or(STRENGTH);
        // Before the image is read.
        images.check_strength(strength)?;
        let (width, height) = (images.template().width, images.template().height);
        let Some(originals) = images.originals() else {
            return Ok(Start::Noise);
        };
        let place = ImageSource::new(path.clone(), None);
        let (source, found) = originals.add(&path.display().to_string(), place)?;
        let ratio = |(width, height): (u32, u32)| f64::from(width) / f64::from(height.max(1));
        if (ratio(found) / ratio((width, height))).ln().abs() > SQUEEZED {
            context.warn(format_args!(
                "{} is {} x {} px and is pressed into {width} x {height} px: --width and --height keep its shape",
                path.display(),
                found.0,
                found.1
            ));
        }
        Ok(Start::Image { source, strength })
    }
}

/// Says where the image lies that a picture of a run started from: at `given`, or where the run's data has it.
pub(super) fn find(
    originals: &mut Originals,
    start: &Start,
    given: Option<ImageSource>,
    of_run: impl FnOnce(&str) -> Result<Option<ImageSource>, Error>,
) -> Result<(), Error> {
    let Start::Image { source, .. } = start else {
        return Ok(());
    };
    let place = match given {
        Some(place) => Some(place),
        None => of_run(&source.id)?,
    };
    match place {
        Some(place) => Ok(originals.add_known(source, place)?),
        // The generator says that it knows none.
        None => Ok(()),
    }
}
