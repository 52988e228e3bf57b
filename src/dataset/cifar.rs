//! CIFAR-10 and CIFAR-100, "binary version": records of a label (two in CIFAR-100, coarse and fine)
//! and 32 × 32 red, green and blue bytes.
//!
//! The last fifth of the training records is val; the authors have none.

use std::path::{Path, PathBuf};

use super::published::{first_of, inner};
use super::records::Location;
use super::{Dataset, DatasetError, Example, Layout, LayoutOptions, Remarks, Split, checks};
use crate::io;
use crate::io::source::Member;

/// Width and height, px.
const SIDE: u32 = 32;

/// Bytes of a record's image.
const PIXELS: usize = (3 * SIDE * SIDE) as usize;

/// One training record in so many is val.
const VAL_SHARE: usize = 5;

/// How one of the two data sets is laid out.
struct Variant {
    train: &'static [&'static str],
    test: &'static str,
    /// Names of the labels and the file of their class names, in the order of a record's bytes.
    labels: &'static [(&'static str, &'static str)],
}

const CIFAR10: Variant = Variant {
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    labels: &[("label", "batches.meta.txt")],
};

const CIFAR100: Variant = Variant {
    train: &["train.bin"],
    test: "test.bin",
    labels: &[
        ("coarse", "coarse_label_names.txt"),
        ("fine", "fine_label_names.txt"),
    ],
};

impl Variant {
    /// Bytes of a record.
    fn size(&self) -> usize {
        self.labels.len() + PIXELS
    }

    /// The image of a record; none if no file is that long.
    fn member(&self, row: u64) -> Option<Member> {
        let start = row.checked_mul(self.size() as u64)?;
        Some(Member::Record {
            row,
            offset: start.checked_add(self.labels.len() as u64)?,
            side: SIDE,
        })
    }
}

/// A record of a file, which is known by its name; none if it is no such file.
pub(super) fn record(file: &Path, row: u64) -> Option<Member> {
    let name = file.file_name()?.to_str()?;
    let has = |kind: &Variant| kind.train.contains(&name) || kind.test == name;
    [CIFAR10, CIFAR100].into_iter().find(has)?.member(row)
}

/// Reads CIFAR-10 or CIFAR-100.
pub(super) fn read(
    root: &Path,
    layout: Layout,
    options: &LayoutOptions,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    let kind = if layout == Layout::Cifar100 {
        CIFAR100
    } else {
        options.no_choice(layout)?;
        CIFAR10
    };
    let root = folder(root, layout, &kind)?;
    let root = root.as_path();
    let chosen = Chosen::read(root, layout, &kind, options)?;
    let classes = options.classes(layout, chosen.label.names.clone(), remarks)?;
    let mut examples = Vec::new();
    for file in kind.train.iter().chain([&kind.test]) {
        let split = if *file == kind.test {
            Split::Test
        } else {
            Split::Train
        };
        let path = first_of(root, layout, &[file])?;
        let bytes = io::read(&path)?;
        let size = kind.size();
        if !bytes.len().is_multiple_of(size) {
            return Err(DatasetError::BadLine {
                place: path.display().to_string(),
                expected: format!(
                    "records of {size} bytes, and {} is no multiple",
                    bytes.len()
                ),
            });
        }
        for (row, record) in bytes.chunks(size).enumerate() {
            let place = || format!("{}, record {row}", path.display());
            let label = classes.place[chosen.label.class(record, place)?];
            let mut example = Example::new((*file).to_owned(), label, split);
            example.id = format!("{file}/{row}");
            if let Some(group) = &chosen.group {
                example.group = Some(group.names[group.class(record, place)?].clone());
            }
            example.member = kind.member(row as u64);
            examples.push(example);
        }
    }
    let train = examples.iter().filter(|e| e.split == Split::Train).count();
    for example in &mut examples[train - train / VAL_SHARE..train] {
        example.split = Split::Val;
    }
    if examples.is_empty() {
        return Err(DatasetError::NoExamples {
            path: root.to_owned(),
        });
    }
    let dataset = Dataset {
        root: root.to_owned(),
        classes: classes.classes,
        examples,
    };
    checks::check(&dataset, |index| {
        dataset.image(&dataset.examples[index]).to_string()
    })?;
    Ok(dataset)
}

