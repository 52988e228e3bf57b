//! Captions that grammars make, and where faults are said to be.

use super::*;
use crate::caption::Fault;

const TEXT: &str = r#"
reference = "a photo of a(n) {class}"
templates = ["a photo of a(n) {size} {class} {place}"]
exclude = [["tiny", "on a roof"]]
[slots]
size = ["", "tiny", "old"]
place = ["", "on a roof"]
[classes.ape]
nouns = ["ape", "orang utan"]
contradicts = ["cat"]
"#;

#[test]
fn captions_come_in_order_with_articles_and_without_excluded_pairs() {
    let grammar = Grammar::parse("g", TEXT).unwrap();
    assert_eq!(grammar.reference("ape"), "a photo of an ape");
    assert_eq!(
        grammar.candidates("cat").unwrap(),
        [
            "a photo of a cat",
            "a photo of a cat on a roof",
            "a photo of a tiny cat",
            "a photo of an old cat",
            "a photo of an old cat on a roof",
        ]
    );
    assert_eq!(grammar.candidates("ape").unwrap().len(), 10);
    assert_eq!(grammar.contradictions("ape"), ["cat"]);
    assert_eq!(grammar.doubts(), &[] as &[String]);
}

#[test]
fn pairs_exclude_across_slots_templates_and_nouns_as_whole_words_in_any_case() {
    let text = r#"
reference = "{class}"
templates = ["{when} {class} {place}", "A Wooden {class} in water", "{class}"]
exclude = [["Night", "in the sun"], ["tabby", "in WATER"], ["in", "in a night club"], ["wooden", "kitten"]]
[slots]
when = ["", "night-time", "nightly"]
place = ["in the sun", "in water", "in a night club"]
[classes.cat]
nouns = ["tabby", "kitten"]
"#;
    let captions = Grammar::parse("g", text)
        .unwrap()
        .candidates("cat")
        .unwrap();
    assert_eq!(
        captions,
        [
            "tabby in the sun",
            "kitten in the sun",
            "kitten in water",
            "night-time kitten in water",
            "nightly tabby in the sun",
            "nightly kitten in the sun",
            "nightly kitten in water",
            "tabby",
            "kitten",
        ]
        .map(str::to_owned)
        .into_iter()
        .collect::<Vec<_>>()
    );
}

#[test]
fn groups_names_and_nouns_without_article() {
    let text = r#"
reference = "a photo of a(n) {class}"
templates = ["a photo of a(n) {look} {class} {place}"]
[slots]
look = ["", "old"]
place = ["", "outdoors"]
[groups.glasses]
slots.place = ["on a(n) {odd} nose"]
contradicts = ["dog"]
[groups.dog]
templates = ["a(n) {class}"]
[classes.sunglasses]
group = "glasses"
names = ["n04356056", "dark glasses"]
article = false
slots.place = ["", "on an umbrella"]
contradicts = ["cat"]
[classes."Afghan hound"]
group = "dog"
"#;
    let grammar = Grammar::parse("g", text).unwrap();
    let expected = [
        "a photo of sunglasses",
        "a photo of sunglasses on an umbrella",
        "a photo of old sunglasses",
        "a photo of old sunglasses on an umbrella",
    ];
    for name in [
        "sunglasses",
        "n04356056",
        "Dark_Glasses",
        "shades (n04356056)",
    ] {
        assert_eq!(grammar.candidates(name).unwrap(), expected, "{name}");
        assert_eq!(grammar.reference(name), "a photo of sunglasses");
        assert_eq!(grammar.contradictions(name), ["dog", "cat"]);
        assert!(grammar.knows(name));
    }
    assert_eq!(
        grammar.candidates("afghan-hound").unwrap(),
        ["an Afghan hound"]
    );
    assert!(!grammar.knows("shades"));
    assert_eq!(
        grammar.candidates("T-shirt_x").unwrap()[0],
        "a photo of a T-shirt x"
    );
}

