use std::fs;

use proptest::prelude::*;

use super::line::{DIGITS, SEAL, checksum};
use super::*;
use crate::direction::ModeId;
use crate::filter::Measures;
use crate::filter::tests::measures;
use crate::generate::{Arm, MadeOn, Recipe};
use crate::io::{Classified as _, ErrorKind};

pub(crate) fn entry(attempt: u64) -> Measured {
    let recipe = recipe(attempt);
    Measured {
        id: recipe.id(),
        class: "cat \"é\"".to_owned(),
        mode: ModeId::new(1, 0),
        arm: Arm::Hard,
        index: attempt / 2,
        recipe,
        made_on: MadeOn {
            device: "cpu".to_owned(),
            batch: 8,
        },
        sha256: crate::io::sha256_hex(b"image"),
        measures: Measures {
            alignment: (!attempt.is_multiple_of(3)).then_some(0.1 + attempt as f64),
            class_similarity: Some(1.0 / 3.0),
            nearest_train_similarity: Some(0.5),
            ..measures()
        },
    }
}

/// A recipe of a seed, with a caption that tries to look like a seal.
fn recipe(seed: u64) -> Recipe {
    crate::generate::recipe::tests::recipe(seed).draw(
        "a cat\nin \u{2028} snow, \"checksum\":\"",
        (1 << 48) - 1 - seed,
    )
}

/// A ledger of so many entries, closed again.
fn written(count: u64) -> (tempfile::TempDir, PathBuf, Vec<Measured>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let entries: Vec<_> = (0..count).map(entry).collect();
    let (mut ledger, old) = Ledger::open(&path).unwrap();
    assert_eq!(old, []);
    ledger.append(&entries).unwrap();
    (folder, path, entries)
}

/// Changes the text of a line and seals it again.
fn forge(line: &str, from: &str, to: &str) -> String {
    let text = String::from_utf8(unseal(format!("{line}\n").as_bytes()).unwrap()).unwrap();
    assert!(text.contains(from));
    let text = text.replacen(from, to, 1);
    let sum = checksum(text.as_bytes());
    format!("{}{SEAL}{sum}\"}}", &text[..text.len() - 1])
}

#[test]
fn what_is_appended_is_read_and_each_line_is_json() {
    let (_folder, path, entries) = written(5);
    let (ledger, found) = Ledger::open(&path).unwrap();
    assert_eq!(found, entries);
    assert_eq!(ledger.torn(), None);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 5);
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["schema"], SCHEMA);
        assert_eq!(value["checksum"].as_str().unwrap().len(), DIGITS);
    }
}

#[test]
fn the_bytes_do_not_depend_on_how_entries_are_grouped() {
    let (_folder, path, entries) = written(4);
    let other = path.with_file_name("other.jsonl");
    let (mut ledger, _) = Ledger::open(&other).unwrap();
    for entry in &entries {
        ledger.append(std::slice::from_ref(entry)).unwrap();
    }
    ledger.append(&[]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&other).unwrap());
}

#[test]
fn a_ledger_cut_anywhere_keeps_its_whole_lines_and_can_go_on() {
    let (_folder, path, entries) = written(3);
    let whole = fs::read(&path).unwrap();
    let ends: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] == b'\n').collect();
    // Around every end of a line, and here and there between.
    let near = |length: &usize| {
        ends.iter().any(|end| end.abs_diff(*length) < 22) || length.is_multiple_of(97)
    };
    for length in (0..=whole.len()).filter(near) {
        fs::write(&path, &whole[..length]).unwrap();
        let lines = whole[..length].iter().filter(|&&b| b == b'\n').count();
        let rest = length
            - whole[..length]
                .iter()
                .rposition(|&b| b == b'\n')
                .map_or(0, |at| at + 1);

        let (reading, torn) = read(&path).unwrap();
        assert_eq!(reading, entries[..lines]);
        assert_eq!(fs::metadata(&path).unwrap().len(), length as u64);

        let (mut ledger, found) = Ledger::open(&path).unwrap();
        assert_eq!(found, entries[..lines]);
        assert_eq!(ledger.torn(), torn);
        let expected = (rest > 0).then_some(TornTail {
            line: lines + 1,
            bytes: rest as u64,
        });
        assert_eq!(torn, expected);
        ledger.append(&entries[lines..]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_flipped_bit_is_named_by_its_line_but_in_the_last_line_cut() {
    let (_folder, path, entries) = written(3);
    let whole = fs::read(&path).unwrap();
    let starts: Vec<_> = whole
        .split_inclusive(|&b| b == b'\n')
        .map(<[u8]>::len)
        .collect();
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        match read(&path) {
            Ok((found, torn)) => {
                assert!(at >= starts[0] + starts[1], "byte {at}");
                assert_eq!(found, entries[..2]);
                assert!(torn.is_some());
            }
            Err(LedgerError::Corrupt { line, .. }) => {
                // A flipped line break joins a line to the next: the first is the one named.
                assert_eq!(line, if at < starts[0] { 1 } else { 2 }, "byte {at}");
            }
            Err(error) => panic!("byte {at}: {error:?}"),
        }
    }
}

#[test]
fn a_missing_middle_line_break_is_an_error() {
    let (_folder, path, _) = written(3);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen('\n', "", 1)).unwrap();
    let error = Ledger::open(&path).unwrap_err();
    assert!(
        matches!(error, LedgerError::Corrupt { line: 1, .. }),
        "{error:?}"
    );
    // Nothing was repaired.
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        text.replacen('\n', "", 1)
    );
}

