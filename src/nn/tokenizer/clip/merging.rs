//! Applies merges within a word.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Rank and result of every pair that merges.
pub(super) type Merges = HashMap<(u32, u32), (usize, u32)>;

/// Merges neighbours until no pair is left that merges: the lowest rank first, of equals the
/// leftmost. `O(n log n)`, so that a caption without spaces costs no more than one with them.
pub(super) fn merge_all(mut ids: Vec<u32>, merges: &Merges) -> Vec<u32> {
    let n = ids.len();
    // Neighbours of every symbol; `n` and beyond means none. A symbol that was merged into its
    // left neighbour is dead.
    let mut next: Vec<usize> = (1..=n).collect();
    let mut before: Vec<usize> = (0..n).map(|i| i.wrapping_sub(1)).collect();
    let mut alive = vec![true; n];
    // Rank, position, and the two ids at the time of pushing: an entry is stale when they changed.
    let mut heap = BinaryHeap::new();
    let push = |heap: &mut BinaryHeap<_>, ids: &[u32], left: usize, right: usize| {
        if let (Some(&a), Some(&b)) = (ids.get(left), ids.get(right))
            && let Some(&(rank, joined)) = merges.get(&(a, b))
        {
            heap.push(Reverse((rank, left, right, a, b, joined)));
        }
    };
    for i in 0..n {
        push(&mut heap, &ids, i, i + 1);
    }
    while let Some(Reverse((_, left, right, a, b, joined))) = heap.pop() {
        let current = alive[left] && alive[right] && next[left] == right;
        if !current || ids[left] != a || ids[right] != b {
            continue;
        }
        ids[left] = joined;
        alive[right] = false;
        next[left] = next[right];
        if let Some(after) = before.get_mut(next[left]) {
            *after = left;
        }
        push(&mut heap, &ids, before[left], left);
        push(&mut heap, &ids, left, next[left]);
    }
    ids.into_iter()
        .zip(alive)
        .filter_map(|(id, alive)| alive.then_some(id))
        .collect()
}