#[test]
fn class_tables_name_classes_and_their_faults() {
    let table = "# a comment\nn1\tbird\ta\tcrane bird\tcrane; Grus\n\nn2\tbird\t-\tcranes\tcrane; lifts\r\n";
    let text = r#"
reference = "{class}"
templates = ["a(n) {class} {place}"]
class_table = "birds.tsv"
[slots]
place = [""]
[groups.bird]
slots.place = ["in a tree"]
"#;
    let read = |table: &str| {
        let source = Source {
            origin: "x/g.toml",
            text,
        };
        build::build(source, Some(table), None)
    };
    let grammar = read(table).unwrap();
    for (name, expected) in [
        ("n1", "a crane bird in a tree"),
        ("Grus", "a crane bird in a tree"),
        ("lifts", "cranes in a tree"),
        ("crane (n2)", "cranes in a tree"),
        ("crane", "a crane"),
    ] {
        assert_eq!(grammar.candidates(name).unwrap(), [expected], "{name}");
    }
    for (row, place) in [
        (
            "n3\tfish\ta\tcod\tcod",
            "line 1, column 4: there is no group \"fish\"",
        ),
        (
            "#\nn3\tbird\tan\tcod\tcod",
            "line 2, column 1: expected id, group",
        ),
        ("n3\tbird\ta\tcod", "line 1, column 1: expected id"),
        ("n3\tbird\ta\t-\tcod", "line 1, column 1: expected id"),
    ] {
        let text = read(row).unwrap_err().to_string();
        let place = format!("x/birds.tsv, {place}");
        assert!(text.starts_with(&place), "{text}");
    }
}