/// The folder of the files: the one that was given, or the authors' in it. Their Python version is refused by name.
fn folder(root: &Path, layout: Layout, kind: &Variant) -> Result<PathBuf, DatasetError> {
    let number = if layout == Layout::Cifar100 {
        "100"
    } else {
        "10"
    };
    let binary = if layout == Layout::Cifar100 {
        "cifar-100-binary"
    } else {
        "cifar-10-batches-bin"
    };
    let is_there = |root: &Path| root.join(kind.test).exists();
    let folder = inner(root, binary, is_there);
    // torchvision's, and what is in it.
    let python = if layout == Layout::Cifar100 {
        "cifar-100-python"
    } else {
        "cifar-10-batches-py"
    };
    let pickles = ["batches.meta", "meta"]
        .iter()
        .any(|name| root.join(name).exists());
    if !is_there(&folder) && (root.join(python).exists() || pickles) {
        return Err(DatasetError::Pickles {
            path: root.to_owned(),
            archive: format!("cifar-{number}-binary.tar.gz"),
        });
    }
    Ok(folder)
}

/// Which of a record's labels count.
struct Chosen {
    label: Label,
    group: Option<Label>,
}

/// One of a record's labels.
struct Label {
    /// Its byte in the record.
    index: usize,
    name: &'static str,
    /// Names of its classes.
    names: Vec<String>,
}

impl Chosen {
    fn read(
        root: &Path,
        layout: Layout,
        kind: &Variant,
        options: &LayoutOptions,
    ) -> Result<Self, DatasetError> {
        let known: Vec<String> = kind.labels.iter().map(|(name, _)| (*name).into()).collect();
        // The finest label unless another is asked for.
        let label = match options.label {
            None => kind.labels.len() - 1,
            Some(_) => options.label(layout, &known)?,
        };
        // Only what is coarser makes groups.
        let group = options.group(layout, &known[..label])?;
        let read = |index: usize| -> Result<Label, DatasetError> {
            let (name, file) = kind.labels[index];
            let names = names(root, layout, file)?;
            Ok(Label { index, name, names })
        };
        Ok(Self {
            label: read(label)?,
            group: group.map(read).transpose()?,
        })
    }
}

impl Label {
    /// The class that a record is of.
    fn class(&self, record: &[u8], place: impl Fn() -> String) -> Result<usize, DatasetError> {
        let class = usize::from(record[self.index]);
        if class < self.names.len() {
            return Ok(class);
        }
        Err(DatasetError::ClassOutOfRange {
            place: place(),
            what: self.name,
            index: class,
            classes: self.names.len(),
        })
    }
}

