//! HTML character references, as Python's `html.unescape` and `ftfy` replace them.
//!
//! `entities.txt` holds the names of the HTML standard ("Named character references",
//! <https://html.spec.whatwg.org/multipage/named-characters.html>), sorted, with their code points.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::clean::windows_1252;

/// Name, with its semicolon where it has one, to text.
static ENTITIES: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
    include_str!("entities.txt")
        .lines()
        .filter_map(|line| {
            let (name, codes) = line.split_once(' ')?;
            let code = |code| u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
            Some((name, codes.split(' ').filter_map(code).collect()))
        })
        .collect()
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the expression is constant and tested")
}

/// Python's `html.unescape`: also names without a semicolon, and the beginning of longer words.
pub(super) fn unescape(text: &str) -> String {
    static REFERENCE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\x0C <&#;]{1,32};?)"));
    if !text.contains('&') {
        return text.to_owned();
    }
    let replace = |found: &Captures| {
        let name = &found[1];
        if let Some(number) = name.strip_prefix('#') {
            return numeric(number.trim_end_matches(';'));
        }
        if let Some(value) = ENTITIES.get(name) {
            return value.clone();
        }
        // The longest beginning that is a name, of two characters at least.
        let ends: Vec<usize> = name.char_indices().skip(2).map(|(end, _)| end).collect();
        for end in ends.into_iter().rev() {
            if let Some(value) = ENTITIES.get(&name[..end]) {
                return format!("{value}{}", &name[end..]);
            }
        }
        found[0].to_owned()
    };
    REFERENCE.replace_all(text, replace).into_owned()
}

/// `ftfy`'s `unescape_html`: only whole references, and some names in capitals.
pub(super) fn unescape_whole(text: &str) -> String {
    static REFERENCE: LazyLock<Regex> = LazyLock::new(|| pattern("&#?[0-9A-Za-z]{1,24};"));
    let replace = |found: &Captures| {
        let whole = &found[0];
        let name = &whole[1..];
        if let Some(value) = ENTITIES.get(name) {
            return value.clone();
        }
        if name.starts_with('#') {
            let value = unescape(whole);
            // Then only a part was a reference.
            return if value.contains(';') {
                whole.to_owned()
            } else {
                value
            };
        }
        // A name of small letters, written in capitals, unless that has a meaning already.
        let small = name.to_ascii_lowercase();
        match ENTITIES.get(small.as_str()) {
            Some(value) if name == small.to_ascii_uppercase() && unescape(whole) == whole => {
                value.to_uppercase()
            }
            _ => whole.to_owned(),
        }
    };
    REFERENCE.replace_all(text, replace).into_owned()
}

/// The text of a reference by number.
fn numeric(number: &str) -> String {
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // What does not fit is as far beyond Unicode as what does not parse.
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    match code {
        0 => char::REPLACEMENT_CHARACTER.to_string(),
        0x80..=0x9f => char::from_u32(code).map_or_else(String::new, |c| windows_1252(c).into()),
        0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef => String::new(),
        _ if code <= 0x10_ffff && code & 0xfffe == 0xfffe => String::new(),
        _ => char::from_u32(code)
            .unwrap_or(char::REPLACEMENT_CHARACTER)
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(ENTITIES.len(), 2231);
        assert!(ENTITIES.values().all(|value| !value.is_empty()));
        assert_eq!(ENTITIES["NotEqualTilde;"], "≂\u{338}");
    }

    /// By Python 3.11's `html.unescape`.
    #[test]
    fn references_are_those_of_python() {
        for (text, plain) in [
            ("&amp;&amp&ampx &AMP", "&&&x &"),
            ("&notit; &notin; &notxx", "¬it; ∉ ¬xx"),
            ("&#65;&#x42;&#X43 &#0; &#128;&#x81;", "ABC � €\u{81}"),
            ("&#xD800; &#1114112; &#99999999999;", "� � �"),
            ("&#1;&#xFFFE;&#11;|&#13;", "|\r"),
            ("&;&x &nosuch; &#; &#x;", "&;&x &nosuch; &#; &#x;"),
            ("&ngE;", "≧\u{338}"),
        ] {
            assert_eq!(unescape(text), plain, "{text:?}");
        }
    }

    /// By ftfy 6.3.1.
    #[test]
    fn whole_references_are_those_of_ftfy() {
        for (text, plain) in [
            ("&amp &amp; this&not that", "&amp & this&not that"),
            (
                "P&EACUTE;REZ &NTILDE; &nTILDE; &SZLIG;",
                "PÉREZ Ñ &nTILDE; SS",
            ),
            ("&LTIMES; &#59; &#65; &#x;", "&LTIMES; &#59; A &#x;"),
        ] {
            assert_eq!(unescape_whole(text), plain, "{text:?}");
        }
    }
}
