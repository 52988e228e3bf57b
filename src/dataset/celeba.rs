//! CelebA as its authors and torchvision lay it out: `list_attr_celeba.txt`, `list_eval_partition.txt`
//! and `img_align_celeba/`, together or in `Anno/`, `Eval/` and `Img/`, perhaps in a folder `celeba/`; and as
//! Kaggle packs it: the two lists as `.csv`, the images in `img_align_celeba/img_align_celeba/`.
//!
//! One attribute is the label: class 0 is without it, class 1 with it. Another may be the group.
//! Partitions 0, 1, 2 are train, val, test.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::published::{absent_present, first_of, inner};
use super::records::{Location, extension};
use super::{Dataset, DatasetError, Example, Layout, LayoutOptions, Remarks, Split, checks};
use crate::io;

const LAYOUT: Layout = Layout::CelebA;

/// Where the list of attributes may lie.
const ATTRIBUTES: [&str; 3] = [
    "list_attr_celeba.txt",
    "Anno/list_attr_celeba.txt",
    "list_attr_celeba.csv",
];

/// Where the list of partitions may lie.
const PARTITIONS: [&str; 4] = [
    "list_eval_partition.txt",
    "Eval/list_eval_partition.txt",
    "Anno/list_eval_partition.txt",
    "list_eval_partition.csv",
];

/// Where the images may lie.
const IMAGES: [&str; 3] = [
    // The folder that Kaggle doubles holds nothing but this one.
    "img_align_celeba/img_align_celeba",
    "img_align_celeba",
    "Img/img_align_celeba",
];

/// Reads CelebA; the images themselves are not looked at.
pub(super) fn read(
    root: &Path,
    options: &LayoutOptions,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    let is_there = |root: &Path| ATTRIBUTES.iter().any(|name| root.join(name).exists());
    let root: PathBuf = inner(root, "celeba", is_there);
    let root = root.as_path();
    let file = first_of(root, LAYOUT, &ATTRIBUTES)?;
    let splits = splits(&first_of(root, LAYOUT, &PARTITIONS)?)?;
    let folder = first_of(root, LAYOUT, &IMAGES)?;
    let folder = folder.strip_prefix(root).unwrap_or(&folder);
    let folder = folder.to_string_lossy().replace('\\', "/");

    let list = Attributes::read(&file)?;
    let names = &list.names;
    let label = options.label(LAYOUT, names)?;
    let group = options.group(LAYOUT, names)?;
    let groups = group.map(|index| absent_present(&names[index]));
    let classes = options.classes(LAYOUT, absent_present(&names[label]).to_vec(), remarks)?;

    let mut examples = Vec::with_capacity(splits.len());
    let mut places = Vec::with_capacity(splits.len());
    for (text, line) in list.lines() {
        let row = Row::parse(text, names, Location { path: &file, line })?;
        let split = row.split(&splits)?;
        checks::path(row.image, || row.place.to_string())?;
        let path = format!("{folder}/{}", row.image);
        let label = classes.place[usize::from(row.has(label)?)];
        let mut example = Example::new(path, label, split);
        row.image.clone_into(&mut example.id);
        if let (Some(index), Some(groups)) = (group, &groups) {
            example.group = Some(groups[usize::from(row.has(index)?)].clone());
        }
        examples.push(example);
        places.push(line);
    }
    let at = |line| Location { path: &file, line };
    if list.count.is_some_and(|count| examples.len() != count) {
        let listed = examples.len();
        let expected = format!("as many images as the list has, {listed}: was the file cut off?");
        return Err(bad_line(at(1), expected));
    }
    let dataset = Dataset {
        root: root.to_owned(),
        classes: classes.classes,
        examples,
    };
    checks::check(&dataset, |index| at(places[index]).to_string())?;
    Ok(dataset)
}

/// The list of attributes.
struct Attributes {
    text: String,
    names: Vec<String>,
    /// How many images it announces.
    count: Option<usize>,
    /// How many lines stand before the images.
    head: usize,
}