/// A grammar with `{}` in place of something, and where the fault is.
#[test]
#[allow(clippy::too_many_lines, reason = "a line a fault")]
fn every_fault_names_file_line_and_column() {
    let whole = "reference = \"a {class}\"\ntemplates = [\"a {class}\"]\n";
    let with = |more: &str| format!("{whole}{more}");
    let many = (0..450).map(|n| format!("\"{n}\", "));
    let many = many.collect::<Vec<_>>().concat();
    let cases: Vec<(String, usize, usize, &str)> = vec![
        // What TOML itself refuses.
        (
            "reference = \"x\"\ntemplates = [3]\n".to_owned(),
            2,
            14,
            "string",
        ),
        (with("reference = \"x\"\n"), 3, 1, "duplicate key"),
        (
            with("[slots]\na = [\"x\"]\na = [\"y\"]\n"),
            5,
            1,
            "duplicate key",
        ),
        (with("sluts = 1\n"), 3, 1, "sluts"),
        (with("[classes.cat]\nnoun = [\"x\"]\n"), 4, 1, "noun"),
        (with("[classes.cat]\nnouns = 3\n"), 4, 9, "a list of nouns"),
        (
            with("[classes.cat]\nnouns = { synset = \"x.n.01\", dpth = 1 }\n"),
            4,
            30,
            "dpth",
        ),
        (with("exclude = [[\"a\"]]\n"), 3, 12, "tuple"),
        (with("x = \n"), 3, 5, ""),
        ("templates = [\"a\"]\n".to_owned(), 1, 1, "reference"),
        // What makes no sense.
        (
            "reference = \"x\"\ntemplates = []\n".to_owned(),
            2,
            13,
            "there are no templates",
        ),
        (
            "reference = \"x\"\ntemplates = [\"x\",\n  \"ü {adj}\"]\n".to_owned(),
            3,
            6,
            "{adj} is no slot",
        ),
        (
            "reference = \"a {adj}\"\ntemplates = [\"x\"]\n".to_owned(),
            1,
            16,
            "{adj} is no slot",
        ),
        (
            "reference = \"a {class\"\ntemplates = [\"x\"]\n".to_owned(),
            1,
            16,
            "not paired",
        ),
        (
            "reference = \"x\"\ntemplates = [\"a class}\"]\n".to_owned(),
            2,
            22,
            "not paired",
        ),
        (
            "reference = \"x\"\ntemplates = [\"{a {class}\"]\n".to_owned(),
            2,
            15,
            "not paired",
        ),
        (
            "reference = \"x\"\ntemplates = [\" \"]\n".to_owned(),
            2,
            15,
            "empty",
        ),
        (
            with("[slots]\nsize = []\n"),
            4,
            8,
            "slot size has no values",
        ),
        (
            with("[slots]\nclass = [\"x\"]\n"),
            4,
            1,
            "cannot be called class",
        ),
        (with("exclude = [[\"a\", \"-\"]]\n"), 3, 18, "holds no word"),
        (with("exclude = [[\"a b\", \"A  b\"]]\n"), 3, 20, "both say"),
        (
            with("[classes.cat]\ncontradicts = [\"dog\", \"\"]\n"),
            4,
            23,
            "holds no word",
        ),
        (
            with("[classes.cat]\nnouns = [\"\"]\n"),
            4,
            10,
            "holds no word",
        ),
        (
            with("[classes.cat]\ngroup = \"pet\"\n"),
            4,
            9,
            "no group \"pet\"",
        ),
        (
            with("[classes.cat]\n[classes.dog]\nnames = [\"Cat\"]\n"),
            5,
            10,
            "\"cat\" has the name",
        ),
        (
            with("[classes.cat]\nnouns = { synset = \"cat.n.01\" }\n"),
            4,
            20,
            "--wordnet",
        ),
        (
            with(
                "[groups.pet]\ntemplates = [\"a {size} {class}\"]\n[classes.cat]\ngroup = \"pet\"\n",
            ),
            4,
            17,
            "{size} is no slot of cat",
        ),
        (
            format!(
                "reference = \"x\"\ntemplates = [\"x\", \"{{s}} {{s}}\"]\n[slots]\ns = [{many}]\n"
            ),
            2,
            20,
            "at most 200000",
        ),
        (
            with("exclude = [[\"a\", \"cat\"]]\n[classes]\n[classes.cat]\n"),
            5,
            10,
            "\"cat\" has no captions",
        ),
        (
            "reference = \"x\"\ntemplates = [\"b a\"]\nexclude = [[\"a\", \"b\"]]\n".to_owned(),
            2,
            13,
            "has no captions",
        ),
    ];
    for (text, line, column, says) in cases {
        let error = Grammar::parse("my.toml", &text).unwrap_err();
        let (place, reason) = match &error {
            CaptionError::Parse { place, source } => (place, source.to_string()),
            CaptionError::Grammar { place, fault } => (place, fault.to_string()),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(
            (place.line, place.column),
            (line, column),
            "{text}: {reason}"
        );
        assert!(reason.contains(says), "{text}: {reason}");
        let begins = format!("my.toml, line {line}, column {column}: ");
        assert!(error.to_string().starts_with(&begins), "{error}");
    }
}

#[test]
fn the_slots_there_are_stand_in_the_message() {
    let error = Grammar::parse("g", &TEXT.replace("{size}", "{sise}")).unwrap_err();
    let CaptionError::Grammar {
        fault: Fault::Slot { slot, known, .. },
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!((slot.as_str(), known.len()), ("sise", 2));
    assert!(
        error.to_string().contains("[\"place\", \"size\"]"),
        "{error}"
    );
}

#[test]
fn a_pair_that_never_excludes_is_doubted() {
    let grammar = Grammar::parse("g", &TEXT.replace("\"tiny\", \"on", "\"tini\", \"on")).unwrap();
    let [doubt] = grammar.doubts() else {
        panic!("{:?}", grammar.doubts())
    };
    assert!(
        doubt.starts_with("g, line 4, column 13: exclude says \"tini\""),
        "{doubt}"
    );
}
