//! WebDataset: `.tar` shards in which the files of a sample share a key and follow each other.
//!
//! The key is a member's path up to the first dot of its base name, and what follows says what the
//! file is: an image (`jpg`, `png`, `webp`, …), `cls` (the label as text) or `json` (an object with
//! the label under `label`, or the name that was chosen, and the group). A `cls` counts before an
//! unchosen `label`. Other members are passed over, as are names that begin with two underscores.
//!
//! Members whose base name begins with a dot are passed over too: macOS puts `._0042.png` beside `0042.png`. Where
//! a sample has no member `0042.png`, one like `0042.input.png` is its image, if it is the only one. A label of -1,
//! none, or one that pandas takes for none is passed over.
//!
//! A shard's split is what its name says, else its folder's (`train-000017.tar`, `val/000003.tar`). An image's id is
//! its shard and key: `train-000017.tar/0042`.

mod shard;

use std::fs;
use std::path::Path;

pub(super) use self::shard::images;

use self::shard::Sample;
use super::classes::Classes;
use super::folder::{folders, list_of_names};
use super::labels::Labels;
use super::missing::Missing;
use super::records::Location;
use super::{Dataset, DatasetError, Example, LayoutOptions, Remarks, checks};

/// Reads the shards of a folder and of the folders in it, in order of their paths.
pub(super) fn read(
    root: &Path,
    options: &LayoutOptions,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    let mut samples = Vec::new();
    let shards = shards(root)?;
    for shard in &shards {
        shard::read(root, shard, options, &mut samples)?;
    }
    if shards.is_empty() {
        return Err(nothing(root));
    }
    let mut found = unclassed(root, &mut samples, options)?;
    found.missing.say("label", remarks);
    if found.examples.is_empty() {
        return Err(DatasetError::NoExamples {
            path: root.to_owned(),
        });
    }
    let classes = found.labels.found(options.classes.as_deref());
    checks::class_names(&classes.classes)?;
    let index = Classes::new(&classes.classes);
    if classes.by_index {
        let order = index.order();
        remarks.take(format!(
            "labels are indices in the order of data.classes: {order}"
        ));
    }
    for (example, at) in found.examples.iter_mut().zip(&found.samples) {
        let text = example.label;
        let (path, line) = (root.join(&samples[*at].shard), samples[*at].at);
        example.label = classes.of_text[text].ok_or_else(|| {
            let text = &found.labels.texts()[text];
            index.unknown(text, "label", Location { path: &path, line })
        })?;
    }
    let dataset = Dataset {
        root: root.to_owned(),
        classes: classes.classes,
        examples: found.examples,
    };
    checks::check(&dataset, |index| samples[found.samples[index]].place(root))?;
    Ok(dataset)
}

/// The error for a folder without shards; shards that are packed are named.
fn nothing(root: &Path) -> DatasetError {
    let packed = |name: &&String| {
        let name = name.to_ascii_lowercase();
        let ends = [".gz", ".tgz", ".zst", ".bz2", ".xz", ".zip"];
        ends.iter().any(|end| name.ends_with(end))
    };
    let mut names = list_of_names(root);
    let inner = names.clone().into_iter();
    names.extend(inner.flat_map(|folder| list_of_names(&root.join(folder))));
    match names.iter().find(packed) {
        Some(name) => DatasetError::OtherForm {
            path: root.to_owned(),
            found: format!("packed files such as {name}"),
            remedy: "images are read where they lie in a .tar, so unpack the shards (gunzip *.tar.gz, tar stays)",
        },
        None => DatasetError::NoExamples {
            path: root.to_owned(),
        },
    }
}

/// Examples whose label counts the labels so far, and the number of each one's sample.
#[derive(Default)]
struct Unclassed {
    examples: Vec<Example>,
    samples: Vec<usize>,
    labels: Labels,
    missing: Missing,
}

fn unclassed(
    root: &Path,
    samples: &mut [Sample],
    options: &LayoutOptions,
) -> Result<Unclassed, DatasetError> {
    let mut found = Unclassed::default();
    let mut first: Option<(bool, String)> = None;
    for at in 0..samples.len() {
        let sample = &mut samples[at];
        let label = sample.cls.take().or(sample.named.take());
        let image = sample.the_image(root)?;
        let (Some(image), Some(label)) = (image, label) else {
            return Err(lacking(root, samples, at));
        };
        if Labels::is_missing(&label.text, options.classes.as_deref()) {
            found.missing.add(sample.place(root), &label.text);
            continue;
        }
        let (number, place) = first.get_or_insert_with(|| (label.number, sample.place(root)));
        if *number != label.number {
            return Err(DatasetError::MixedTypes {
                place: sample.place(root),
                column: "label",
                number: label.number,
                first: place.clone(),
            });
        }
        let text = found.labels.index(&label.text);
        let mut example = Example::new(sample.shard.clone(), text, sample.split);
        example.id = format!("{}/{}", sample.shard, sample.key);
        example.group.clone_from(&sample.group);
        example.member = Some(image);
        found.examples.push(example);
        found.samples.push(at);
    }
    Ok(found)
}

/// The error for a sample without an image or a label: what it has, and whether more of it follows elsewhere.
fn lacking(root: &Path, samples: &[Sample], at: usize) -> DatasetError {
    let sample = &samples[at];
    let lacks = if sample.has_image {
        "has no label, neither cls nor in json"
    } else {
        "has no image"
    };
    let mut others = samples.iter().enumerate();
    let again = others
        .find(|(other, one)| *other != at && one.shard == sample.shard && one.key == sample.key);
    let hint = match again {
        Some((_, other)) => format!(
            "more of it is at member {}: the files of a sample must follow each other (tar --sort=name)",
            other.at
        ),
        None => format!("its members end in {}", sample.kinds.join(", ")),
    };
    DatasetError::Incomplete {
        place: sample.place(root),
        name: sample.key.clone(),
        lacks,
        hint,
    }
}

/// The shards by their paths below the root, sorted.
fn shards(root: &Path) -> Result<Vec<String>, DatasetError> {
    let mut shards = Vec::new();
    let inner = folders(root)?.into_iter().map(|name| format!("{name}/"));
    for prefix in inner.chain([String::new()]) {
        let path = root.join(&prefix);
        let failed = |source| DatasetError::List {
            path: path.clone(),
            source,
        };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(DatasetError::NameNotUtf8 { path: entry.path() });
            };
            let hidden = name.starts_with('.');
            if !hidden
                && Path::new(&name)
                    .extension()
                    .is_some_and(|text| text.eq_ignore_ascii_case("tar"))
            {
                shards.push(format!("{prefix}{name}"));
            }
        }
    }
    shards.sort();
    Ok(shards)
}

#[cfg(test)]
mod tests;
