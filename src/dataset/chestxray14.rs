//! ChestX-ray14 as the NIH publishes it: `Data_Entry_2017.csv`, `train_val_list.txt`,
//! `test_list.txt`, and the images in `images*/` or `images*/images/`.
//!
//! One finding is the label: class 0 is without it, class 1 with it. The publishers do not say which
//! images are for validation: those of `val_list.txt` where there is one, else the patients of
//! `train_val_list.txt` whose number is divisible by [`VAL_EVERY`], so that no patient is in two
//! splits.

use std::collections::HashMap;
use std::path::Path;

use super::folder::folders;
use super::published::{absent_present, first_of};
use super::records::{self, Location, Row};
use super::{
    Dataset, DatasetError, Example, Layout, LayoutOptions, Passed, Remarks, Split, checks,
    images_below,
};
use crate::io;

const LAYOUT: Layout = Layout::ChestXray14;

/// One patient in so many of `train_val_list.txt` is for validation: a tenth of all images.
const VAL_EVERY: u64 = 8;

const FINDINGS: [&str; 14] = [
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
];

/// Columns whose cells may be the group as they are.
const COLUMNS: [&str; 2] = ["Patient Gender", "View Position"];

/// What the finding column holds where there is none.
const NONE: &str = "No Finding";

/// Reads ChestX-ray14; every image of the table must lie in an image folder.
pub(super) fn read(
    root: &Path,
    options: &LayoutOptions,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    let findings = FINDINGS.map(str::to_owned).to_vec();
    let label = FINDINGS[options.label(LAYOUT, &findings)?];
    let choices = [&FINDINGS[..], &COLUMNS].concat();
    let names: Vec<String> = choices.iter().map(|&name| name.to_owned()).collect();
    let group = options.group(LAYOUT, &names)?.map(|index| choices[index]);
    let names = ["Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv"];
    let table = first_of(root, LAYOUT, &names)?;
    let splits = Splits::read(root)?;
    let images = images(root, &mut remarks.passed)?;
    let classes = options.classes(LAYOUT, absent_present(label).to_vec(), remarks)?;

    let mut examples = Vec::new();
    let mut lines = Vec::new();
    records::for_each(&table, &mut |row| {
        let name = row.required("Image Index")?;
        let disagreement = |reason| DatasetError::Disagreement {
            place: row.place.to_string(),
            name: name.clone(),
            reason,
        };
        let path = images.get(&name).ok_or_else(|| {
            disagreement("is in no folder images*: fetch its archive or remove the row")
        })?;
        let found = found(row)?;
        let has = |finding: &str| found.iter().any(|name| name == finding);
        let split = splits
            .of(&name, row)?
            .ok_or_else(|| disagreement("is neither in train_val_list.txt nor in test_list.txt"))?;
        let class = classes.place[usize::from(has(label))];
        let mut example = Example::new(path.clone(), class, split);
        example.group = match group {
            Some(column) if COLUMNS.contains(&column) => Some(row.required(column)?),
            Some(finding) => Some(absent_present(finding)[usize::from(has(finding))].clone()),
            None => None,
        };
        example.id = name;
        examples.push(example);
        lines.push(row.place.line);
        Ok(())
    })?;
    if examples.is_empty() {
        return Err(DatasetError::NoExamples { path: table });
    }
    let dataset = Dataset {
        root: root.to_owned(),
        classes: classes.classes,
        examples,
    };
    let path = &table;
    checks::check(&dataset, |index| {
        let line = lines[index];
        Location { path, line }.to_string()
    })?;
    Ok(dataset)
}

/// The findings of a row.
fn found(row: &Row<'_>) -> Result<Vec<String>, DatasetError> {
    const COLUMN: &str = "Finding Labels";
    let text = row.required(COLUMN)?;
    let names: Vec<String> = text.split('|').map(|name| name.trim().to_owned()).collect();
    let known = |name: &String| name == NONE || FINDINGS.contains(&name.as_str());
    match names.iter().find(|name| !known(name)) {
        None => Ok(names),
        Some(name) => Err(DatasetError::BadCell {
            place: row.place.to_string(),
            column: COLUMN.to_owned(),
            value: name.clone(),
            expected: "one of the 14 findings or No Finding",
        }),
    }
}

/// The path of every image below the root, by its name.
fn images(root: &Path, passed: &mut Vec<Passed>) -> Result<HashMap<String, String>, DatasetError> {
    let mut images = HashMap::new();
    for folder in folders(root)? {
        if !folder.starts_with("images") {
            continue;
        }
        for path in images_below(&root.join(&folder), passed)? {
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            let path = format!("{folder}/{path}");
            if let Some(first) = images.insert(name.clone(), path) {
                return Err(DatasetError::Disagreement {
                    place: root.join(first).display().to_string(),
                    name,
                    reason: "is in another image folder too: keep one",
                });
            }
        }
    }
    Ok(images)
}

/// The split of every image by its name.
struct Splits {
    listed: HashMap<String, Split>,
    /// Whether a list says which images are for validation.
    val_listed: bool,
}

impl Splits {
    fn read(root: &Path) -> Result<Self, DatasetError> {
        let val = root.join("val_list.txt");
        let val_listed = val.exists();
        let mut listed = HashMap::new();
        let train = first_of(root, LAYOUT, &["train_val_list.txt"])?;
        let test = first_of(root, LAYOUT, &["test_list.txt"])?;
        list(&train, Split::Train, &mut listed)?;
        list(&test, Split::Test, &mut listed)?;
        if val_listed {
            list(&val, Split::Val, &mut listed)?;
        }
        Ok(Self { listed, val_listed })
    }

