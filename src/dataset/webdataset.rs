//! WebDataset: `.tar` shards in which the files of a sample share a key and follow each other.
//!
//! The key is a member's path up to the first dot of its base name, and what follows says what the
//! file is: an image (`jpg`, `png`, `webp`, …), `cls` (the label as text) or `json` (an object with
//! the label under `label`, or the name that was chosen, and the group). A `cls` counts before an
//! unchosen `label`. Other members are passed over, as are names that begin with two underscores.
//!
//! A shard's split is the first word of its path below the root that names one
//! (`train-000017.tar`, `val/000003.tar`). An image's id is its shard and key: `train-000017.tar/0042`.

mod shard;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(super) use self::shard::images;

use self::shard::{Label, Sample};
use super::folder::folders;
use super::outputs::Classes;
use super::records::Location;
use super::table::in_order;
use super::{Dataset, DatasetError, Example, LayoutOptions, checks};

/// Reads the shards of a folder and of the folders in it, in order of their paths.
pub(super) fn read(root: &Path, options: &LayoutOptions) -> Result<Dataset, DatasetError> {
    let mut samples = Vec::new();
    for shard in shards(root)? {
        shard::read(root, &shard, options, &mut samples)?;
    }
    let (mut examples, labels) = unclassed(root, &mut samples)?;
    if examples.is_empty() {
        return Err(DatasetError::NoExamples {
            path: root.to_owned(),
        });
    }
    let classes = options.classes.clone().unwrap_or_else(|| {
        let texts: BTreeSet<&str> = labels.iter().map(|label| label.text.as_str()).collect();
        in_order(texts)
    });
    checks::class_names(&classes)?;
    let index = Classes::new(&classes);
    for ((example, label), sample) in examples.iter_mut().zip(&labels).zip(&samples) {
        // A number counts the class names that were given.
        let number = label.text.parse().ok();
        let number = number.filter(|_| label.number && options.classes.is_some());
        let path = root.join(&sample.shard);
        let (path, line) = (path.as_path(), sample.at);
        example.label = match number {
            Some(number) => number,
            None => index.index(&label.text, "label", Location { path, line })?,
        };
    }
    let dataset = Dataset {
        root: root.to_owned(),
        classes,
        examples,
    };
    checks::check(&dataset, |index| samples[index].place(root))?;
    Ok(dataset)
}

/// An example and a label for each sample. The class of an example is known when all labels are: 0 so far.
fn unclassed(
    root: &Path,
    samples: &mut [Sample],
) -> Result<(Vec<Example>, Vec<Label>), DatasetError> {
    let first = samples.first();
    let first = first.map_or_else(String::new, |first| first.place(root));
    let mut labels: Vec<Label> = Vec::with_capacity(samples.len());
    let mut examples = Vec::with_capacity(samples.len());
    for sample in samples {
        let image = sample.image.take();
        let label = sample.cls.take().or(sample.named.take());
        let lacks = |reason| DatasetError::Disagreement {
            place: sample.place(root),
            name: sample.key.clone(),
            reason,
        };
        let image = image.ok_or_else(|| lacks("has no image"))?;
        let label = label.ok_or_else(|| lacks("has no label, neither cls nor in json"))?;
        if labels
            .first()
            .is_some_and(|first| first.number != label.number)
        {
            return Err(DatasetError::MixedTypes {
                place: sample.place(root),
                column: "label",
                number: label.number,
                first,
            });
        }
        labels.push(label);
        let mut example = Example::new(sample.shard.clone(), 0, sample.split);
        example.id = format!("{}/{}", sample.shard, sample.key);
        example.group.clone_from(&sample.group);
        example.member = Some(image);
        examples.push(example);
    }
    Ok((examples, labels))
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
                    .is_some_and(|text| text == "tar")
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
