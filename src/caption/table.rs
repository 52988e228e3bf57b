//! `captions.parquet`: every caption with its scores; `report/captions.csv`: the accuracy on the images
//! nearest to the hard, neutral and easy ones.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;

use super::check::{Accuracy, Real};
use super::{CaptionError, CaptionScore, Checked};
use crate::io;

/// The captions of a failure mode, for the text table.
#[derive(Debug, Clone, Copy)]
pub struct ModeTable<'a> {
    /// Those that were scored.
    pub scores: &'a [CaptionScore],
    /// The class's images.
    pub real: &'a Real,
}

/// Writes `class, mode, caption, alignment, cosine, nearest_error, rank_sum, p_value, rank, kind, dropped` and
/// what real images say of a caption (`val_*` and `judged_*`: images, accuracy and its interval; `verdict`), in
/// the order given.
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

/// Reads a table to its end; gives its captions' number.
///
/// # Errors
///
/// [`CaptionError::Io`], [`CaptionError::Columns`].
pub fn check(path: &Path) -> Result<u64, CaptionError> {
    let (names, rows) = io::parquet::read_through(path)?;
    let encoded = |source| CaptionError::Encode {
        path: path.to_owned(),
        source,
    };
    let own = batch(&[], &[])
        .map_err(|error| encoded(error.into()))?
        .schema();
    if own.fields().iter().map(|field| field.name()).eq(&names) {
        return Ok(rows);
    }
    Err(CaptionError::Columns {
        path: path.to_owned(),
    })
}

fn encode(scores: &[CaptionScore], classes: &[String]) -> Result<Vec<u8>, ParquetError> {
    io::parquet::encode(&batch(scores, classes)?, &[])
}

fn batch(scores: &[CaptionScore], classes: &[String]) -> Result<RecordBatch, ArrowError> {
    let text = |of: &dyn Fn(&CaptionScore) -> Option<String>| -> ArrayRef {
        Arc::new(scores.iter().map(of).collect::<StringArray>())
    };
    let whole = |of: &dyn Fn(&CaptionScore) -> i64| -> ArrayRef {
        Arc::new(scores.iter().map(of).collect::<Int64Array>())
    };
    let real = |of: &dyn Fn(&CaptionScore) -> f64| -> ArrayRef {
        Arc::new(scores.iter().map(of).collect::<Float64Array>())
    };
    let maybe = |of: &dyn Fn(&CaptionScore) -> Option<f64>| -> ArrayRef {
        Arc::new(scores.iter().map(of).collect::<Float64Array>())
    };
    let checked =
        |of: &dyn Fn(&Checked) -> Accuracy, number: &dyn Fn(Accuracy) -> f64| -> ArrayRef {
            let value = |s: &CaptionScore| s.checked.as_ref().map(|checked| number(of(checked)));
            Arc::new(scores.iter().map(value).collect::<Float64Array>())
        };
    let images = |of: &dyn Fn(&Checked) -> Accuracy| -> ArrayRef {
        let value = |s: &CaptionScore| s.checked.as_ref().map(|c| of(c).images as i64);
        Arc::new(scores.iter().map(value).collect::<Int64Array>())
    };
    let (val, judged) = (|c: &Checked| c.val, |c: &Checked| c.judged);
    let verdict = |s: &CaptionScore| s.checked.map(|c| c.verdict.name().to_owned());
    RecordBatch::try_from_iter_with_nullable([
        (
            "class",
            text(&|s| classes.get(s.mode.class).cloned()),
            false,
        ),
        ("mode", whole(&|s| i64::from(s.mode.mode)), false),
        ("caption", text(&|s| Some(s.caption.clone())), false),
        ("alignment", real(&|s| s.alignment), false),
        ("cosine", real(&|s| s.cosine), false),
        ("nearest_error", maybe(&|s| s.nearest_error), true),
        ("rank_sum", maybe(&|s| s.rank_sum), true),
        ("p_value", maybe(&|s| s.p_value), true),
        ("rank", whole(&|s| s.rank as i64), false),
        ("kind", text(&|s| Some(s.kind.name().to_owned())), false),
        ("dropped", text(&|s| s.dropped.clone()), true),
        ("val_images", images(&val), true),
        ("val_accuracy", checked(&val, &|a| a.accuracy), true),
        ("val_low", checked(&val, &|a| a.interval.0), true),
        ("val_high", checked(&val, &|a| a.interval.1), true),
        ("judged_images", images(&judged), true),
        ("judged_accuracy", checked(&judged, &|a| a.accuracy), true),
        ("judged_low", checked(&judged, &|a| a.interval.0), true),
        ("judged_high", checked(&judged, &|a| a.interval.1), true),
        ("verdict", text(&verdict), true),
    ])
}

