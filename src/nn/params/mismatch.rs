//! What is wrong when a checkpoint and a config do not fit.

use std::fmt::{self, Display};

/// Every way in which a checkpoint and a config disagree.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Names the network needs and the file lacks, with the shape needed.
    pub missing: Vec<(String, Vec<i64>)>,
    /// Names in the file that the network did not ask for, with their shape.
    pub unused: Vec<(String, Vec<i64>)>,
    /// Name, shape needed, shape found.
    pub wrong_shape: Vec<(String, Vec<i64>, Vec<i64>)>,
}

impl Mismatch {
    pub(super) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.wrong_shape.is_empty()
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        let mut add = |all: Vec<String>, what: &str| {
            let more = all.len().saturating_sub(SHOWN);
            lines.extend(all.into_iter().take(SHOWN));
            if more > 0 {
                lines.push(format!("  … and {more} more {what}"));
            }
        };
        let named = |what: &str, list: &[(String, Vec<i64>)]| {
            list.iter()
                .map(|(name, shape)| format!("  {what:8} {name} {shape:?}"))
                .collect()
        };
        add(named("missing", &self.missing), "missing");
        add(named("unused", &self.unused), "unused");
        let shapes = self.wrong_shape.iter().map(|(name, want, got)| {
            format!("  shape    {name}: expected {want:?}, found {got:?}")
        });
        add(shapes.collect(), "of another shape");
        write!(f, "{}", lines.join("\n"))
    }
}

/// Lines of each kind that a message shows; the fields hold all.
const SHOWN: usize = 20;

/// The first names of a list that may be long.
pub(in crate::nn) fn shortened(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}
