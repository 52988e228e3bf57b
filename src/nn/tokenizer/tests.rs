use serde_json::Value;

use super::clip::{BOS, EOS, byte_symbols};
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

/// Of these CLIP's tokenizer gets the first.
fn captions() -> Vec<String> {
    let text = std::fs::read_to_string(golden_folder("captions.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Ids by `transformers.CLIPTokenizer`, made by `tests/oracle/golden/tokenizer.py`.
#[test]
fn ids_are_those_of_transformers() {
    let text = std::fs::read_to_string(Path::new(GOLDEN).join("tokenizer.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let variants = golden.as_array().unwrap();
    assert!(variants.len() >= 5);
    let captions = captions();
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
        assert!(theirs.len() >= 40 && captions.len() >= theirs.len());
        for (caption, theirs) in captions.iter().zip(theirs) {
            assert_eq!(
                tokenizer.encode(caption).ids,
                padded(&tokenizer, theirs),
                "{caption:?} with {name}"
            );
        }
    }
}

/// The oracle's ids are without their padding.
fn padded(tokenizer: &Tokenizer, mut ids: Vec<u32>) -> Vec<u32> {
    assert!(ids.len() <= tokenizer.context());
    ids.resize(tokenizer.context(), tokenizer.pad_id());
    ids
}

fn golden_folder(kind: &str) -> PathBuf {
    Path::new(GOLDEN).join("tokenizers").join(kind)
}

/// Ids by `open_clip.SimpleTokenizer` and `transformers.SiglipTokenizer`, made by the same script.
#[test]
fn ids_are_those_of_open_clip_and_of_siglip() {
    let captions = captions();
    assert!(captions.len() >= 80);
    for kind in ["open_clip", "siglip"] {
        let dir = golden_folder(kind);
        let text = std::fs::read_to_string(dir.join("expected.json")).unwrap();
        let golden: Value = serde_json::from_str(&text).unwrap();
        let tokenizer = Tokenizer::from_dir(&dir).unwrap();
        assert_eq!(golden["context"], tokenizer.context());
        assert_eq!(golden["pad"], tokenizer.pad_id());
        let rows: Vec<(usize, Vec<u32>)> = serde_json::from_value(golden["rows"].clone()).unwrap();
        assert_eq!(rows.len(), captions.len());
        for (caption, (length, theirs)) in captions.iter().zip(rows) {
            let ours = tokenizer.encode(caption);
            let theirs = padded(&tokenizer, theirs);
            assert_eq!(ours.ids, theirs, "{caption:?} with {kind}");
            assert_eq!(ours.truncated, length > 32, "{caption:?} with {kind}");
            assert_eq!(ours.len, length.min(32), "{caption:?} with {kind}");
        }
    }
}

#[test]
fn an_open_clip_folder_with_a_config_of_transformers_is_theirs() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["vocab.json", "merges.txt", "open_clip_config.json"] {
        std::fs::copy(golden_folder("open_clip").join(name), dir.path().join(name)).unwrap();
    }
    assert_eq!(Tokenizer::from_dir(dir.path()).unwrap().pad_id(), 0);
    std::fs::write(dir.path().join("config.json"), r#"{"model_type": "clip"}"#).unwrap();
    let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
    assert_eq!(tokenizer.pad_id(), tokenizer.eos_id());
}

#[test]
fn settings_of_open_clip_that_are_not_known_are_refused_by_name() {
    for (text_cfg, key) in [
        (
            r#"{"hf_tokenizer_name": "t5"}"#,
            "text_cfg.hf_tokenizer_name",
        ),
        (
            r#"{"tokenizer_kwargs": {"clean": "no"}}"#,
            "text_cfg.tokenizer_kwargs.clean",
        ),
        (
            r#"{"tokenizer_kwargs": {"reduction_mask": "random"}}"#,
            "text_cfg.tokenizer_kwargs.reduction_mask",
        ),
        ("[]", "text_cfg"),
    ] {
        let config = format!(r#"{{"model_cfg": {{"text_cfg": {text_cfg}}}}}"#);
        let dir = folder(
            &["vocab.json", "merges.txt"],
            &[("open_clip_config.json", &config)],
        );
        let error = Tokenizer::from_dir(dir.path()).unwrap_err().to_string();
        let named = format!("open_clip_config.json: model_cfg.{key} must be ");
        assert!(error.contains(&named), "{error}");
    }
    // open_clip carries its vocabulary within itself, hardlight does not.
    let config = r#"{"model_cfg": {"text_cfg": {}}}"#;
    let dir = folder(&[], &[("open_clip_config.json", config)]);
    let error = Tokenizer::from_dir(dir.path()).unwrap_err();
    assert!(
        matches!(error, TokenizerError::NoVocabulary { .. }),
        "{error}"
    );
}

/// A field of bytes in the format of protocol buffers.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

#[test]
fn a_piece_model_of_another_kind_is_refused() {
    let read = |model: &[u8]| {
        let dir = folder(&[], &[("config.json", r#"{"model_type": "siglip"}"#)]);
        std::fs::write(dir.path().join("spiece.model"), model).unwrap();
        Tokenizer::from_dir(dir.path()).unwrap_err().to_string()
    };
    let piece = |text: &[u8], kind: u8| field(1, &[field(1, text), vec![0x18, kind]].concat());
    let unknown = piece(b"<unk>", 2);
    for (model, what) in [
        (vec![], "it has no unknown token"),
        (
            vec![0x0a, 9],
            "it ends within a field, or is no SentencePiece model",
        ),
        (piece(&[0xff], 1), "piece 0 is not UTF-8"),
        (piece(b"x", 6), "of a kind that SigLIP's models do not have"),
        (
            [unknown.clone(), field(2, &[0x18, 2])].concat(),
            "not a unigram model",
        ),
        (
            [unknown.clone(), field(3, &[0x20, 0])].concat(),
            "it keeps extra spaces",
        ),
        (
            [unknown.clone(), field(3, &field(2, &[9, 0, 0, 0, 1]))].concat(),
            "its normalisation rules are damaged",
        ),
        (unknown, r#"the eos_token "</s>" is not in the vocabulary"#),
    ] {
        let error = read(&model);
        assert!(
            error.contains("spiece.model: ") && error.contains(what),
            "{error}"
        );
    }
    let dir = folder(&[], &[("config.json", r#"{"model_type": "siglip"}"#)]);
    let error = Tokenizer::from_dir(dir.path()).unwrap_err();
    assert!(matches!(error, TokenizerError::NoPieces { .. }), "{error}");
}

#[test]
fn no_damage_to_a_piece_model_makes_it_panic() {
    let whole = std::fs::read(golden_folder("siglip").join("spiece.model")).unwrap();
    let dir = folder(&[], &[("config.json", r#"{"model_type": "siglip"}"#)]);
    for at in (0..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(dir.path().join("spiece.model"), &bytes).unwrap();
        if let Ok(tokenizer) = Tokenizer::from_dir(dir.path()) {
            let _ = tokenizer.encode("a ﬁne photo of ½ a dog\u{a0}é ｆｕｌｌ");
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
#[allow(clippy::too_many_lines, reason = "a file a fault")]
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

/// A folder whose tokens `<cat>`, `<cat>_1`, `<cat>_2` and `<dog>` were added, as a textual inversion adds them.
fn inverted() -> tempfile::TempDir {
    let plain = small();
    let token = |(i, content): (usize, &str)| {
        let id = (plain.vocab_size() + i).to_string();
        (
            id,
            serde_json::json!({"content": content, "normalized": true, "special": false}),
        )
    };
    let special = [(BOS, plain.bos_id().unwrap()), (EOS, plain.eos_id())].map(|(content, id)| {
        let value = serde_json::json!({"content": content, "normalized": false, "special": true});
        (id.to_string(), value)
    });
    let added = ["<cat>", "<cat>_1", "<cat>_2", "<dog>"];
    let tokens: serde_json::Map<String, Value> = added
        .into_iter()
        .enumerate()
        .map(token)
        .chain(special)
        .collect();
    let config = serde_json::json!({"added_tokens_decoder": tokens}).to_string();
    folder(
        &["vocab.json", "merges.txt"],
        &[("tokenizer_config.json", &config)],
    )
}

/// What Diffusers makes of the prompts: `pipe.maybe_convert_prompt`, but for the last two, whose vectors it repeats.
#[test]
fn a_token_of_several_vectors_stands_for_all_of_them() {
    let dir = inverted();
    let plain = Tokenizer::from_dir(dir.path()).unwrap();
    let expanding = plain.clone().with_multi_vector_tokens();
    for (prompt, spelled) in [
        ("a <cat> on grass", "a <cat> <cat>_1 <cat>_2 on grass"),
        ("<cat>", "<cat> <cat>_1 <cat>_2"),
        ("<cat><cat>", "<cat> <cat>_1 <cat>_2<cat> <cat>_1 <cat>_2"),
        ("a <cat>'s <dog>", "a <cat> <cat>_1 <cat>_2's <dog>"),
        ("a <dog> on grass", "a <dog> on grass"),
        ("a cat", "a cat"),
        ("a <cat> <cat>_1 <cat>_2", "a <cat> <cat>_1 <cat>_2"),
        ("a <cat>_1", "a <cat>_1"),
    ] {
        assert_eq!(
            expanding.encode(prompt).ids,
            plain.encode(spelled).ids,
            "{prompt}"
        );
    }
    assert_ne!(expanding.encode("<cat>").ids, plain.encode("<cat>").ids);
}

#[test]
fn a_long_caption_in_chunks_loses_nothing() {
    let tokenizer = small().with_context(9);
    let short = "a photo of a cat";
    assert_eq!(tokenizer.encode_chunks(short), [tokenizer.encode(short)]);
    assert_eq!(tokenizer.encode_chunks(""), [tokenizer.encode("")]);
    let long = "a photo of an old woman on grass with a hat and a dog";
    let chunks = tokenizer.encode_chunks(long);
    assert!(chunks.len() >= 2 && chunks.iter().all(|chunk| !chunk.truncated));
    let (bos, eos) = (tokenizer.bos_id().unwrap(), tokenizer.eos_id());
    let mut joined = vec![bos];
    for chunk in &chunks {
        assert_eq!(
            (chunk.ids.len(), chunk.ids[0], chunk.ids[chunk.len - 1]),
            (9, bos, eos)
        );
        joined.extend(&chunk.ids[1..chunk.len - 1]);
    }
    joined.push(eos);
    let whole = small().with_context(200).encode(long);
    assert_eq!(joined, whole.ids[..whole.len]);
    assert!(tokenizer.encode(long).truncated);
}
