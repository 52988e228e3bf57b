//! `open_clip`'s cleaning of captions: what `ftfy` repairs, HTML references, white space.
//!
//! ```text
//! caption ─▶ ftfy.fix_text ─▶ html.unescape, twice ─▶ white space collapsed ─▶ lower case
//! ```
//!
//! Of `ftfy.fix_text` (6.3) all of its default repairs are made but one: text that was decoded in
//! the wrong encoding (`CafÃ©` for `Café`, "mojibake") is left as it stands. Made are: HTML
//! references (not where a `<` shows that the text is HTML), control characters of Latin-1 as
//! Windows-1252 reads them, Latin ligatures, full-width and half-width forms, curly quotes, line
//! breaks, terminal escapes, control characters without an effect, NFC.
//!
//! Source: `tokenizer.py` of `open_clip` 3.3, `ftfy` 6.3.1 (`__init__.py`, `fixes.py`,
//! `chardata.py`), `html/__init__.py` of Python 3.11.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;

use super::references;

/// `open_clip`'s cleaning functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clean {
    /// `whitespace`: repaired, white space collapsed.
    WhiteSpace,
    /// `lower`: that, in lower case.
    Lower,
    /// `canonicalize`: that, without ASCII punctuation.
    Canonical,
}

impl Clean {
    pub(super) fn apply(self, text: &str) -> String {
        let text = references::unescape(&references::unescape(&repair(text)));
        match self {
            Self::WhiteSpace => collapse(&text),
            Self::Lower => collapse(&text).to_lowercase(),
            Self::Canonical => {
                let text = text.replace('_', " ");
                let kept: String = text.chars().filter(|c| !c.is_ascii_punctuation()).collect();
                collapse(&kept.to_lowercase())
            }
        }
    }
}

/// Single spaces between words, none around them.
pub(super) fn collapse(text: &str) -> String {
    let words: Vec<&str> = text.split(is_space).filter(|w| !w.is_empty()).collect();
    words.join(" ")
}

/// Python's `str.isspace`.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `ftfy.fix_text`, line by line.
fn repair(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // One line of HTML is taken to mean that the following ones are too.
    let mut html = false;
    for line in text.split_inclusive('\n') {
        html |= line.contains('<');
        out.push_str(&repair_line(line, html));
    }
    out
}

/// All repairs, again and again until none changes the line: one may uncover the next.
fn repair_line(line: &str, html: bool) -> String {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\x1b\[(?:\d|;)*[a-zA-Z]").expect("the expression is constant and tested")
    });
    let mut text = line.to_owned();
    loop {
        let mut next = text.clone();
        if !html {
            next = references::unescape_whole(&next);
        }
        let mut plain = String::with_capacity(next.len());
        for c in next.chars() {
            push_plain(c, &mut plain);
        }
        let plain = plain
            .replace("\r\n", "\n")
            .replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
        next = ESCAPE
            .replace_all(&plain, "")
            .chars()
            .filter(|&c| !is_removed(c))
            .nfc()
            .collect();
        if next == text {
            return text;
        }
        text = next;
    }
}

/// Characters that stand for others: C1 controls, Latin ligatures, widths, quotes.
fn push_plain(c: char, out: &mut String) {
    match c {
        '\u{80}'..='\u{9f}' => out.push(windows_1252(c)),
        'Ĳ' => out.push_str("IJ"),
        'ĳ' => out.push_str("ij"),
        // The letter apostrophe of its own spelling goes straight below.
        'ŉ' => out.push_str("'n"),
        'Ǳ' => out.push_str("DZ"),
        'ǲ' => out.push_str("Dz"),
        'ǳ' => out.push_str("dz"),
        'Ǆ' => out.push_str("DŽ"),
        'ǅ' => out.push_str("Dž"),
        'ǆ' => out.push_str("dž"),
        'Ǉ' => out.push_str("LJ"),
        'ǈ' => out.push_str("Lj"),
        'ǉ' => out.push_str("lj"),
        'Ǌ' => out.push_str("NJ"),
        'ǋ' => out.push_str("Nj"),
        'ǌ' => out.push_str("nj"),
        'ﬀ' => out.push_str("ff"),
        'ﬁ' => out.push_str("fi"),
        'ﬂ' => out.push_str("fl"),
        'ﬃ' => out.push_str("ffi"),
        'ﬄ' => out.push_str("ffl"),
        'ﬅ' => out.push_str("ſt"),
        'ﬆ' => out.push_str("st"),
        '\u{3000}' => out.push(' '),
        '\u{ff01}'..='\u{ffef}' => out.extend(std::iter::once(c).nfkc()),
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => out.push('\''),
        '\u{201c}'..='\u{201f}' => out.push('"'),
        _ => out.push(c),
    }
}

/// What Windows-1252 has in the place of a C1 control.
pub(super) fn windows_1252(c: char) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '•', '–', '—', '˜',
        '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match u32::from(c).checked_sub(0x80) {
        Some(i) if i < 32 => HIGH[i as usize],
        _ => c,
    }
}

/// Control characters that have no effect on what is seen.
fn is_removed(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By ftfy 6.3.1 and Python 3.11; the golden captions have many more.
    #[test]
    fn repairs_are_those_of_ftfy() {
        for (caption, cleaned) in [
            ("&LT;b&GT; &eacute;&EACUTE; &amp;amp;amp;", "<b> éé &"),
            ("1 < 2 &amp;lt; 3 &copy 4", "1 < 2 < 3 © 4"),
            ("“it’s” ‘so’ ŉ", "\"it's\" 'so' 'n"),
            ("ﬁne ﬂuﬀ ǅ ＡＢＣ　ｶﾞ", "fine fluff dž abc ガ"),
            ("\u{91}x\u{92} \u{80}5\u{85}", "'x' €5…"),
            ("a\u{1b}[31mred\u{1b}[0m\u{0}\u{feff}\u{fffc}b", "aredb"),
            ("a\r\nb\rc\u{2028}d\u{a0}\u{2003} e", "a b c d e"),
            ("cafe\u{301} ΟΔΟΣ", "café οδος"),
        ] {
            assert_eq!(Clean::Lower.apply(caption), cleaned, "{caption:?}");
        }
        assert_eq!(Clean::WhiteSpace.apply(" A  “B” "), "A \"B\"");
        assert_eq!(Clean::Canonical.apply("A_photo: of (B)!"), "a photo of b");
    }

    #[test]
    fn text_in_the_wrong_encoding_is_left_alone() {
        assert_eq!(Clean::Lower.apply("CafÃ©"), "cafã©");
    }
}
