//! A text file of captions, one a line.

use std::collections::BTreeSet;
use std::path::Path;

use super::CaptionError;
use super::grammar::english::polish;
use crate::io;

/// Reads captions: empty lines and lines that begin with `#` are passed over, equal ones read once.
///
/// # Errors
///
/// [`CaptionError::Io`].
pub fn read(path: &Path) -> Result<Vec<String>, CaptionError> {
    Ok(parse(&io::read_to_string(path)?))
}

fn parse(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter(|line| seen.insert(line.to_owned()))
        .map(ToOwned::to_owned)
        .collect()
}

/// The captions of a class, each once: `{class}` is filled in and `a(n)` resolved.
pub fn for_class(captions: &[String], class: &str) -> Vec<String> {
    let class = class.replace('_', " ");
    let mut seen = BTreeSet::new();
    captions
        .iter()
        .map(|caption| polish(&caption.replace("{class}", &class)))
        .filter(|caption| seen.insert(caption.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_captions() {
        let captions = parse("# a comment\n a {class} on grass \n\na dog\r\na dog\n");
        assert_eq!(captions, ["a {class} on grass", "a dog"]);
        assert_eq!(for_class(&captions, "cat"), ["a cat on grass", "a dog"]);
        let captions = parse("a(n) {class}\na sea lion");
        assert_eq!(for_class(&captions, "sea_lion"), ["a sea lion"]);
        assert_eq!(for_class(&captions, "ox"), ["an ox", "a sea lion"]);
    }
}
