//! Every grammar that comes along makes many captions that read well.

use std::collections::BTreeSet;
use std::fs;

use super::english::{article, words};
use super::*;

/// Classes that a grammar does not name.
const ANY: [&str; 3] = ["traffic light", "owl", "T-shirt"];

/// Candidates of a class at least and at most.
const FEWEST: usize = 70;
const MANY: usize = 3000;

fn all() -> impl Iterator<Item = (&'static str, Grammar)> {
    let read = |name: &'static str| (name, Grammar::builtin(name).unwrap().unwrap());
    Grammar::BUILTIN.into_iter().map(read)
}

fn classes(grammar: &Grammar) -> Vec<String> {
    let named: Vec<String> = grammar.classes().map(str::to_owned).collect();
    if named.is_empty() {
        return ANY.map(str::to_owned).to_vec();
    }
    named
}

#[test]
fn every_class_has_enough_captions_and_each_says_a_noun() {
    for (name, grammar) in all() {
        assert_eq!(grammar.doubts(), &[] as &[String], "{name}");
        for class in classes(&grammar) {
            let captions = grammar.candidates(&class).unwrap();
            let n = captions.len();
            assert!((FEWEST..=MANY).contains(&n), "{name} {class}: {n}");
            let distinct: BTreeSet<&str> = captions.iter().map(String::as_str).collect();
            assert_eq!(distinct.len(), n, "{name} {class}");
            let view = grammar.view(&class);
            for caption in captions.iter().chain([&grammar.reference(&class)]) {
                let says_noun = view.nouns.iter().any(|noun| says(caption, noun));
                assert!(says_noun, "{name} {class}: {caption}");
                let odd = caption.contains("  ") || caption.contains(['{', '}', '(', ';', '/']);
                assert!(!odd && caption.trim() == caption, "{name}: {caption}");
                // CLIP reads 77 tokens; a word is seldom more than three.
                assert!(words(caption).len() < 25, "{name}: {caption}");
            }
        }
    }
}

#[test]
fn no_caption_of_a_class_contradicts_it_by_its_noun() {
    for (name, grammar) in all() {
        for class in classes(&grammar) {
            let reference = grammar.reference(&class);
            let contradictions = grammar.contradictions(&class);
            let found = contradictions.iter().find(|word| says(&reference, word));
            assert_eq!(found, None, "{name} {class}: {reference}");
        }
    }
}

#[test]
fn articles_are_right_in_every_caption() {
    // Every word that any caption has after an article, against the sound of its beginning.
    let mut seen = BTreeSet::new();
    for (_, grammar) in all() {
        for class in classes(&grammar) {
            for caption in grammar.candidates(&class).unwrap() {
                let split: Vec<&str> = caption.split(' ').collect();
                for pair in split.windows(2) {
                    if matches!(pair[0], "a" | "an" | "A" | "An") {
                        seen.insert((pair[0].to_lowercase(), pair[1].to_owned()));
                    }
                }
            }
        }
    }
    assert!(seen.len() > 500, "{}", seen.len());
    // Spelling and sound agree but for these.
    let exceptions = [
        ("a", "European"),
        ("a", "one-piece"),
        ("a", "unicycle"),
        ("an", "hourglass"),
        ("an", "MRI"),
    ];
    for (said, word) in seen {
        let vowel = word.to_lowercase().starts_with(['a', 'e', 'i', 'o', 'u']);
        let spelled = if vowel { "an" } else { "a" };
        let expected = exceptions
            .iter()
            .find(|(_, exception)| *exception == word)
            .map_or(spelled, |(said, _)| *said);
        assert_eq!(
            (said.as_str(), article(&word)),
            (expected, expected),
            "{word}"
        );
    }
}

