//! Which groups are rare within their class.

use std::collections::BTreeMap;

use crate::dataset::{Split, Usable};

/// Whether an example's group is rare within its class in train, by [`crate::dataset::ExampleId`]; none
/// without groups.
pub(super) fn minorities(data: Usable<'_>) -> Option<Vec<bool>> {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (_, e) in data.of_split(Split::Train) {
        *counts.entry((e.label, e.group.as_deref()?)).or_default() += 1;
    }
    let rare = |label: usize, group: &str| {
        let of_class: Vec<usize> = counts
            .iter()
            .filter(|((l, _), _)| *l == label)
            .map(|(_, &n)| n)
            .collect();
        let total: usize = of_class.iter().sum();
        let own = counts.get(&(label, group)).copied().unwrap_or(0);
        // Rarer than half an even share.
        2 * own * of_class.len().max(2) < total
    };
    let mut flags = vec![false; data.dataset().len()];
    for (id, e) in data.iter() {
        flags[id.index()] = rare(e.label, e.group.as_deref()?);
    }
    flags.contains(&true).then_some(flags)
}