#[test]
fn a_line_of_another_version_is_refused_even_at_the_end() {
    let (_folder, path, _) = written(2);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for other in [1, SCHEMA + 1] {
        let line = forge(
            lines[1],
            &format!("\"schema\":{SCHEMA}"),
            &format!("\"schema\":{other},\"new\":[]"),
        );
        fs::write(&path, format!("{}\n{line}\n", lines[0])).unwrap();
        let error = Ledger::open(&path).unwrap_err();
        assert!(
            matches!(error, LedgerError::Schema { line: 2, found, .. } if found == other),
            "{error:?}"
        );
    }
}

#[test]
fn a_whole_line_that_is_no_attempt_is_refused() {
    let (_folder, path, _) = written(1);
    let text = fs::read_to_string(&path).unwrap();
    let wrong = forge(text.trim_end(), "\"steps\":20", "\"steps\":-1");
    fs::write(&path, wrong + "\n").unwrap();
    let error = Ledger::open(&path).unwrap_err();
    assert!(
        matches!(error, LedgerError::Line { line: 1, .. }),
        "{error:?}"
    );
    // Another recipe under the same name.
    let wrong = forge(text.trim_end(), "\"steps\":20", "\"steps\":21");
    fs::write(&path, wrong + "\n").unwrap();
    let error = Ledger::open(&path).unwrap_err();
    assert!(
        matches!(error, LedgerError::Recipe { line: 1, .. }),
        "{error:?}"
    );
}

#[test]
fn an_attempt_that_comes_twice_is_an_error() {
    let (_folder, path, entries) = written(2);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{text}")).unwrap();
    let error = Ledger::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::Duplicate {
                line: 3,
                first: 1,
                ..
            }
        ),
        "{error:?}"
    );
    fs::write(&path, &text).unwrap();
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    let error = ledger.append(&[entry(7), entries[1].clone()]).unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::Duplicate {
                line: 4,
                first: 2,
                ..
            }
        ),
        "{error:?}"
    );
    // A refused append leaves nothing behind, and the ledger stays open.
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    ledger.append(&[entry(7)]).unwrap();
}

#[test]
fn a_whole_ledger_is_written_in_the_order_given() {
    let (_folder, path, entries) = written(3);
    let turned: Vec<&Measured> = entries.iter().rev().collect();
    write(&path, &turned).unwrap();
    let (found, _) = read(&path).unwrap();
    assert!(found.iter().eq(turned));
}

#[test]
fn numbers_that_are_none_are_refused_by_name() {
    let (_folder, path, _) = written(0);
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    let mut bad = entry(3);
    bad.measures.class_margin = Some(f64::NEG_INFINITY);
    let error = ledger.append(&[entry(2), bad]).unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::NonFinite {
                field: "class_margin",
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_closes_the_ledger() {
    let mut ledger = Ledger {
        path: PathBuf::from("/dev/full"),
        file: OpenOptions::new().append(true).open("/dev/full").unwrap(),
        seen: Seen::default(),
        torn: None,
        whole: Some(0),
    };
    let error = ledger.append(&[entry(0)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disk, "{error:?}");
    let error = ledger.append(&[entry(1)]).unwrap_err();
    assert!(matches!(error, LedgerError::Closed { .. }), "{error:?}");
}

#[test]
fn a_missing_ledger_is_an_error_to_those_who_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(&folder.path().join("ledger.jsonl")).unwrap_err();
    assert!(
        matches!(error, LedgerError::Io(_)) && error.kind() == ErrorKind::Input,
        "{error:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scores come back bit by bit (serde_json's `float_roundtrip`): a resumed run must write the
    /// same manifest as one that was never stopped.
    #[test]
    fn any_entry_comes_back_the_same(
        caption in ".*",
        class in ".{1,8}",
        alignment in proptest::option::of(proptest::num::f64::NORMAL),
        seed in any::<u64>(),
    ) {
        let mut entry = Measured { class, ..entry(0) };
        entry.recipe = entry.recipe.draw(&caption, seed);
        entry.id = entry.recipe.id();
        entry.measures.alignment = alignment;
        let mut line = Vec::new();
        encode(&entry, &mut line).unwrap();
        prop_assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 1);
        let back = decode(&unseal(&line).unwrap(), Path::new("x"), 1).unwrap();
        prop_assert_eq!(back, entry);
    }
}
