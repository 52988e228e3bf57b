//! Interventions without new images: the hardest originals weigh more, the easiest are left out.
//!
//! ```text
//! originals of a class, by falling alignment:  1 … K weigh W │ … N weigh 1 │ the rest weigh 0
//! ```
//!
//! Alignment is that of the class's hardest failure mode. Only originals of the training split in
//! classes with a usable direction are touched, and theirs always as a whole: what an earlier
//! intervention did to a row is undone.
//!
//! Source: the upweighting and filtering interventions of Jain et al. 2023 (arXiv 2206.14754).

use std::collections::BTreeMap;

use super::{ManifestError, Row, Source};
use crate::dataset::Split;

/// What to do with the originals of a class.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weighing {
    /// How many of the most aligned get which weight.
    pub upweight: Option<(usize, f64)>,
    /// How many of the most aligned stay.
    pub subset: Option<usize>,
}

/// The hardest failure mode of an original, and its alignment with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aligned {
    /// The mode.
    pub mode: u32,
    /// Larger is harder.
    pub alignment: f64,
}

/// What was done to a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// The class.
    pub class: String,
    /// Its originals.
    pub originals: usize,
    /// Those with the new weight.
    pub upweighted: usize,
    /// Those that weigh 0 now.
    pub left_out: usize,
}

/// Sets the weights of originals, and notes their mode and alignment.
///
/// `alignments` holds the originals of every class in `classes` by id. Equal alignments keep the
/// order of rows. Gives what was done, by label.
///
/// # Errors
///
/// [`ManifestError::NotEmbedded`] at the first original of such a class without alignment; no row was
/// changed.
pub fn weigh(
    rows: &mut [Row],
    classes: &[usize],
    alignments: &BTreeMap<String, Aligned>,
    how: Weighing,
) -> Result<Vec<Weighed>, ManifestError> {
    let mut by_class: BTreeMap<usize, Vec<(usize, Aligned)>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        if row.source != Source::Original
            || row.split != Split::Train
            || !classes.contains(&row.label)
        {
            continue;
        }
        let Some(&aligned) = alignments.get(&row.id) else {
            let id = row.id.clone();
            return Err(ManifestError::NotEmbedded { row: at + 1, id });
        };
        by_class.entry(row.label).or_default().push((at, aligned));
    }
    let mut done = Vec::new();
    for ranked in by_class.values_mut() {
        ranked.sort_by(|a, b| {
            let harder_first = b.1.alignment.total_cmp(&a.1.alignment);
            harder_first.then(a.0.cmp(&b.0))
        });
        let originals = ranked.len();
        let kept = how.subset.unwrap_or(originals).min(originals);
        let (heavy, weight) = how.upweight.unwrap_or((0, 1.0));
        let upweighted = heavy.min(kept);
        for (rank, &(at, aligned)) in ranked.iter().enumerate() {
            let row = &mut rows[at];
            row.mode = Some(aligned.mode);
            row.alignment = Some(aligned.alignment);
            row.weight = match rank {
                rank if rank < upweighted => weight,
                rank if rank < kept => 1.0,
                _ => 0.0,
            };
        }
        done.push(Weighed {
            class: rows[ranked[0].0].class.clone(),
            originals,
            upweighted,
            left_out: originals - kept,
        });
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::{original, synthetic};
    use super::*;

    /// Originals of `cat` with these alignments, one of another class, a generated one.
    fn rows(alignments: &[f64]) -> (Vec<Row>, BTreeMap<String, Aligned>) {
        let mut known = BTreeMap::new();
        let mut rows = Vec::new();
        for (i, &alignment) in alignments.iter().enumerate() {
            let id = i.to_string();
            known.insert(id.clone(), Aligned { mode: 0, alignment });
            rows.push(Row {
                id,
                source: Source::Original,
                ..original()
            });
        }
        rows.push(Row {
            id: "dog".to_owned(),
            label: 2,
            class: "dog".to_owned(),
            source: Source::Original,
            weight: 0.25,
            ..original()
        });
        rows.push(synthetic(1));
        (rows, known)
    }

    fn weights(rows: &[Row]) -> Vec<f64> {
        rows.iter().map(|row| row.weight).collect()
    }

    #[test]
    fn the_hardest_weigh_more_and_the_easiest_nothing() {
        let (mut rows, known) = rows(&[0.5, -1.0, 2.0, 0.5, 1.0]);
        let how = Weighing {
            upweight: Some((2, 3.0)),
            subset: Some(4),
        };
        let done = weigh(&mut rows, &[1], &known, how).unwrap();
        assert_eq!(weights(&rows), [1.0, 0.0, 3.0, 1.0, 3.0, 0.25, 1.0]);
        let expected = Weighed {
            class: "cat".to_owned(),
            originals: 5,
            upweighted: 2,
            left_out: 1,
        };
        assert_eq!(done, [expected]);
        assert_eq!(rows[1].alignment, Some(-1.0));
        assert_eq!(rows[1].mode, Some(0));
        assert_eq!(rows[5].alignment, None);
        // Of equals the first row is the harder.
        let half = Weighing {
            subset: Some(3),
            ..Weighing::default()
        };
        weigh(&mut rows, &[1], &known, half).unwrap();
        assert_eq!(weights(&rows), [1.0, 0.0, 1.0, 0.0, 1.0, 0.25, 1.0]);
        // What was done before is undone; more than there are is all.
        let all = Weighing {
            upweight: Some((99, 2.0)),
            subset: Some(99),
        };
        weigh(&mut rows, &[1], &known, all).unwrap();
        assert_eq!(weights(&rows), [2.0, 2.0, 2.0, 2.0, 2.0, 0.25, 1.0]);
    }

    #[test]
    fn an_original_without_alignment_changes_nothing() {
        let (mut rows, mut known) = rows(&[0.5, -1.0]);
        known.remove("1");
        let before = rows.clone();
        let how = Weighing {
            subset: Some(1),
            ..Weighing::default()
        };
        let error = weigh(&mut rows, &[1], &known, how).unwrap_err();
        assert!(
            matches!(error, ManifestError::NotEmbedded { row: 2, .. }),
            "{error:?}"
        );
        assert_eq!(rows, before);
    }
}
