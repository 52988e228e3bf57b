//! Is val mixed like a skewed train?

use std::collections::BTreeMap;

use crate::dataset::{Split, Usable};
use crate::direction::doubt::mix::{Mix, RARE_CLASS, RARE_GROUP, skewed_alike};
use crate::direction::doubt::{Warning, WarningKind};

/// Classes whose rare groups are as rare in val as in a skewed train.
pub(super) fn groups(data: Usable<'_>, then: &str) -> Vec<Warning> {
    let sizes = |split| {
        let mut sizes: BTreeMap<(usize, &str), usize> = BTreeMap::new();
        for (_, e) in data.of_split(split) {
            if let Some(group) = e.group.as_deref() {
                *sizes.entry((e.label, group)).or_default() += 1;
            }
        }
        sizes
    };
    let (train, val) = (sizes(Split::Train), sizes(Split::Val));
    let mut warnings = Vec::new();
    for (index, class) in data.classes().iter().enumerate() {
        let mut names: Vec<&str> = [&train, &val]
            .iter()
            .flat_map(|sizes| sizes.range((index, "")..(index + 1, "")))
            .map(|((_, group), _)| *group)
            .collect();
        names.sort_unstable();
        names.dedup();
        let size = |of: &BTreeMap<(usize, &str), usize>, name| {
            of.get(&(index, name)).copied().unwrap_or_default()
        };
        let total = |of| names.iter().map(|name| size(of, *name)).sum::<usize>();
        let (train_total, val_total) = (total(&train), total(&val));
        let even = 1.0 / names.len().max(2) as f64;
        for &name in &names {
            let mix = skewed_alike(
                [size(&train, name), train_total],
                [size(&val, name), val_total],
                even,
                RARE_GROUP,
            );
            let Some(mix) = mix else { continue };
            let text = format!(
                "class {class}: group {name} is rare in val ({:.1} %) as it is in train ({:.1} %): val \
                 is skewed as train is, and the direction may miss what fails; mix val evenly \
                 ({:.0} %): {then}",
                100.0 * mix.val,
                100.0 * mix.train,
                100.0 * mix.even
            );
            let warning = Warning::barring(WarningKind::SkewedGroups, class, text);
            warnings.push(figures(warning, mix).with("group", name));
        }
    }
    warnings
}

/// Classes that are as rare in val as in a strongly skewed train.
pub(super) fn classes(data: Usable<'_>, then: &str) -> Vec<Warning> {
    let count = |split| {
        let mut counts = vec![0; data.classes().len()];
        for (_, e) in data.of_split(split) {
            counts[e.label] += 1;
        }
        let all: usize = counts.iter().sum();
        (counts, all)
    };
    let ((train, train_all), (val, val_all)) = (count(Split::Train), count(Split::Val));
    let even = 1.0 / data.classes().len().max(1) as f64;
    let each = data.classes().iter().zip(train.into_iter().zip(val));
    each.filter_map(|(class, (train, val))| {
        let mix = skewed_alike([train, train_all], [val, val_all], even, RARE_CLASS)?;
        let text = format!(
            "class {class} is rare in val ({:.2} %) as it is in train ({:.2} %, an even share is {:.2} \
             %): val is skewed as train is; give it more val examples: {then}",
            100.0 * mix.val,
            100.0 * mix.train,
            100.0 * mix.even
        );
        let warning = Warning::barring(WarningKind::SkewedClass, class, text);
        Some(figures(warning, mix))
    })
    .collect()
}

fn figures(warning: Warning, mix: Mix) -> Warning {
    let Mix {
        train,
        val,
        val_high,
        even,
    } = mix;
    warning
        .with("train_share", train)
        .with("val_share", val)
        .with("val_share_high", val_high)
        .with("even_share", even)
}
