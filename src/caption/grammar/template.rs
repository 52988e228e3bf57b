//! A template: texts and `{slots}` in turn.

use super::super::location::{Location, Source};
use super::super::{CaptionError, Fault};
use super::file::Text;

/// A template, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
    pub(super) place: Location,
    parts: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Slot { name: String, place: Location },
}

/// What stands for the class, in place of `a(n)`.
const ARTICLE: &str = "a(n)";

impl Template {
    pub(super) fn parse(text: &Text, source: Source<'_>) -> Result<Self, CaptionError> {
        let value = text.get_ref();
        let at = |byte| source.inside(text.span(), value, byte);
        let fault = |byte, fault| {
            let place = at(byte);
            Err(CaptionError::Grammar { place, fault })
        };
        if value.trim().is_empty() {
            return fault(0, Fault::EmptyText);
        }
        let brace = || Fault::Brace {
            template: value.clone(),
        };
        let mut parts = Vec::new();
        let mut begin = 0;
        let mut open = None;
        for (byte, c) in value.char_indices() {
            match (c, open) {
                ('{', None) => {
                    parts.push(Piece::Text(value[begin..byte].to_owned()));
                    open = Some(byte);
                }
                ('}', Some(opened)) => {
                    parts.push(Piece::Slot {
                        name: value[opened + 1..byte].to_owned(),
                        place: at(opened),
                    });
                    open = None;
                    begin = byte + 1;
                }
                ('{', Some(opened)) => return fault(opened, brace()),
                ('}', None) => return fault(byte, brace()),
                _ => {}
            }
        }
        if let Some(opened) = open {
            return fault(opened, brace());
        }
        parts.push(Piece::Text(value[begin..].to_owned()));
        let place = at(0);
        Ok(Self { place, parts })
    }

    /// The slots with their places.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&str, &Location)> {
        self.parts.iter().filter_map(|part| match part {
            Piece::Slot { name, place } => Some((name.as_str(), place)),
            Piece::Text(_) => None,
        })
    }

    /// The literal texts.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Slot { .. } => None,
        })
    }

    /// The same for a noun that takes no article: the `a(n)` before `{class}` is gone, where nothing
    /// but slots stands between them.
    pub(super) fn without_article(&self) -> Self {
        let mut parts = self.parts.clone();
        for class in (0..parts.len()).rev() {
            if !matches!(&parts[class], Piece::Slot { name, .. } if name == "class") {
                continue;
            }
            for part in parts[..class].iter_mut().rev() {
                let Piece::Text(text) = part else { continue };
                if let Some(begin) = text.trim_end().strip_suffix(ARTICLE) {
                    *text = begin.to_owned();
                    break;
                }
                if !text.trim().is_empty() {
                    break;
                }
            }
        }
        let place = self.place.clone();
        Self { place, parts }
    }

    /// How many texts there are to make of it.
    pub(super) fn count<'a>(&'a self, values: impl Fn(&'a str) -> &'a [String]) -> u128 {
        let counts = self.slots().map(|(slot, _)| values(slot).len() as u128);
        counts.fold(1, u128::saturating_mul)
    }

    /// Text `number` of [`Template::count`]; the last slot turns fastest, as digits do.
    pub(super) fn fill<'a>(
        &'a self,
        number: u128,
        values: impl Fn(&'a str) -> &'a [String],
    ) -> String {
        let mut rest = number;
        let mut chosen: Vec<&str> = Vec::with_capacity(self.parts.len());
        for part in self.parts.iter().rev() {
            chosen.push(match part {
                Piece::Text(text) => text,
                Piece::Slot { name, .. } => {
                    let values = values(name);
                    let n = (values.len() as u128).max(1);
                    let value = values.get((rest % n) as usize);
                    rest /= n;
                    value.map_or("", String::as_str)
                }
            });
        }
        chosen.reverse();
        chosen.concat()
    }
}
