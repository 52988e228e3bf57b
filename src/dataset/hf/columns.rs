//! Which columns of a Hugging Face Parquet are what.

use std::path::Path;

use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Map, Value};

use super::UNKNOWN;
use crate::dataset::labels::Labels;
use crate::dataset::parquet::Table;
use crate::dataset::{DatasetError, Layout, LayoutOptions};
use crate::io::parquet::rows::BYTES;

/// The columns that are read, and how.
pub(super) struct Columns {
    /// Index of the image's column, and its name.
    pub(super) image: usize,
    pub(super) image_name: String,
    /// Name of the label's column.
    pub(super) label: String,
    /// What its labels are.
    pub(super) labels: Kind,
    /// Name of the group's column, and the names of its classes.
    pub(super) group: Option<(String, Option<Vec<String>>)>,
    /// Whether there is a column of splits.
    pub(super) split: bool,
}

/// How labels are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Indices of these names.
    Named(Vec<String>),
    /// Whole numbers.
    Numbers,
    /// Text.
    Texts,
}

impl Columns {
    /// Finds them in a schema.
    pub(super) fn find(
        path: &Path,
        schema: &Schema,
        options: &LayoutOptions,
    ) -> Result<Self, DatasetError> {
        let features = features(path, schema)?;
        let image = image(path, schema, &features)?;
        let label = match &options.label {
            Some(name) => column(path, schema, name)?,
            None => default_label(path, schema, &features)?,
        };
        let names = class_names(&features, label.name());
        let labels = match (names, label.data_type()) {
            (Some(names), kind) if kind.is_numeric() => Kind::Named(names),
            (_, kind) if kind.is_numeric() => Kind::Numbers,
            (_, kind) if is_text(kind) => Kind::Texts,
            (_, kind) => {
                return Err(bad_column(
                    path,
                    label.name(),
                    kind,
                    "text or whole numbers",
                ));
            }
        };
        let group = options.group.as_ref();
        let group = group.map(|name| column(path, schema, name)).transpose()?;
        if let Some(group) = group {
            let kind = group.data_type();
            if !kind.is_integer() && !is_text(kind) && *kind != DataType::Boolean {
                return Err(bad_column(
                    path,
                    group.name(),
                    kind,
                    "text, whole numbers or booleans",
                ));
            }
        }
        Ok(Self {
            image,
            image_name: schema.field(image).name().clone(),
            label: label.name().clone(),
            labels,
            group: group.map(|group| (group.name().clone(), class_names(&features, group.name()))),
            split: schema.index_of("split").is_ok(),
        })
    }

    /// The label in a cell as a class's name; as an error what stands for none.
    pub(super) fn label_text(
        &self,
        cell: &Value,
        given: Option<&[String]>,
        here: &dyn Fn() -> String,
    ) -> Result<Result<String, String>, DatasetError> {
        let text = match cell {
            Value::Null => String::new(),
            // A whole number of a floating-point column, which has holes.
            Value::Number(number) if number.is_f64() => match number.as_f64() {
                Some(real) if real.fract() == 0.0 && real.abs() < 9e15 => (real as i64).to_string(),
                _ => {
                    return Err(DatasetError::BadCell {
                        place: here(),
                        column: self.label.clone(),
                        value: number.to_string(),
                        expected: "text or a whole number",
                    });
                }
            },
            cell => plain(cell),
        };
        match &self.labels {
            Kind::Named(_) if text.is_empty() || text == UNKNOWN || text == "NaN" => Ok(Err(text)),
            Kind::Named(names) => {
                let index: Option<usize> = text.parse().ok();
                let name = index.and_then(|index| names.get(index));
                let name = name.ok_or_else(|| unknown(cell, names, &self.label, here))?;
                Ok(Ok(name.clone()))
            }
            Kind::Numbers | Kind::Texts if Labels::is_missing(&text, given) => Ok(Err(text)),
            Kind::Numbers | Kind::Texts => Ok(Ok(text)),
        }
    }

    /// The group in the cells of a row.
    pub(super) fn group_text(
        &self,
        cells: &Map<String, Value>,
        here: &dyn Fn() -> String,
    ) -> Result<Option<String>, DatasetError> {
        let Some((column, names)) = &self.group else {
            return Ok(None);
        };
        match (cells.get(column), names) {
            (None | Some(Value::Null), _) => Ok(None),
            // Of a ClassLabel it says that it is not known.
            (Some(cell), Some(_)) if cell.as_i64() == Some(-1) => Ok(None),
            (Some(cell), Some(names)) => named(cell, names, column, here).map(Some),
            (Some(cell), None) => Ok(Some(plain(cell)).filter(|text| !text.is_empty())),
        }
    }
}

/// The name that a cell counts.
fn named(
    cell: &Value,
    names: &[String],
    column: &str,
    here: &dyn Fn() -> String,
) -> Result<String, DatasetError> {
    let index = cell.as_u64().and_then(|index| usize::try_from(index).ok());
    let name = index.and_then(|index| names.get(index));
    name.cloned()
        .ok_or_else(|| unknown(cell, names, column, here))
}

