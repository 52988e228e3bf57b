//! Trains a small byte-level BPE (Sennrich et al. 2016, <https://arxiv.org/abs/1508.07909>) in
//! CLIP's layout: byte symbols, byte symbols that end a word (`</w>`), merges, then the two special
//! tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, json};

use crate::io::{self, IoError};
use crate::nn::tokenizer::clip::{BOS, END_OF_WORD, EOS, byte_symbols, normalised, split};

/// The files that [`Bpe::write_dir`] writes.
#[cfg(test)]
const FILES: [&str; 4] = [
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer_config.json",
];

/// A trained vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bpe {
    /// Tokens; a token's id is its position.
    pub vocab: Vec<String>,
    /// Merges, most frequent first.
    pub merges: Vec<(String, String)>,
}

/// Learns merges from a corpus until the vocabulary holds `size` tokens or no pair occurs twice.
///
/// The base alphabet is printable ASCII without capitals (captions are lowered first) and every
/// other byte of the corpus, so that any caption in the corpus' script can be written. Of equally
/// frequent pairs the first in byte order is merged.
pub fn train(corpus: &[String], size: usize) -> Bpe {
    let symbols = byte_symbols();
    let mut alphabet: BTreeSet<u8> = (33..=126)
        .filter(|b: &u8| !b.is_ascii_uppercase())
        .collect();
    let mut counts: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for text in corpus {
        for word in split(&normalised(text)) {
            alphabet.extend(word.bytes());
            let mut parts: Vec<String> = word
                .bytes()
                .map(|b| symbols[usize::from(b)].to_string())
                .collect();
            if let Some(last) = parts.last_mut() {
                last.push_str(END_OF_WORD);
            }
            *counts.entry(parts).or_default() += 1;
        }
    }
    let base = |end: &str| -> Vec<String> {
        alphabet
            .iter()
            .map(|&b| format!("{}{end}", symbols[usize::from(b)]))
            .collect()
    };
    let mut vocab = base("");
    vocab.extend(base(END_OF_WORD));
    let mut known: BTreeSet<String> = vocab.iter().cloned().collect();
    let mut merges = Vec::new();
    while vocab.len() + 2 < size {
        let mut pairs: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for (parts, count) in &counts {
            for pair in parts.windows(2) {
                *pairs.entry((&pair[0], &pair[1])).or_default() += count;
            }
        }
        // `max_by_key` keeps the last of equals; reversed, that is the first in byte order.
        let Some((best, count)) = pairs.into_iter().rev().max_by_key(|&(_, count)| count) else {
            break;
        };
        if count < 2 {
            break;
        }
        let (left, right) = (best.0.to_owned(), best.1.to_owned());
        counts = counts
            .into_iter()
            .map(|(parts, count)| (merge(&parts, &left, &right), count))
            .collect();
        let joined = format!("{left}{right}");
        if known.insert(joined.clone()) {
            vocab.push(joined);
        }
        merges.push((left, right));
    }
    vocab.extend([BOS.to_owned(), EOS.to_owned()]);
    Bpe { vocab, merges }
}

/// Joins every occurrence of `left` followed by `right`.
fn merge(parts: &[String], left: &str, right: &str) -> Vec<String> {
    let mut out = Vec::with_capacity(parts.len());
    let mut rest = parts;
    while let Some((first, after)) = rest.split_first() {
        match after.split_first() {
            Some((second, after)) if first == left && second == right => {
                out.push(format!("{left}{right}"));
                rest = after;
            }
            _ => {
                out.push(first.clone());
                rest = after;
            }
        }
    }
    out
}

