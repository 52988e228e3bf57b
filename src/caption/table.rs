//! `captions.parquet`: every caption with its scores.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;

use super::{CaptionError, CaptionScore};
use crate::io;

/// Writes `class, mode, caption, alignment, cosine, rank, kind, dropped`, in the order given.
///
/// # Errors
///
/// [`CaptionError::Encode`] or [`CaptionError::Io`], naming the file.
pub fn write(path: &Path, scores: &[CaptionScore], classes: &[String]) -> Result<(), CaptionError> {
    let bytes = encode(scores, classes).map_err(|source| CaptionError::Encode {
        path: path.to_owned(),
        source,
    })?;
    Ok(io::write_atomic(path, &bytes)?)
}

fn encode(scores: &[CaptionScore], classes: &[String]) -> Result<Vec<u8>, ParquetError> {
    let text = |of: &dyn Fn(&CaptionScore) -> Option<String>| -> ArrayRef {
        Arc::new(scores.iter().map(of).collect::<StringArray>())
    };
    let whole = |of: &dyn Fn(&CaptionScore) -> i64| -> ArrayRef {
        Arc::new(scores.iter().map(of).collect::<Int64Array>())
    };
    let real = |of: &dyn Fn(&CaptionScore) -> f64| -> ArrayRef {
        Arc::new(scores.iter().map(of).collect::<Float64Array>())
    };
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("class", text(&|s| classes.get(s.class).cloned()), false),
        ("mode", whole(&|s| i64::from(s.mode)), false),
        ("caption", text(&|s| Some(s.caption.clone())), false),
        ("alignment", real(&|s| s.alignment), false),
        ("cosine", real(&|s| s.cosine), false),
        ("rank", whole(&|s| s.rank as i64), false),
        ("kind", text(&|s| Some(s.kind.name().to_owned())), false),
        ("dropped", text(&|s| s.dropped.clone()), true),
    ])?;
    io::parquet::encode(&batch, &[])
}

#[cfg(test)]
mod tests {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::caption::Kind;

    #[test]
    fn the_table_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.parquet");
        let score = CaptionScore {
            class: 1,
            mode: 0,
            caption: "a, \"b\"".to_owned(),
            alignment: 0.5,
            cosine: -0.25,
            rank: 1,
            kind: Kind::Hard,
            dropped: None,
        };
        write(&path, &[score], &["x".to_owned(), "y".to_owned()]).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap();
        let batch = reader.next().unwrap().unwrap();
        let text = |name: &str| {
            let column = batch.column_by_name(name).unwrap();
            column
                .as_any()
                .downcast_ref::<StringArray>()
                .unwrap()
                .value(0)
                .to_owned()
        };
        assert_eq!(
            (text("class"), text("caption")),
            ("y".to_owned(), "a, \"b\"".to_owned())
        );
        assert!(arrow::array::Array::is_null(
            batch.column_by_name("dropped").unwrap(),
            0
        ));
    }
}
