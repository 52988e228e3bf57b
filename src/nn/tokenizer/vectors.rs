//! Tokens that stand for several vectors, as a textual inversion adds them: `<cat>`, `<cat>_1`, `<cat>_2`.

use std::collections::BTreeMap;

use super::added::Added;

/// What follows the first token of every such group, by its id.
pub(super) fn of(added: &[Added]) -> BTreeMap<u32, Vec<u32>> {
    let ids: BTreeMap<&str, u32> = added.iter().map(|a| (a.content.as_str(), a.id)).collect();
    let rest = |content: &str| -> Vec<u32> {
        (1..)
            .map_while(|i| ids.get(format!("{content}_{i}").as_str()).copied())
            .collect()
    };
    let groups = ids.iter().map(|(content, id)| (*id, rest(content)));
    groups.filter(|(_, rest)| !rest.is_empty()).collect()
}

/// Every first token followed by the others of its group, unless the next one stands there already.
pub(super) fn spell_out(ids: Vec<u32>, vectors: &BTreeMap<u32, Vec<u32>>) -> Vec<u32> {
    if vectors.is_empty() {
        return ids;
    }
    let mut all = Vec::with_capacity(ids.len());
    for (at, id) in ids.iter().enumerate() {
        all.push(*id);
        if let Some(rest) = vectors.get(id)
            && ids.get(at + 1) != rest.first()
        {
            all.extend(rest);
        }
    }
    all
}