#[test]
fn imagenet_has_its_thousand_classes_in_their_order() {
    let table = include_str!("../../../prompts/imagenet-classes.tsv");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
        .collect();
    let ids: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!((rows.len(), ids.len()), (1000, 1000));
    // Class indices are the order of the synsets, as torchvision has them.
    assert!(rows.is_sorted_by_key(|row| row[0]));
    for (index, id, name) in [
        (0, "n01440764", "tench"),
        (207, "n02099601", "golden retriever"),
        (281, "n02123045", "tabby"),
        (463, "n02909870", "bucket"),
        (817, "n04285008", "sports car"),
        (999, "n15075141", "toilet tissue"),
    ] {
        assert_eq!(rows[index][0], id);
        assert!(
            rows[index][4].split("; ").any(|other| other == name),
            "{name}"
        );
    }
    let grammar = Grammar::builtin("imagenet").unwrap().unwrap();
    // By id, by what src/dataset/imagenet.rs calls classes, and by other names.
    let reference = |class: &str| grammar.reference(class);
    assert_eq!(reference("n02099601"), "a photo of a Golden Retriever");
    assert_eq!(reference("crane (n02012849)"), "a photo of a crane bird");
    assert_eq!(
        reference("crane (n03126707)"),
        "a photo of a construction crane"
    );
    assert_eq!(reference("toilet tissue"), "a photo of toilet paper");
    assert_eq!(reference("Egyptian cat"), "a photo of an Egyptian Mau");
    assert!(!grammar.knows("crane"), "two classes have that name");
    for row in &rows {
        let first = row[4].split("; ").next().unwrap();
        assert!(grammar.knows(row[0]) && grammar.knows(first), "{first}");
    }
}

#[test]
fn celeba_names_every_attribute_as_the_data_set_does() {
    let grammar = Grammar::builtin("celeba").unwrap().unwrap();
    assert_eq!(grammar.classes().count(), 80);
    for name in [
        "Blond Hair",
        "no Blond Hair",
        "5 o Clock Shadow",
        "no No Beard",
        "Male",
    ] {
        assert!(grammar.knows(name), "{name}");
    }
    assert_eq!(grammar.reference("no Male"), "a photo of a woman");
    assert_eq!(grammar.reference("Young"), "a photo of a young person");
    let captions = grammar.candidates("Blond Hair").unwrap();
    assert!(captions.contains(&"a photo of an old man with blond hair with glasses".to_owned()));
    assert!(
        !captions
            .iter()
            .any(|c| says(c, "woman") && says(c, "with a beard"))
    );
    assert!(!captions.iter().any(|c| says(c, "black hair")));
}

#[test]
fn chest_findings_and_cifar_classes_are_all_there() {
    let chest = Grammar::builtin("chestxray").unwrap().unwrap();
    assert_eq!(chest.classes().count(), 28);
    for name in [
        "Pleural Thickening",
        "no Pleural_Thickening",
        "Effusion",
        "no Mass",
    ] {
        assert!(chest.knows(name), "{name}");
    }
    assert_eq!(
        chest.reference("Edema"),
        "a chest X-ray with pulmonary edema"
    );
    let captions = chest.candidates("Cardiomegaly").unwrap();
    assert!(
        captions
            .iter()
            .any(|c| c.starts_with("an AP chest X-ray with cardiomegaly"))
    );
    let cifar = Grammar::builtin("cifar100").unwrap().unwrap();
    assert_eq!(cifar.classes().count(), 120);
    assert!(cifar.knows("large_man-made_outdoor_things") && cifar.knows("pickup_truck"));
    let world = Grammar::builtin("world").unwrap().unwrap();
    assert_eq!(world.reference("old"), "a photo of an old person");
}

#[test]
fn the_readme_lists_every_grammar() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("prompts/README.md")).unwrap();
    let mut files: BTreeSet<String> = BTreeSet::new();
    for entry in fs::read_dir(root.join("prompts")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(".toml") {
            files.insert(name.to_owned());
        }
    }
    let names: BTreeSet<String> = Grammar::BUILTIN.map(str::to_owned).into();
    assert_eq!(files, names);
    for name in names {
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
    }
}
