use std::sync::Arc;

use super::*;
use crate::manifest::ManifestError;
use crate::run::decide::Status;
use crate::run::ledger::tests::entry;

pub(in crate::manifest) fn synthetic(seed: u64) -> Row {
    let mut measured = entry(seed);
    measured.class = "cat".to_owned();
    measured.measures.alignment = Some(0.1 + 0.2);
    measured.recipe = measured
        .recipe
        .draw("a \"cat\", at\r\nnight \u{1f408}", seed);
    measured.id = measured.recipe.id();
    let decided = Decision {
        measured: Arc::new(measured.clone()),
        status: Status::Kept,
        reason: None,
        threshold: Some(-1e-7),
    };
    let file = format!("images/cat/0/{}", measured.file_name().display());
    Row::synthetic(&decided, file, DigitalSource::TrainedAlgorithmicMedia)
}

pub(in crate::manifest) fn original() -> Row {
    let example = Example::new("train/cat/=1+1.jpg".to_owned(), 1, Split::Pool);
    Row::real(&example, "cat", "../data")
}

/// What a row that was changed by `change` is refused for.
fn refused(change: impl FnOnce(&mut Row)) -> ManifestError {
    let mut row = synthetic(1);
    row.check(1).unwrap();
    change(&mut row);
    row.check(7).unwrap_err()
}

#[test]
fn a_cell_has_the_type_of_its_column() {
    for (column, cell) in COLUMNS.iter().zip(synthetic(1).cells()) {
        let (kind, known) = match cell {
            ColumnValue::Text(value) => (ColumnType::Text, value.is_some()),
            ColumnValue::Whole(value) => (ColumnType::Whole, value.is_some()),
            ColumnValue::Real(value) => (ColumnType::Real, value.is_some()),
        };
        assert_eq!(kind, column.kind, "{}", column.name);
        assert!(known || !column.required, "{}", column.name);
    }
    // An original has the least: exactly the required columns.
    for (column, cell) in COLUMNS.iter().zip(original().cells()) {
        let absent = matches!(
            cell,
            ColumnValue::Text(None) | ColumnValue::Whole(None) | ColumnValue::Real(None)
        );
        assert_eq!(absent, !column.required, "{}", column.name);
    }
}

#[test]
fn numbers_that_are_none_are_named_by_row_and_column() {
    let error = refused(|row| row.class_similarity = Some(f64::NAN));
    assert_eq!(
        error.to_string(),
        format!(
            "row 7 ({:?}): class_similarity is NaN, expected a finite number",
            synthetic(1).id
        )
    );
    let error = refused(|row| row.weight = f64::INFINITY);
    assert!(
        matches!(
            error,
            ManifestError::NonFinite {
                column: "weight",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn values_out_of_range_are_refused() {
    type Change = fn(&mut Row);
    let changes: [(&str, Change); 11] = [
        ("weight", |row| row.weight = -0.5),
        ("seed", |row| row.seed = Some(1 << 63)),
        ("path", |row| row.path = "/etc/passwd".to_owned()),
        ("path", |row| row.path = "a/../../b".to_owned()),
        ("path", |row| row.path = "a\0b".to_owned()),
        ("path", |row| row.path = String::new()),
        ("id", |row| row.id = String::new()),
        ("class", |row| row.class = String::new()),
        ("sha256", |row| row.sha256 = None),
        ("sha256", |row| row.sha256 = Some("A".repeat(64))),
        ("sha256", |row| row.sha256 = Some("a".repeat(63))),
    ];
    for (expected, change) in changes {
        let error = refused(change);
        assert!(
            matches!(error, ManifestError::Invalid { row: 7, column, .. } if column == expected),
            "{expected}: {error:?}"
        );
    }
}

#[test]
fn real_images_keep_their_split_but_the_pool_goes_to_training() {
    let row = original();
    assert_eq!((row.source, row.split), (Source::Pool, Split::Train));
    row.check(1).unwrap();
}