    fn of(&self, name: &str, row: &Row<'_>) -> Result<Option<Split>, DatasetError> {
        const COLUMN: &str = "Patient ID";
        let split = self.listed.get(name).copied();
        if self.val_listed || split != Some(Split::Train) {
            return Ok(split);
        }
        let text = row.required(COLUMN)?;
        let patient: Option<u64> = text.trim().parse().ok();
        let patient = patient.ok_or_else(|| DatasetError::BadCell {
            place: row.place.to_string(),
            column: COLUMN.to_owned(),
            value: text.clone(),
            expected: "a whole number",
        })?;
        let val = patient.is_multiple_of(VAL_EVERY);
        Ok(Some(if val { Split::Val } else { Split::Train }))
    }
}

/// Adds the images of a list, one a line; val takes images out of train.
fn list(
    path: &Path,
    split: Split,
    listed: &mut HashMap<String, Split>,
) -> Result<(), DatasetError> {
    for (text, line) in io::read_to_string(path)?.lines().zip(1..) {
        let name = text.trim();
        if name.is_empty() {
            continue;
        }
        let other = listed.insert(name.to_owned(), split);
        if other.is_some_and(|other| (other, split) != (Split::Train, Split::Val)) {
            return Err(DatasetError::Disagreement {
                place: Location { path, line }.to_string(),
                name: name.to_owned(),
                reason: "was listed before, here or in another list",
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TABLE: &str = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,\
        View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n\
        00000001_000.png,Cardiomegaly|Emphysema,0,1,058Y,M,PA,2682,2749,0.143,0.143,\n\
        00000008_000.png,No Finding,0,8,069Y,F,PA,2048,2500,0.168,0.168,\n\
        00000009_000.png,Emphysema,0,9,072Y,F,AP,2048,2500,0.168,0.168,\n";

    fn copy() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Data_Entry_2017.csv", TABLE);
        write("train_val_list.txt", "00000001_000.png\n00000008_000.png\n");
        write("test_list.txt", "00000009_000.png\n");
        write("images_001/images/00000001_000.png", "");
        write("images_001/images/00000008_000.png", "");
        write("images_002/00000009_000.png", "");
        root
    }

    fn options(label: &str, group: &str) -> LayoutOptions {
        LayoutOptions {
            label: Some(label.to_owned()),
            group: Some(group.to_owned()),
            ..LayoutOptions::default()
        }
    }

    fn read(root: &tempfile::TempDir, group: &str) -> Result<Dataset, DatasetError> {
        super::read(
            root.path(),
            &options("Emphysema", group),
            &mut Remarks::default(),
        )
    }

    #[test]
    fn a_finding_is_a_binary_task() {
        let root = copy();
        let data = read(&root, "Patient Gender").unwrap();
        assert_eq!(data.classes, ["no Emphysema", "Emphysema"]);
        let rows: Vec<_> = data
            .examples
            .iter()
            .map(|e| {
                (
                    e.path.as_str(),
                    e.label,
                    e.split,
                    e.group.as_deref().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("images_001/images/00000001_000.png", 1, Split::Train, "M"),
                ("images_001/images/00000008_000.png", 0, Split::Val, "F"),
                ("images_002/00000009_000.png", 1, Split::Test, "F"),
            ]
        );
        assert_eq!(data.examples[0].id, "00000001_000.png");
        let data = read(&root, "Cardiomegaly").unwrap();
        let groups = data.examples.iter().map(|e| e.group.as_deref().unwrap());
        let groups: Vec<_> = groups.collect();
        assert_eq!(
            groups,
            ["Cardiomegaly", "no Cardiomegaly", "no Cardiomegaly"]
        );
    }

    #[test]
    fn a_list_of_validation_images_counts_before_the_patients() {
        let root = copy();
        fs::write(root.path().join("val_list.txt"), "00000001_000.png\n").unwrap();
        let data = read(&root, "View Position").unwrap();
        let splits: Vec<_> = data.examples.iter().map(|e| e.split).collect();
        assert_eq!(splits, [Split::Val, Split::Train, Split::Test]);
    }

    #[test]
    fn faults_name_row_and_column() {
        let faulty = |name: &str, from: &str, to: &str| {
            let root = copy();
            let path = root.path().join(name);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            fs::write(&path, text.replacen(from, to, 1)).unwrap();
            read(&root, "View Position").unwrap_err().to_string()
        };
        let table = "Data_Entry_2017.csv";
        for (name, from, to, words) in [
            (
                table,
                "No Finding",
                "Cold",
                "line 3, column \"Finding Labels\": \"Cold\" is not one of",
            ),
            (
                table,
                "0,8,",
                "0,eight,",
                "line 3, column \"Patient ID\": \"eight\" is not a whole",
            ),
            (
                table,
                "00000009_000",
                "9",
                "line 4: \"9.png\" is in no folder images*",
            ),
            (
                table,
                "View Position",
                "View",
                "line 1: no column \"View Position\"",
            ),
            (
                "test_list.txt",
                "00000009",
                "00000008",
                "line 1: \"00000008_000.png\" was listed before",
            ),
            (
                "test_list.txt",
                "00000009_000.png",
                "",
                "line 4: \"00000009_000.png\" is neither in",
            ),
        ] {
            let text = faulty(name, from, to);
            assert!(text.contains(words), "{text}");
        }
        let root = copy();
        fs::write(root.path().join("images_001/00000009_000.png"), "").unwrap();
        let error = read(&root, "View Position").unwrap_err();
        assert!(
            matches!(error, DatasetError::Disagreement { .. }),
            "{error:?}"
        );
    }
}