impl Attributes {
    fn read(path: &Path) -> Result<Self, DatasetError> {
        let text = io::read_to_string(path)?;
        let at = Location { path, line: 1 };
        let mut lines = text.lines();
        let mut first = lines.next().unwrap_or_default();
        let (mut count, mut head) = (None, 1);
        let is_csv = extension(path) == "csv";
        if !is_csv {
            let number = first.trim().parse().ok();
            count = Some(number.ok_or_else(|| bad_line(at, "the number of images"))?);
            first = lines.next().unwrap_or_default();
            head = 2;
        }
        let mut names: Vec<String> = cells(first).map(str::to_owned).collect();
        if is_csv {
            if names.first().is_none_or(|name| name != "image_id") {
                return Err(bad_line(at, "image_id and the names of the attributes"));
            }
            names.remove(0);
        }
        Ok(Self {
            text,
            names,
            count,
            head,
        })
    }

    /// The lines of the images, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (&str, usize)> {
        let lines = self.text.lines().zip(1..).skip(self.head);
        lines.filter(|(text, _)| !text.trim().is_empty())
    }
}

/// The cells of a line, between blanks or commas.
fn cells(text: &str) -> impl Iterator<Item = &str> {
    let cells = text.split(|c: char| c.is_whitespace() || c == ',');
    cells.filter(|cell| !cell.is_empty())
}

/// A line of the list of attributes.
struct Row<'a> {
    place: Location<'a>,
    image: &'a str,
    /// Names of the attributes.
    names: &'a [String],
    /// The image's, in the same order.
    values: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn parse(
        text: &'a str,
        names: &'a [String],
        place: Location<'a>,
    ) -> Result<Self, DatasetError> {
        let mut cells = cells(text);
        let image = cells.next().unwrap_or_default();
        let values: Vec<&str> = cells.collect();
        if values.len() != names.len() {
            let expected = format!("a file name and {} attributes", names.len());
            return Err(bad_line(place, expected));
        }
        Ok(Self {
            place,
            image,
            names,
            values,
        })
    }

    /// Whether the image has an attribute.
    fn has(&self, index: usize) -> Result<bool, DatasetError> {
        match self.values[index] {
            "1" => Ok(true),
            "-1" => Ok(false),
            other => Err(DatasetError::BadCell {
                place: self.place.to_string(),
                column: self.names[index].clone(),
                value: other.to_owned(),
                expected: "1 or -1",
            }),
        }
    }

    fn split(&self, splits: &HashMap<String, Split>) -> Result<Split, DatasetError> {
        let split = splits.get(self.image).copied();
        split.ok_or_else(|| DatasetError::Disagreement {
            place: self.place.to_string(),
            name: self.image.to_owned(),
            reason: "is not in list_eval_partition.txt",
        })
    }
}

fn bad_line(place: Location<'_>, expected: impl Into<String>) -> DatasetError {
    DatasetError::BadLine {
        place: place.to_string(),
        expected: expected.into(),
    }
}

/// The split of every image by its name.
fn splits(path: &Path) -> Result<HashMap<String, Split>, DatasetError> {
    let mut splits = HashMap::new();
    for (text, line) in io::read_to_string(path)?.lines().zip(1..) {
        let mut cells = cells(text);
        let Some(image) = cells.next() else {
            continue;
        };
        if line == 1 && extension(path) == "csv" && image == "image_id" {
            continue;
        }
        let split = match (cells.next(), cells.next()) {
            (Some("0"), None) => Split::Train,
            (Some("1"), None) => Split::Val,
            (Some("2"), None) => Split::Test,
            _ => {
                let place = Location { path, line };
                return Err(bad_line(place, "a file name and 0, 1 or 2"));
            }
        };
        if splits.insert(image.to_owned(), split).is_some() {
            return Err(DatasetError::Disagreement {
                place: Location { path, line }.to_string(),
                name: image.to_owned(),
                reason: "is listed twice",
            });
        }
    }
    Ok(splits)
}

#[cfg(test)]
mod tests;
