//! The page that the tables stand in: text written by hand, with a block a table that the study fills.
//!
//! ```text
//! <!-- study: null -->
//! …
//! <!-- end -->
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

const END: &str = "<!-- end -->";

/// Puts a table into its block.
pub(crate) fn replace(page: &Path, name: &str, block: &str) -> anyhow::Result<()> {
    let text =
        fs::read_to_string(page).with_context(|| format!("could not read {}", page.display()))?;
    let begin = format!("<!-- study: {name} -->\n");
    let Some((before, rest)) = text.split_once(&begin) else {
        bail!(
            "{} has no line {:?}: add it where the table belongs, and {END} below",
            page.display(),
            begin.trim()
        );
    };
    let Some((_, after)) = rest.split_once(END) else {
        bail!(
            "{} has no {END} below {:?}: add it",
            page.display(),
            begin.trim()
        );
    };
    let text = format!("{before}{begin}\n{}\n\n{END}{after}", block.trim());
    fs::write(page, text).with_context(|| format!("could not write {}", page.display()))
}