/// The class names of a file, one a line.
fn names(root: &Path, layout: Layout, file: &str) -> Result<Vec<String>, DatasetError> {
    let path = first_of(root, layout, &[file])?;
    let text = io::read_to_string(&path)?;
    let names: Vec<String> = text
        .trim_end()
        .lines()
        .map(|name| name.trim().replace('_', " "))
        .collect();
    match names.iter().position(String::is_empty) {
        None => Ok(names),
        Some(index) => Err(DatasetError::BadLine {
            place: Location {
                path: &path,
                line: index + 1,
            }
            .to_string(),
            expected: "the name of a class".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::io::image::Exif;

    /// Records with these labels; every red byte is the record's number, green 100, blue 200.
    fn records(labels: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, labels) in (0_u8..).zip(labels) {
            bytes.extend_from_slice(labels);
            for value in [number, 100, 200] {
                bytes.extend([value; PIXELS / 3]);
            }
        }
        bytes
    }

    fn cifar10() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("batches.meta.txt"), "airplane\ncat\n\n").unwrap();
        for file in CIFAR10.train {
            fs::write(root.path().join(file), records(&[&[0], &[1]])).unwrap();
        }
        fs::write(root.path().join(CIFAR10.test), records(&[&[1], &[0], &[1]])).unwrap();
        root
    }

    #[test]
    fn records_of_cifar10_are_images() {
        let root = cifar10();
        let options = LayoutOptions::default();
        let data = read(
            root.path(),
            Layout::Cifar10,
            &options,
            &mut Remarks::default(),
        )
        .unwrap();
        assert_eq!(data.classes, ["airplane", "cat"]);
        let count = |split| data.of_split(split).count();
        assert_eq!(
            [Split::Train, Split::Val, Split::Test].map(count),
            [8, 2, 3]
        );
        let last = data.examples.last().unwrap();
        assert_eq!((last.id.as_str(), last.label), ("test_batch.bin/2", 1));
        assert_eq!(data.examples[8].id, "data_batch_5.bin/0");
        assert_eq!(data.examples[8].split, Split::Val);
        let image = data.image(last).rgb(Exif::Ignore).unwrap();
        assert_eq!(image.dimensions(), (32, 32));
        assert!(image.pixels().all(|pixel| pixel.0 == [2, 100, 200]));
    }

    #[test]
    fn cifar100_has_two_labels() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(root.path().join(name), bytes).unwrap();
        write("train.bin", &records(&[&[0, 1], &[1, 0]]));
        write("test.bin", &records(&[&[1, 2]]));
        write("coarse_label_names.txt", b"fish\naquatic_mammals\n");
        write("fine_label_names.txt", b"beaver\nray\nwhale\n");
        let options = |label: Option<&str>, group: Option<&str>| LayoutOptions {
            label: label.map(str::to_owned),
            group: group.map(str::to_owned),
            ..LayoutOptions::default()
        };
        let read = |options| {
            read(
                root.path(),
                Layout::Cifar100,
                &options,
                &mut Remarks::default(),
            )
        };
        let data = read(options(None, Some("coarse"))).unwrap();
        assert_eq!(data.classes, ["beaver", "ray", "whale"]);
        let last = data.examples.last().unwrap();
        assert_eq!(
            (last.label, last.group.as_deref()),
            (2, Some("aquatic mammals"))
        );
        let data = read(options(Some("coarse"), None)).unwrap();
        assert_eq!((data.classes.len(), data.examples[1].label), (2, 1));
        let error = read(options(Some("coarse"), Some("fine"))).unwrap_err();
        assert!(
            matches!(error, DatasetError::UnknownChoice { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn classes_in_another_order_and_the_folder_above() {
        let root = cifar10();
        let above = tempfile::tempdir().unwrap();
        let own = above.path().join("cifar-10-batches-bin");
        fs::create_dir(&own).unwrap();
        for entry in fs::read_dir(root.path()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, own.join(path.file_name().unwrap())).unwrap();
        }
        let read = |options: &LayoutOptions| {
            let mut remarks = Remarks::default();
            read(above.path(), Layout::Cifar10, options, &mut remarks).unwrap()
        };
        let data = read(&LayoutOptions::default());
        let mut turned = data.classes.clone();
        turned.reverse();
        let options = LayoutOptions {
            classes: Some(turned),
            ..LayoutOptions::default()
        };
        let other = read(&options);
        let name = |data: &Dataset, at: usize| data.classes[data.examples[at].label].clone();
        assert_eq!(name(&data, 0), name(&other, 0));
        assert_ne!(data.examples[0].label, other.examples[0].label);

        let python = tempfile::tempdir().unwrap();
        fs::create_dir(python.path().join("cifar-10-batches-py")).unwrap();
        let options = LayoutOptions::default();
        let error = super::read(
            python.path(),
            Layout::Cifar10,
            &options,
            &mut Remarks::default(),
        );
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("pickles") && text.contains("cifar-10-binary.tar.gz"),
            "{text}"
        );
    }

    #[test]
    fn faults_name_file_and_record() {
        let root = cifar10();
        let read = || {
            read(
                root.path(),
                Layout::Cifar10,
                &LayoutOptions::default(),
                &mut Remarks::default(),
            )
            .unwrap_err()
        };
        let path = root.path().join("data_batch_2.bin");
        fs::write(&path, records(&[&[0], &[7]])).unwrap();
        let text = read().to_string();
        assert!(
            text.contains("data_batch_2.bin, record 1: label 7 is beyond the 2"),
            "{text}"
        );
        fs::write(&path, [0; 5000]).unwrap();
        let text = read().to_string();
        assert!(
            text.contains("data_batch_2.bin: expected records of 3073 bytes"),
            "{text}"
        );
        fs::remove_file(&path).unwrap();
        assert!(matches!(read(), DatasetError::MissingFile { .. }));
    }
}
