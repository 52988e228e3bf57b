//! Notations that weight the words of a prompt, or instruct the program that reads it, as the Stable Diffusion
//! web UI, `ComfyUI` and Compel have them.
//!
//! Diffusers reads none of them: the text encoder sees brackets and numbers, and the image is another one without
//! a word. A prompt that carries one is therefore refused.

use std::sync::LazyLock;

use regex::Regex;

use super::PipelineError;

/// One alternative a notation. Plain brackets, a single plus behind a word, `C++` and a colon are ordinary text.
static NOTATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
          \( [^()]* : \s* [+-]? (?: \d+ \.? \d* | \. \d+ ) \s* \)   # (old:1.3)
        | \[ [^\[\]]* : [^\[\]]* : \s* \d* \.? \d+ \s* \]           # [cat:dog:0.5]
        | \[ [^\[\]|]+ \| [^\[\]]+ \]                               # [cat|dog]
        | \(\( [^()]+ \)\)                                          # ((old))
        | \[\[ [^\[\]]+ \]\]                                        # [[old]]
        | \{\{ [^{}]+ \}\}                                          # {{old}}
        | \( [^()]+ \) (?: \+ | -{2} | - (?: \s | , | $ ) | \d+\.\d+ | \.\d+ )  # (an old man)+ and (an old man)1.3
        | \w{2,} (?: \+{2,} | -{2,} (?: \s | , | $ ) )                 # old++
        | \)\s*\.\s*(?: blend | and | swap )\s*\(                   # (…).blend(…)
        | <\s*(?: lora | lyco | hypernet )\s*: [^<>]* >             # <lora:style:0.8>
        | \\[()\[\]]                                                # \(escaped\)
        ",
    )
    .expect("the expression is constant and tested")
});

/// Refuses a prompt with such a notation.
pub(super) fn refuse(prompt: &str) -> Result<(), PipelineError> {
    match NOTATION.find(prompt) {
        None => Ok(()),
        Some(found) => Err(PipelineError::Weighting {
            prompt: prompt.to_owned(),
            found: found.as_str().trim().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_is_found_where_it_stands() {
        for (prompt, expected) in [
            ("a photo of an (old:1.3) woman", "(old:1.3)"),
            ("a (red hat:.5)", "(red hat:.5)"),
            ("a (dark : 2) room", "(dark : 2)"),
            ("a [cat:dog:0.5] on grass", "[cat:dog:0.5]"),
            ("a [cat|dog] on grass", "[cat|dog]"),
            ("an ((old)) woman", "((old))"),
            ("an [[old]] woman", "[[old]]"),
            ("an {{old}} woman", "{{old}}"),
            ("an (old woman)++ on grass", "(old woman)+"),
            ("an (old woman)1.5 on grass", "(old woman)1.5"),
            ("an (old woman)- on grass", "(old woman)-"),
            ("an old++ woman", "old++"),
            ("an old-- woman", "old--"),
            ("(\"a cat\", \"a dog\").blend(1, 1)", ").blend("),
            ("a cat <lora:style:0.8>", "<lora:style:0.8>"),
            (r"a figure \(toy\)", r"\("),
        ] {
            match refuse(prompt) {
                Err(PipelineError::Weighting { found, .. }) => {
                    assert_eq!(found, expected, "{prompt}");
                }
                other => panic!("{prompt}: {other:?}"),
            }
        }
    }

    #[test]
    fn ordinary_text_is_none() {
        for prompt in [
            "",
            "a photo of an old woman",
            "a cat (on grass)",
            "a dog [indoors], 4:3",
            "a clock at 12:30",
            "a 50+ man",
            "a well-known face -- seen from below",
            "a photo (1990s) - black and white",
            "a <mine> cat",
            "a book on C++",
        ] {
            assert!(refuse(prompt).is_ok(), "{prompt}");
        }
    }
}
