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

/// A page, split about the block of a table.
struct Page {
    before: String,
    after: String,
}

impl Page {
    fn read(page: &Path, name: &str) -> anyhow::Result<Self> {
        let place = page.display();
        let text = fs::read_to_string(page).with_context(|| format!("could not read {place}"))?;
        let begin = format!("<!-- study: {name} -->\n");
        let Some((before, rest)) = text.split_once(&begin) else {
            let line = begin.trim();
            bail!("{place} has no line {line:?}: add it where the table belongs, and {END} below");
        };
        let Some((_, after)) = rest.split_once(END) else {
            bail!("{place} has no {END} below {:?}: add it", begin.trim());
        };
        Ok(Self {
            before: format!("{before}{begin}"),
            after: format!("{END}{after}"),
        })
    }
}

/// Whether a page has a block for a table: asked before anything is drawn, which takes minutes.
pub(crate) fn check(page: &Path, name: &str) -> anyhow::Result<()> {
    Page::read(page, name).map(drop)
}

/// Puts a table into its block.
pub(crate) fn replace(page: &Path, name: &str, block: &str) -> anyhow::Result<()> {
    let Page { before, after } = Page::read(page, name)?;
    let text = format!("{before}\n{}\n\n{after}", block.trim());
    fs::write(page, text).with_context(|| format!("could not write {}", page.display()))
}
