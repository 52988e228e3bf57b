//! Images that are in more than one split.

use std::collections::BTreeMap;

use crate::dataset::{ExampleId, Split, Usable};
use crate::direction::doubt::duplicates::{self, Identity, Pair, of_row};
use crate::direction::doubt::{Warning, WarningKind};
use crate::pipeline::embed::Embedded;

/// Duplicates that a warning names.
const SHOWN: usize = 3;

/// Examples of val that are in train, and of test that are in train or val.
pub(super) fn find(embedded: &Embedded) -> Vec<Pair> {
    let parts = &embedded.parts;
    let ids = [Split::Train, Split::Val, Split::Test]
        .map(|split| parts.get(&split).map_or(&[][..], |part| &part.ids));
    // Every example is in one split, which says in which of the parts it is.
    let identity = |id: ExampleId| {
        let split = embedded.dataset().example(id).split;
        let embedding = parts.get(&split).and_then(|part| {
            let at = part.ids.binary_search(&id).ok()?;
            Some(of_row(part.view().row(at)))
        });
        Identity {
            file: embedded.sha256[id.index()].as_deref().and_then(from_hex),
            embedding,
        }
    };
    duplicates::find(&ids, &identity)
}

fn from_hex(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// One warning about all of them, and one about every class that has too many.
pub(super) fn warnings(data: Usable<'_>, pairs: &[Pair], then: &str) -> Vec<Warning> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let of = |id| data.example(id);
    let count = |later, earlier| {
        let both =
            |pair: &&Pair| (of(pair.later).split, of(pair.earlier).split) == (later, earlier);
        pairs.iter().filter(both).count()
    };
    let (val, test, both) = (
        count(Split::Val, Split::Train),
        count(Split::Test, Split::Train),
        count(Split::Test, Split::Val),
    );
    let named: Vec<String> = pairs
        .iter()
        .take(SHOWN)
        .map(|pair| format!("{} = {}", of(pair.later).id, of(pair.earlier).id))
        .collect();
    let text = format!(
        "images are in more than one split: {val} of val are in train, {test} of test are in train, \
         {both} of test are in val; the first: {}",
        named.join(", ")
    );
    let general = Warning::general(WarningKind::Duplicates, text)
        .with("val_in_train", val)
        .with("test_in_train", test)
        .with("test_in_val", both);
    let mut warnings = vec![general];
    for ((class, split), counts) in counts(data, pairs) {
        let Counts {
            examples,
            mistakes,
            twice,
            twice_wrong,
        } = counts;
        if !duplicates::bars(twice, examples, twice_wrong, mistakes) {
            continue;
        }
        let class = &data.classes()[class];
        let text = format!(
            "class {class}: {twice} of its {examples} examples in {split} ({twice_wrong} of {mistakes} \
             mistakes) are also in an earlier split: {then}"
        );
        warnings.push(
            Warning::barring(WarningKind::Duplicates, class, text)
                .with("split", split.name())
                .with("duplicates", twice)
                .with("examples", examples)
                .with("duplicate_mistakes", twice_wrong)
                .with("mistakes", mistakes),
        );
    }
    warnings
}

/// A class on a split.
#[derive(Default)]
struct Counts {
    examples: usize,
    mistakes: usize,
    twice: usize,
    twice_wrong: usize,
}

fn counts(data: Usable<'_>, pairs: &[Pair]) -> BTreeMap<(usize, Split), Counts> {
    let mut counts: BTreeMap<(usize, Split), Counts> = BTreeMap::new();
    for split in [Split::Val, Split::Test] {
        for (_, e) in data.of_split(split) {
            let of = counts.entry((e.label, split)).or_default();
            of.examples += 1;
            of.mistakes += usize::from(e.prediction.is_some_and(|p| p != e.label));
        }
    }
    for pair in pairs {
        let e = data.example(pair.later);
        let of = counts.entry((e.label, e.split)).or_default();
        of.twice += 1;
        of.twice_wrong += usize::from(e.prediction.is_some_and(|p| p != e.label));
    }
    counts
}