impl Bpe {
    /// Writes the files that `transformers.CLIPTokenizer` reads, for captions of at most `context`
    /// tokens.
    ///
    /// # Errors
    ///
    /// [`IoError`] if a file cannot be written.
    pub fn write_dir(&self, dir: &Path, context: usize) -> Result<(), IoError> {
        io::create_dir_all(dir)?;
        let vocab: Map<String, serde_json::Value> = self
            .vocab
            .iter()
            .enumerate()
            .map(|(id, token)| (token.clone(), id.into()))
            .collect();
        let vocab = serde_json::Value::Object(vocab).to_string();
        io::write_atomic(&dir.join("vocab.json"), vocab.as_bytes())?;
        let mut merges = String::from("#version: 0.2\n");
        for (left, right) in &self.merges {
            // Writing to a String cannot fail.
            let _ = writeln!(merges, "{left} {right}");
        }
        io::write_atomic(&dir.join("merges.txt"), merges.as_bytes())?;
        let special =
            json!({"bos_token": BOS, "eos_token": EOS, "pad_token": EOS, "unk_token": EOS});
        let mut config = special.clone();
        config["model_max_length"] = context.into();
        config["tokenizer_class"] = "CLIPTokenizer".into();
        config["do_lower_case"] = true.into();
        config["errors"] = "replace".into();
        for (file, value) in [
            ("special_tokens_map.json", special),
            ("tokenizer_config.json", config),
        ] {
            io::write_atomic(&dir.join(file), format!("{value:#}\n").as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::tokenizer::Tokenizer;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tokenizer");

    fn corpus() -> Vec<String> {
        let subjects = [
            "fox",
            "dog",
            "old woman",
            "young man",
            "café",
            "naïve cat",
            "🦊",
        ];
        let places = ["grass", "the beach", "a street at night", "snow", "water"];
        let mut corpus = Vec::new();
        for subject in subjects {
            for place in places {
                corpus.push(format!("a photo of a {subject} on {place}"));
                corpus.push(format!(
                    "It's the {subject}'s picture, isn't it? We'll see 10 {place}!"
                ));
            }
        }
        corpus
    }

    #[test]
    fn frequent_words_become_one_token_and_the_folder_reads_back() {
        let corpus: Vec<String> = (0..10)
            .map(|_| "a photo of an old woman".to_owned())
            .collect();
        let bpe = train(&corpus, 400);
        let dir = tempfile::tempdir().unwrap();
        bpe.write_dir(dir.path(), 12).unwrap();
        let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
        assert_eq!(tokenizer.context(), 12);
        assert_eq!(tokenizer.vocab_size(), bpe.vocab.len());
        let encoded = tokenizer.encode("A photo of  an OLD woman");
        assert_eq!(
            encoded.len, 8,
            "six words, begin and end: {:?}",
            encoded.ids
        );
        assert!(!encoded.truncated);
        assert_eq!(Some(encoded.ids[0]), tokenizer.bos_id());
        assert_eq!(encoded.ids[7..], [tokenizer.eos_id(); 5]);
    }

    /// Guards both the training and the golden ids, which are made from these files.
    #[test]
    fn training_gives_the_committed_vocabulary() {
        let bpe = train(&corpus(), 220);
        assert_eq!(bpe.vocab.len(), 220);
        assert_eq!(bpe.vocab[218..], [BOS, EOS]);
        let dir = tempfile::tempdir().unwrap();
        bpe.write_dir(dir.path(), 24).unwrap();
        for file in FILES {
            let (new, old) = (dir.path().join(file), Path::new(GOLDEN).join(file));
            if std::env::var_os("HARDLIGHT_BLESS").is_some() {
                std::fs::create_dir_all(GOLDEN).unwrap();
                std::fs::copy(&new, &old).unwrap();
            }
            assert_eq!(
                std::fs::read_to_string(new).unwrap(),
                std::fs::read_to_string(old).unwrap(),
                "{file}"
            );
        }
    }

    #[test]
    fn equally_frequent_pairs_merge_in_byte_order() {
        let corpus = ["zy", "ab", "zy", "ab"].map(str::to_owned);
        let bpe = train(&corpus, 10_000);
        let merge = |left: &str, right: &str| (left.to_owned(), right.to_owned());
        assert_eq!(bpe.merges, [merge("a", "b</w>"), merge("z", "y</w>")]);
    }

    #[test]
    fn a_pair_seen_once_is_not_merged() {
        assert!(train(&["quick".to_owned()], 10_000).merges.is_empty());
        assert!(train(&[], 10_000).merges.is_empty());
    }
}
