use serde_json::Value;

use super::*;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

fn small() -> Tokenizer {
    Tokenizer::from_dir(&Path::new(GOLDEN).join("tokenizer")).unwrap()
}

/// A folder with the small vocabulary, and `files` over it.
fn folder(kept: &[&str], files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in kept {
        std::fs::copy(
            Path::new(GOLDEN).join("tokenizer").join(name),
            dir.path().join(name),
        )
        .unwrap();
    }
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// Ids by `transformers.CLIPTokenizer`, made by `tests/oracle/golden/tokenizer.py`.
#[test]
fn ids_are_those_of_transformers() {
    let text = std::fs::read_to_string(Path::new(GOLDEN).join("tokenizer.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let captions: Vec<String> = serde_json::from_value(golden["captions"].clone()).unwrap();
    let variants = golden["variants"].as_array().unwrap();
    assert!(captions.len() >= 40 && variants.len() >= 5);
    for variant in variants {
        let name = &variant["name"];
        let kept: Vec<String> = serde_json::from_value(variant["kept"].clone()).unwrap();
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        let files: Vec<(String, String)> = variant["files"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(file, value)| (file.clone(), value.to_string()))
            .collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(file, text)| (file.as_str(), text.as_str()))
            .collect();
        let dir = folder(&kept, &files);
        let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
        for (key, ours) in [
            ("context", tokenizer.context()),
            ("bos", tokenizer.bos_id().unwrap() as usize),
            ("eos", tokenizer.eos_id() as usize),
            ("pad", tokenizer.pad_id() as usize),
            ("size", tokenizer.vocab_size()),
        ] {
            assert_eq!(variant[key], ours, "{key} of {name}");
        }
        let theirs: Vec<Vec<u32>> = serde_json::from_value(variant["ids"].clone()).unwrap();
        assert_eq!(theirs.len(), captions.len());
        for (caption, theirs) in captions.iter().zip(theirs) {
            assert_eq!(
                tokenizer.encode(caption).ids,
                theirs,
                "{caption:?} with {name}"
            );
        }
    }
}

#[test]
fn a_long_caption_is_cut_and_keeps_its_end() {
    let tokenizer = small().with_context(6);
    let short = tokenizer.encode("a photo of a");
    assert_eq!((short.len, short.truncated), (6, false));
    let long = tokenizer.encode("a photo of a fox");
    assert_eq!((long.len, long.truncated), (6, true));
    assert_eq!(long.ids, short.ids);
    assert_eq!(long.ids[5], tokenizer.eos_id());
    let empty = tokenizer.encode("");
    assert_eq!((empty.len, empty.truncated), (2, false));
    assert_eq!(empty.ids.len(), 6);
}

#[test]
fn merges_apply_by_rank_and_then_from_the_left() {
    let vocab = [
        "a", "a</w>", "b", "b</w>", "aa", "aab", "ab</w>", "aab</w>", BOS, EOS,
    ];
    let vocab = (0..)
        .zip(vocab)
        .map(|(id, token)| (token.to_owned(), id))
        .collect();
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    let merges = vec![pair("a", "a"), pair("aa", "b</w>"), pair("a", "b</w>")];
    let tokenizer = Tokenizer::from_parts(vocab, merges, 8).unwrap();
    let ids = |text| {
        let encoding = tokenizer.encode(text);
        encoding.ids[1..encoding.len - 1].to_vec()
    };
    assert_eq!(ids("ab"), [6]);
    assert_eq!(ids("aab"), [7]);
    // The leftmost pair of a's goes first, which leaves one a for the b.
    assert_eq!(ids("aaab"), [4, 6]);
    assert_eq!(ids("aaaab"), [4, 7]);
}

#[test]
fn a_word_without_end_is_no_slower_than_many_words() {
    // Quadratic merging would look at 10^10 pairs here.
    let tokenizer = small().with_context(200_000);
    let encoding = tokenizer.encode(&"photo".repeat(20_000));
    assert!(encoding.len > 20_000 && !encoding.truncated);
}

#[test]
fn bytes_have_distinct_printable_symbols() {
    let mut symbols = byte_symbols();
    assert_eq!(
        (symbols[0], symbols[b' ' as usize], symbols[b'a' as usize]),
        ('Ā', 'Ġ', 'a')
    );
    assert_eq!(symbols[0xAD], 'Ń');
    symbols.sort_unstable();
    assert!(symbols.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn a_folder_without_configs_has_the_defaults() {
    let dir = folder(&["vocab.json", "merges.txt"], &[]);
    let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
    assert_eq!(tokenizer.context(), 77);
    assert_eq!(tokenizer.pad_id(), tokenizer.eos_id());
}

#[test]
fn bad_files_are_refused_by_name_and_place() {
    let both = ["vocab.json", "merges.txt"];
    let error = |kept: &[&str], files: &[(&str, &str)]| {
        Tokenizer::from_dir(folder(kept, files).path()).unwrap_err()
    };
    assert!(matches!(
        error(&["vocab.json"], &[]),
        TokenizerError::NoVocabulary { .. }
    ));
    assert!(matches!(
        error(&both, &[("vocab.json", "{")]),
        TokenizerError::Json { .. }
    ));
    for (files, key) in [
        (("vocab.json", "[]"), "the file"),
        (("vocab.json", r#"{"a": -1}"#), r#"the id of "a""#),
        (
            ("tokenizer.json", r#"{"model": {"type": "Unigram"}}"#),
            "model.type",
        ),
        (
            ("tokenizer.json", r#"{"model": {"type": "BPE"}}"#),
            "model.end_of_word_suffix",
        ),
        (
            (
                "tokenizer.json",
                r#"{"model": {"end_of_word_suffix": "</w>"}}"#,
            ),
            "model.vocab",
        ),
        (
            ("tokenizer_config.json", r#"{"added_tokens_decoder": 1}"#),
            "added_tokens_decoder",
        ),
        (
            (
                "tokenizer_config.json",
                r#"{"added_tokens_decoder": {"x": {"content": "y"}}}"#,
            ),
            "added_tokens_decoder.x",
        ),
    ] {
        let error = error(&both, &[files]).to_string();
        assert!(
            error.contains(&format!("{}: {key} must be", files.0)),
            "{error}"
        );
    }
    for (merges, expected) in [
        (
            "#version: 0.2\nt h\nfox\n",
            r#"merges.txt, line 3: "fox" is not two symbols"#,
        ),
        (
            "a b c\n",
            r#"merges.txt, line 1: "a b c" is not two symbols"#,
        ),
        (
            "a ☃\n",
            r#"merges.txt, line 1: "a☃" is not in the vocabulary"#,
        ),
    ] {
        let error = error(&both, &[("merges.txt", merges)]).to_string();
        assert!(error.ends_with(expected), "{error}");
    }
    let special = ("special_tokens_map.json", r#"{"pad_token": "<pad>"}"#);
    let error = error(&both, &[special]).to_string();
    assert!(
        error.ends_with(r#"vocab.json: the pad_token "<pad>" is not in the vocabulary"#),
        "{error}"
    );
}
