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
mod tests {
    use std::fs;

    use super::*;

    /// A copy with three images; `nested` as the authors' download is.
    fn copy(nested: bool) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folders = if nested {
            ["Anno", "Eval", "Img"]
        } else {
            ["", "", ""]
        };
        let [anno, eval, img] = folders.map(|name| root.path().join(name));
        fs::create_dir_all(img.join("img_align_celeba")).unwrap();
        for folder in [&anno, &eval] {
            fs::create_dir_all(folder).unwrap();
        }
        let attributes = "3\nBlond_Hair Male Smiling \n\
                          000001.jpg -1  1  1\n000002.jpg  1 -1 -1\n000003.jpg  1  1 -1\n";
        fs::write(anno.join("list_attr_celeba.txt"), attributes).unwrap();
        let partition = "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n";
        fs::write(eval.join("list_eval_partition.txt"), partition).unwrap();
        root
    }

    fn options(label: &str, group: &str) -> LayoutOptions {
        LayoutOptions {
            label: Some(label.to_owned()),
            group: Some(group.to_owned()),
            ..LayoutOptions::default()
        }
    }

    #[test]
    fn an_attribute_is_the_label_and_another_the_group() {
        for (nested, path) in [
            (false, "img_align_celeba/000001.jpg"),
            (true, "Img/img_align_celeba/000001.jpg"),
        ] {
            let root = copy(nested);
            let data = read(
                root.path(),
                &options("Blond_Hair", "Male"),
                &mut Remarks::default(),
            )
            .unwrap();
            assert_eq!(data.classes, ["no Blond Hair", "Blond Hair"]);
            let rows: Vec<_> = data
                .examples
                .iter()
                .map(|e| (e.id.as_str(), e.label, e.split, e.group.as_deref().unwrap()))
                .collect();
            assert_eq!(
                rows,
                [
                    ("000001.jpg", 0, Split::Train, "Male"),
                    ("000002.jpg", 1, Split::Val, "no Male"),
                    ("000003.jpg", 1, Split::Test, "Male"),
                ]
            );
            assert_eq!(data.examples[0].path, path);
        }
    }

    #[test]
    fn classes_may_be_named_and_choices_must_be_there() {
        let root = copy(false);
        let mut options = options("Male", "Smiling");
        options.classes = Some(["woman", "man"].map(str::to_owned).to_vec());
        let data = read(root.path(), &options, &mut Remarks::default()).unwrap();
        assert_eq!(data.classes, ["woman", "man"]);
        options.classes = Some(vec!["man".to_owned()]);
        let error = read(root.path(), &options, &mut Remarks::default()).unwrap_err();
        assert!(matches!(
            error,
            DatasetError::ClassCount {
                found: 1,
                expected: 2,
                ..
            }
        ));
        options.group = Some("Tall".to_owned());
        let error = read(root.path(), &options, &mut Remarks::default()).unwrap_err();
        assert!(
            matches!(&error, DatasetError::UnknownChoice { option: "group", known, .. } if known.len() == 3),
            "{error:?}"
        );
        options.label = None;
        let error = read(root.path(), &options, &mut Remarks::default()).unwrap_err();
        assert!(
            error.to_string().contains("Blond_Hair, Male, Smiling"),
            "{error}"
        );
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a line a fault")]
    fn faults_name_the_line() {
        let options = options("Male", "Smiling");
        let faulty = |name: &str, from: &str, to: &str| {
            let root = copy(false);
            let path = root.path().join(name);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            fs::write(&path, text.replacen(from, to, 1)).unwrap();
            read(root.path(), &options, &mut Remarks::default())
                .unwrap_err()
                .to_string()
        };
        for (name, from, to, words) in [
            (
                "list_attr_celeba.txt",
                "1 -1 -1",
                "1 0 -1",
                "line 4, column \"Male\": \"0\" is not 1 or -1",
            ),
            (
                "list_attr_celeba.txt",
                "1 -1 -1",
                "1 -1",
                "line 4: expected a file name and 3 attributes",
            ),
            (
                "list_attr_celeba.txt",
                "3\n",
                "4\n",
                "line 1: expected as many images as the list has, 3",
            ),
            (
                "list_attr_celeba.txt",
                "3\n",
                "three\n",
                "line 1: expected the number of images",
            ),
            (
                "list_attr_celeba.txt",
                "000002.jpg",
                "9.jpg",
                "line 4: \"9.jpg\" is not in list_eval_partition.txt",
            ),
            (
                "list_eval_partition.txt",
                "jpg 1",
                "jpg 3",
                "line 2: expected a file name and 0, 1 or 2",
            ),
            (
                "list_eval_partition.txt",
                "000002",
                "000001",
                "line 2: \"000001.jpg\" is listed twice",
            ),
        ] {
            let text = faulty(name, from, to);
            assert!(text.contains(words) && text.contains(name), "{text}");
        }
        let root = copy(false);
        fs::remove_file(root.path().join("list_eval_partition.txt")).unwrap();
        let error = read(root.path(), &options, &mut Remarks::default()).unwrap_err();
        assert!(
            matches!(error, DatasetError::MissingFile { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn kaggles_archive_is_read_as_the_authors_is() {
        let (own, kaggle) = (copy(false), tempfile::tempdir().unwrap());
        // As torchvision has it, in a folder of its own.
        let folder = kaggle.path().join("celeba");
        fs::create_dir_all(folder.join("img_align_celeba/img_align_celeba")).unwrap();
        let attributes = "image_id,Blond_Hair,Male,Smiling\r\n000001.jpg,-1,1,1\r\n\
                          000002.jpg,1,-1,-1\r\n000003.jpg,1,1,-1\r\n";
        fs::write(folder.join("list_attr_celeba.csv"), attributes).unwrap();
        let partition = "image_id,partition\n000001.jpg,0\n000002.jpg,1\n000003.jpg,2\n";
        fs::write(folder.join("list_eval_partition.csv"), partition).unwrap();
        let options = options("Blond_Hair", "Male");
        let read = |root: &tempfile::TempDir| {
            read(root.path(), &options, &mut Remarks::default()).unwrap()
        };
        let (own, kaggle) = (read(&own), read(&kaggle));
        let rows = |data: &Dataset| -> Vec<_> {
            let rows = data.examples.iter();
            rows.map(|e| (e.id.clone(), e.label, e.split, e.group.clone()))
                .collect()
        };
        assert_eq!(
            (rows(&own), own.classes),
            (rows(&kaggle), kaggle.classes.clone())
        );
        assert_eq!(
            kaggle.examples[0].path,
            "img_align_celeba/img_align_celeba/000001.jpg"
        );
        let shown = attributes.replace("image_id", "id");
        fs::write(folder.join("list_attr_celeba.csv"), shown).unwrap();
        let error = super::read(&folder, &options, &mut Remarks::default()).unwrap_err();
        assert!(
            error.to_string().contains("line 1: expected image_id"),
            "{error}"
        );
    }

    #[test]
    fn the_classes_may_stand_in_the_classifiers_order() {
        let root = copy(false);
        let mut options = options("Blond_Hair", "Male");
        options.classes = Some(["Blond Hair", "no Blond Hair"].map(str::to_owned).to_vec());
        let data = read(root.path(), &options, &mut Remarks::default()).unwrap();
        let labels: Vec<usize> = data.examples.iter().map(|e| e.label).collect();
        assert_eq!(
            (data.classes[0].as_str(), labels),
            ("Blond Hair", vec![1, 0, 0])
        );
    }

    #[test]
    fn an_image_outside_the_folder_is_refused() {
        let root = copy(false);
        for name in ["list_attr_celeba.txt", "list_eval_partition.txt"] {
            let path = root.path().join(name);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("000002", "../000002")).unwrap();
        }
        let error = read(
            root.path(),
            &options("Male", "Smiling"),
            &mut Remarks::default(),
        )
        .unwrap_err();
        assert!(
            matches!(&error, DatasetError::BadPath { place, .. } if place.ends_with("line 4")),
            "{error:?}"
        );
    }
}