/// Writes a line for every checked caption and split, hardest first in every mode; `judged_on` names
/// the judged split.
///
/// # Errors
///
/// [`CaptionError::Csv`] or [`CaptionError::Io`], naming the file.
pub fn write_csv(
    path: &Path,
    modes: &[ModeTable<'_>],
    classes: &[String],
    judged_on: &str,
) -> Result<(), CaptionError> {
    let bytes = csv_of(modes, classes, judged_on).map_err(|source| CaptionError::Csv {
        path: path.to_owned(),
        source,
    })?;
    Ok(io::write_atomic(path, &bytes)?)
}

fn csv_of(
    modes: &[ModeTable<'_>],
    classes: &[String],
    judged_on: &str,
) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "class",
        "mode",
        "caption",
        "kind",
        "alignment",
        "p_value",
        "verdict",
        "split",
        "images",
        "accuracy",
        "low",
        "high",
        "class_images",
        "class_accuracy",
    ])?;
    for ModeTable { scores, real } in modes {
        for score in *scores {
            let Some(checked) = &score.checked else {
                continue;
            };
            let splits = [
                ("val", checked.val, &real.val),
                (judged_on, checked.judged, &real.judged),
            ];
            // Where val is judged, once.
            let splits = &splits[..if judged_on == "val" { 1 } else { 2 }];
            for (split, nearest, images) in splits {
                let class = images.all();
                writer.write_record([
                    classes.get(score.mode.class).map_or("", String::as_str),
                    &score.mode.mode.to_string(),
                    &score.caption,
                    score.kind.name(),
                    &score.alignment.to_string(),
                    &score.p_value.map_or_else(String::new, |p| p.to_string()),
                    checked.verdict.name(),
                    split,
                    &nearest.images.to_string(),
                    &nearest.accuracy.to_string(),
                    &nearest.interval.0.to_string(),
                    &nearest.interval.1.to_string(),
                    &class.images.to_string(),
                    &class.accuracy.to_string(),
                ])?;
            }
        }
    }
    writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::caption::CaptionKind;
    use crate::caption::check::Images;
    use crate::direction::ModeId;

    fn real() -> Real {
        let images = |right| Images::new(array![[1.0, 0.0], [1.0, 1.0]].view(), vec![false, right]);
        Real {
            val: images(false),
            judged: images(true),
        }
    }

    #[test]
    fn the_table_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.parquet");
        let score = CaptionScore {
            mode: ModeId::new(1, 0),
            caption: "a, \"b\"".to_owned(),
            row: 0,
            alignment: 0.5,
            cosine: -0.25,
            nearest_error: Some(0.5),
            p_value: Some(0.25),
            rank_sum: Some(3.0),
            rank: 1,
            kind: CaptionKind::Hard,
            dropped: None,
            checked: Some(real().check(array![1.0, 0.0].view(), Some(0.25))),
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
        let number = |name: &str| {
            let column = batch.column_by_name(name).unwrap();
            column
                .as_any()
                .downcast_ref::<Float64Array>()
                .unwrap()
                .value(0)
        };
        assert_eq!(
            (number("val_accuracy"), number("judged_accuracy")),
            (0.0, 0.5)
        );
        assert_eq!(text("verdict"), "not confirmed", "the class is no better");
    }

    #[test]
    fn the_text_table_has_a_line_a_caption_and_split() {
        let score = CaptionScore {
            mode: ModeId::new(0, 2),
            caption: "a cat, wet".to_owned(),
            row: 0,
            alignment: 0.5,
            cosine: 0.25,
            nearest_error: Some(0.5),
            p_value: Some(0.25),
            rank_sum: Some(3.0),
            rank: 1,
            kind: CaptionKind::Hard,
            dropped: None,
            checked: Some(real().check(array![1.0, 0.0].view(), Some(0.25))),
        };
        let unchecked = CaptionScore {
            checked: None,
            ..score.clone()
        };
        let (real, scores, classes) = (real(), [score, unchecked], ["cat".to_owned()]);
        let modes = [ModeTable {
            scores: &scores,
            real: &real,
        }];
        let text = String::from_utf8(csv_of(&modes, &classes, "test").unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].starts_with("cat,2,\"a cat, wet\",hard,0.5,0.25,not confirmed,val,2,0,0,")
        );
        assert!(
            lines[2].contains(",test,2,0.5,") && lines[2].ends_with(",2,0.5"),
            "{text}"
        );
        let text = String::from_utf8(csv_of(&modes, &classes, "val").unwrap()).unwrap();
        assert_eq!(text.lines().count(), 2);
    }
}
