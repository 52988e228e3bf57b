//! On a made-up WordNet in its true layout.

use std::fs;

use super::*;

/// Synsets by key: words and the keys below; `!` before a key is an instance.
type Entry<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

const NETS: [Entry<'_>; 6] = [
    ("animal", &["animal", "beast"], &["dog"]),
    (
        "dog",
        &["dog", "domestic_dog"],
        &["hound", "puppy", "!lassie"],
    ),
    ("hound", &["hound"], &["beagle"]),
    ("puppy", &["puppy", "Dog"], &[]),
    ("beagle", &["beagle"], &["dog"]),
    ("lassie", &["Lassie"], &[]),
];

const LICENCE: &str = "  1 made up, for tests  \n";

/// Writes `index.noun` and `data.noun` with true offsets.
fn dict(folder: &Path) {
    let line = |entry: &Entry<'_>, of: &dyn Fn(&str) -> usize| {
        let (key, words, below) = entry;
        let words = words.iter().map(|word| format!("{word} 0 "));
        let words = words.collect::<Vec<_>>().concat();
        let pointers: String = below
            .iter()
            .map(|key| match key.strip_prefix('!') {
                Some(key) => format!("~i {:08} n 0000 ", of(key)),
                None => format!("~ {:08} n 0000 ", of(key)),
            })
            .collect();
        format!(
            "{:08} 05 n {:02x} {words}{:03} {pointers}| what {key} is; \"a | in it\"  \n",
            of(key),
            entry.1.len(),
            below.len()
        )
    };
    // Every offset has eight digits, so lengths do not depend on them.
    let mut offsets = vec![LICENCE.len()];
    for entry in &NETS {
        offsets.push(offsets.last().unwrap() + line(entry, &|_| 0).len());
    }
    let of = |key: &str| offsets[NETS.iter().position(|entry| entry.0 == key).unwrap()];
    let data: String = NETS.iter().map(|entry| line(entry, &of)).collect();
    fs::write(folder.join("data.noun"), format!("{LICENCE}{data}")).unwrap();
    let index = format!(
        "{LICENCE}animal n 1 1 ~ 1 1 {:08}  \ndog n 2 3 @ ~ #m 2 1 {:08} {:08}  \n",
        of("animal"),
        of("dog"),
        of("puppy")
    );
    fs::write(folder.join("index.noun"), index).unwrap();
}

fn wordnet() -> (tempfile::TempDir, WordNet) {
    let folder = tempfile::tempdir().unwrap();
    dict(folder.path());
    let wordnet = WordNet::open(folder.path()).unwrap();
    (folder, wordnet)
}

#[test]
fn nouns_are_those_below_nearest_first_and_cycles_end() {
    let (_folder, wordnet) = wordnet();
    let nouns = |synset, depth, most| wordnet.nouns(synset, depth, most).unwrap();
    let all = ["dog", "domestic dog", "hound", "puppy", "beagle"];
    assert_eq!(nouns("dog.n.01", usize::MAX, 100), all);
    assert_eq!(nouns("dog.n.01", 1, 100), all[..4]);
    assert_eq!(nouns("dog.n.01", 0, 100), all[..2]);
    assert_eq!(nouns("animal.n.01", 9, 3), ["animal", "beast", "dog"]);
    // Senses in the index's order.
    assert_eq!(nouns("Dog.n.02", 9, 9), ["puppy", "Dog"]);
    let by_offset = format!("n{:08}", LICENCE.len());
    assert_eq!(nouns(&by_offset, 0, 9), ["animal", "beast"]);
}

#[test]
fn what_is_not_there_is_named() {
    let (folder, wordnet) = wordnet();
    let text = |synset: &str| wordnet.nouns(synset, 9, 9).unwrap_err().to_string();
    for name in ["dog", "dog.v.01", "dog.n.00", "dog.n.x", "dog.n.+1", "n1"] {
        assert!(text(name).contains("names no synset"), "{name}");
    }
    assert!(text("cat.n.01").ends_with("index.noun has no noun \"cat\""));
    let many = text("dog.n.03");
    assert!(
        many.contains("index.noun, line 3: \"dog\" has 2 senses"),
        "{many}"
    );
    let beside = text("n00000001");
    assert!(
        beside.contains("data.noun, byte 1: expected a synset"),
        "{beside}"
    );
    assert!(text("n99999999").contains("byte 99999999"));
    fs::remove_file(folder.path().join("data.noun")).unwrap();
    let error = WordNet::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("data.noun"), "{error}");
}

#[test]
fn hostile_files_are_errors_with_their_place() {
    let (folder, _) = wordnet();
    let path = folder.path().join("data.noun");
    let good = fs::read_to_string(&path).unwrap();
    let dog = good.lines().nth(2).unwrap().to_owned();
    let at = good.find(&dog).unwrap();
    let cases = [
        ("00000000 05 n 00 000 | x", "own offset"),
        ("{} 05 v 01 dog 0 000 | x", "a noun"),
        ("{} 05 n zz dog 0 000 | x", "number of words"),
        ("{} 05 n ffffffff dog 0 000 | x", "a word and its id"),
        ("{} 05 n 01 dog 0 99999 ~ | x", "pointers of symbol"),
        ("{} 05 n 01 dog 0", "number of pointers"),
        ("{} 05 n 01 dog 0 001 ~ -5 n 0000 | x", "an offset"),
        (
            "{} 05 n 01 dog 0 001 ~ 00000003 n 0000 | x",
            "byte 3: expected a synset",
        ),
        ("", "own offset"),
    ];
    for (line, expected) in cases {
        let line = line.replace("{}", &format!("{at:08}"));
        fs::write(&path, good.replace(&dog, &line)).unwrap();
        let wordnet = WordNet::open(folder.path()).unwrap();
        let text = wordnet.nouns("dog.n.01", 9, 9).unwrap_err().to_string();
        assert!(
            text.contains(expected) && text.contains("data.noun, byte "),
            "{line}: {text}"
        );
    }
    fs::write(&path, good).unwrap();
    for index in [
        "dog n ",
        "dog n 1 99999999999999999999 1 1 5",
        "dog n 1 5 @ 1 1 00000001",
        "dog n 1 0 1 0 xx",
    ] {
        fs::write(folder.path().join("index.noun"), index).unwrap();
        let wordnet = WordNet::open(folder.path()).unwrap();
        let error = wordnet.nouns("dog.n.01", 9, 9).unwrap_err();
        assert!(
            matches!(error, WordNetError::Index { line: 1, .. }),
            "{index}: {error:?}"
        );
    }
}
