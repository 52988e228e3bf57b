//! An image of a run, made again from its line in the ledger.

use std::path::Path;

use crate::generate::ImageGenerator;
use crate::generate::recipe::ID_DIGITS;
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

/// The digits that a name needs at least.
const LEAST: usize = 8;

/// The lines of attempts in a run's ledger, each by its id or the beginning of it, in letters of any case; in the
/// order given, and none twice.
///
/// # Errors
///
/// Of kind usage for what is no id, and for a beginning of several; of kind input where there is no such
/// attempt, or the ledger is damaged.
pub fn find(ledger: &Path, ids: &[String]) -> Result<Vec<Measured>, Error> {
    let ids: Vec<String> = ids.iter().map(|id| digits(id)).collect::<Result<_, _>>()?;
    let (lines, _) = crate::run::ledger::read(ledger)?;
    let mut found: Vec<Measured> = Vec::new();
    for id in &ids {
        let line = only(&lines, id, ledger)?;
        if !found.iter().any(|other| other.id == line.id) {
            found.push(line.clone());
        }
    }
    Ok(found)
}

/// An id, or its beginning, as the ledger writes it.
fn digits(id: &str) -> Result<String, Error> {
    let digits = id.to_ascii_lowercase();
    let hexadecimal = |digit: char| digit.is_ascii_hexdigit();
    if (LEAST..=ID_DIGITS).contains(&digits.len()) && digits.chars().all(hexadecimal) {
        return Ok(digits);
    }
    Err(Error::usage(format!(
        "--id {id}: expected the {ID_DIGITS} hexadecimal digits that name an image's file, or at least the \
         first {LEAST}"
    )))
}

/// The one line whose id begins so.
fn only<'a>(lines: &'a [Measured], id: &str, ledger: &Path) -> Result<&'a Measured, Error> {
    let named = |line: &&Measured| line.id.as_str().starts_with(id);
    let candidates: Vec<&Measured> = lines.iter().filter(named).collect();
    match candidates[..] {
        [line] => Ok(line),
        [] => Err(Error::input(format!(
            "{} has no attempt {id}: the file names of images are their ids",
            ledger.display()
        ))),
        [..] => {
            let names: Vec<&str> = candidates.iter().map(|line| line.id.as_str()).collect();
            Err(Error::usage(format!(
                "--id {id} may be {}: give more digits",
                names.join(" or ")
            )))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::AttemptId;
    use crate::io::ErrorKind;
    use crate::run::ledger::tests::entry;

    #[test]
    fn a_beginning_of_two_is_refused_with_both() {
        let ids = ["0123456789abcdef", "0123456789ab0000", "1123456789abcdef"];
        let each = (0..).map(entry).zip(ids);
        let lines: Vec<Measured> = each
            .map(|(line, id)| Measured {
                id: AttemptId::parse(id).unwrap(),
                ..line
            })
            .collect();
        let ledger = Path::new("ledger.jsonl");
        let error = only(&lines, "0123456789ab", ledger).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(
            error.to_string(),
            "--id 0123456789ab may be 0123456789abcdef or 0123456789ab0000: give more digits"
        );
        assert_eq!(
            only(&lines, "0123456789abc", ledger).unwrap().id,
            lines[0].id
        );
        assert_eq!(only(&lines, "11234567", ledger).unwrap().id, lines[2].id);
    }
}
