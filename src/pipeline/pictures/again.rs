//! An image of a run, made again from its line in the ledger.

use std::path::Path;

use crate::generate::ImageGenerator;
use crate::generate::recipe::AttemptId;
use crate::image_file::FileFormat;
use crate::io;
use crate::pipeline::context::Context;
use crate::pipeline::error::Error;
use crate::run::ledger::Measured;
use crate::run::sampling;

/// An image that was made again.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// The bytes of its file.
    pub bytes: Vec<u8>,
    /// Kind of the file.
    pub format: FileFormat,
    /// Whether they are those that the ledger tells.
    pub same: bool,
}

/// The line of an attempt in a run's ledger.
///
/// # Errors
///
/// Of kind input where there is no such attempt, or the ledger is damaged.
pub fn find(ledger: &Path, id: &str) -> Result<Measured, Error> {
    let wanted = AttemptId::parse(id).ok_or_else(|| {
        Error::usage(format!(
            "--id {id}: expected the 16 hexadecimal digits that name an image's file"
        ))
    })?;
    let (lines, _) = crate::run::ledger::read(ledger)?;
    let line = lines.into_iter().find(|line| line.id == wanted);
    line.ok_or_else(|| {
        Error::input(format!(
            "{} has no attempt {id}: the file names of images are their ids",
            ledger.display()
        ))
    })
}

/// Makes the image of a line again, with a generator of its settings.
///
/// # Errors
///
/// Of kind input where the generator is of another model or has other settings; of kind stopped if asked to
/// stop.
pub fn again(
    context: &mut Context<'_>,
    line: &Measured,
    generator: &mut dyn ImageGenerator,
) -> Result<Again, Error> {
    let recipes = std::slice::from_ref(&line.recipe);
    let pictures = generator.generate(recipes, context.stop)?;
    let picture = pictures.and_then(|pictures| pictures.into_iter().next());
    let picture = picture.ok_or_else(Error::stopped)?;
    let bytes = sampling::file(picture, &line.recipe, &line.made_on)?;
    Ok(Again {
        same: io::sha256_hex(&bytes) == line.sha256,
        format: line.recipe.output.format,
        bytes,
    })
}