/// The error for a cell that counts none of the names.
fn unknown(
    cell: &Value,
    names: &[String],
    column: &str,
    here: &dyn Fn() -> String,
) -> DatasetError {
    DatasetError::UnknownClass {
        place: here(),
        column: column.to_owned(),
        name: cell.to_string(),
        known: names.to_vec(),
    }
}

/// Text as it is, anything else as JSON writes it.
fn plain(cell: &Value) -> String {
    cell.as_str()
        .map_or_else(|| cell.to_string(), str::to_owned)
}

/// The image column of a Parquet's schema, as an index.
pub(crate) fn image_column(path: &Path) -> Result<usize, DatasetError> {
    let table = Table::open(path)?;
    image(path, table.schema(), &features(path, table.schema())?)
}

/// The features that the metadata tells of.
fn features(path: &Path, schema: &Schema) -> Result<Map<String, Value>, DatasetError> {
    const KEY: &str = "huggingface";
    let Some(text) = schema.metadata().get(KEY) else {
        return Ok(Map::new());
    };
    let mut value: Value = serde_json::from_str(text).map_err(|source| DatasetError::Parquet {
        path: path.to_owned(),
        source: format!("its metadata under {KEY:?} is no JSON: {source}").into(),
    })?;
    match value["info"]["features"].take() {
        Value::Object(features) => Ok(features),
        _ => Ok(Map::new()),
    }
}

fn is_a(features: &Map<String, Value>, name: &str, kind: &str) -> bool {
    features
        .get(name)
        .and_then(|feature| feature.get("_type"))
        .is_some_and(|found| found == kind)
}

/// The names of a column's classes.
fn class_names(features: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    if !is_a(features, name, "ClassLabel") {
        return None;
    }
    let names = features.get(name)?.get("names")?.as_array()?.iter();
    names.map(|name| name.as_str().map(str::to_owned)).collect()
}

fn image(
    path: &Path,
    schema: &Schema,
    features: &Map<String, Value>,
) -> Result<usize, DatasetError> {
    let fields = || schema.fields().iter().enumerate();
    let usable: Vec<(usize, &str)> = fields()
        .filter(|(_, field)| has_bytes(field.data_type()))
        .map(|(index, field)| (index, field.name().as_str()))
        .collect();
    let pick = |is: &dyn Fn(&str) -> bool| {
        let mut of_kind = usable.iter().filter(|(_, name)| is(name));
        match (of_kind.next(), of_kind.next()) {
            (Some(&(index, _)), None) => Some(index),
            _ => None,
        }
    };
    let is_struct = |name: &str| {
        let field = schema.field_with_name(name);
        field.is_ok_and(|field| matches!(field.data_type(), DataType::Struct(_)))
    };
    let found = pick(&|name| is_a(features, name, "Image"))
        .or_else(|| pick(&|name| name == "image"))
        .or_else(|| pick(&|name| name == "img"))
        .or_else(|| pick(&is_struct));
    if let Some(index) = found {
        return Ok(index);
    }
    // One that is named so and cannot be read is what is wrong.
    if let Some((_, field)) = fields().find(|(_, f)| ["image", "img"].contains(&f.name().as_str()))
    {
        let expected = "images: {bytes: binary, path: text}, or binary";
        return Err(bad_column(path, field.name(), field.data_type(), expected));
    }
    Err(DatasetError::MissingColumn {
        place: path.display().to_string(),
        column: "image".to_owned(),
        found: fields().map(|(_, field)| field.name().clone()).collect(),
    })
}

/// Whether a column of a type can hold images.
fn has_bytes(kind: &DataType) -> bool {
    let binary = |kind: &DataType| {
        matches!(
            kind,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
    };
    match kind {
        DataType::Struct(fields) => {
            let mut fields = fields.iter();
            fields.any(|field| field.name() == BYTES && binary(field.data_type()))
        }
        other => binary(other),
    }
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn default_label<'a>(
    path: &Path,
    schema: &'a Schema,
    features: &Map<String, Value>,
) -> Result<&'a Field, DatasetError> {
    if let Ok(field) = schema.field_with_name("label") {
        return Ok(field);
    }
    let named: Vec<&Field> = schema
        .fields()
        .iter()
        .map(AsRef::as_ref)
        .filter(|field| is_a(features, field.name(), "ClassLabel"))
        .collect();
    match named[..] {
        [field] => Ok(field),
        [] => column(path, schema, "label"),
        _ => Err(DatasetError::NeedsLabel {
            layout: Layout::Hf,
            known: named.iter().map(|field| field.name().clone()).collect(),
        }),
    }
}

fn column<'a>(path: &Path, schema: &'a Schema, name: &str) -> Result<&'a Field, DatasetError> {
    let field = schema.field_with_name(name);
    field.map_err(|_absent| DatasetError::MissingColumn {
        place: path.display().to_string(),
        column: name.to_owned(),
        found: schema.fields().iter().map(|f| f.name().clone()).collect(),
    })
}

fn bad_column(path: &Path, name: &str, kind: &DataType, expected: &'static str) -> DatasetError {
    DatasetError::BadColumn {
        path: path.to_owned(),
        column: name.to_owned(),
        found: kind.to_string(),
        expected,
    }
}
