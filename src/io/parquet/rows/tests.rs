//! Rows in any order, from any thread; and files that are not what they say.

use std::fs;

use arrow::array::Int64Array;
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use rayon::prelude::*;

use super::*;

/// The content of a row: its number, repeated, of a length that varies.
fn content(row: u64) -> Vec<u8> {
    let length = 1 + (row * 7919) % 997;
    row.to_le_bytes()
        .iter()
        .copied()
        .cycle()
        .take(length as usize)
        .collect()
}

/// A table of `rows` with row groups of `group`, small pages, and a page index or none.
fn table(path: &Path, rows: u64, group: usize, indexed: bool) {
    let number = Int64Array::from_iter_values(0..rows as i64);
    let image = BinaryArray::from_iter_values((0..rows).map(content));
    let schema = Arc::new(Schema::new(vec![
        Field::new("number", DataType::Int64, false),
        Field::new("image", DataType::Binary, true),
    ]));
    let columns: Vec<ArrayRef> = vec![Arc::new(number), Arc::new(image)];
    let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_data_page_size_limit(4096)
        .set_write_batch_size(4)
        .set_dictionary_enabled(false)
        .set_offset_index_disabled(!indexed)
        .set_statistics_enabled(if indexed {
            EnabledStatistics::Page
        } else {
            EnabledStatistics::None
        })
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn rows_come_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    for indexed in [false, true] {
        let path = folder.path().join(format!("{indexed}.parquet"));
        table(&path, 1000, 300, indexed);
        let get = |row| image(&path, 1, row).unwrap();
        for row in 0..1000 {
            assert_eq!(get(row), content(row), "{row}");
        }
        for row in (0..1000).rev() {
            assert_eq!(get(row), content(row), "{row}");
        }
        for step in 0..1000 {
            let row = step * 377 % 1000;
            assert_eq!(get(row), content(row), "{row}");
        }
    }
}

#[test]
fn many_threads_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // More files than are kept open.
    let paths: Vec<PathBuf> = (0..FILES + 2)
        .map(|i| folder.path().join(format!("{i}.parquet")))
        .collect();
    for path in &paths {
        table(path, 200, 64, false);
    }
    let all: Vec<(usize, u64)> = (0..paths.len())
        .flat_map(|file| (0..200).map(move |row| (file, row)))
        .collect();
    all.par_iter().for_each(|&(file, row)| {
        assert_eq!(image(&paths[file], 1, row).unwrap(), content(row));
    });
}

/// In order, every block is decoded once, by one reader a row group.
#[test]
fn reading_in_order_reads_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    table(&path, 5000, 5000, false);
    let (file, _) = crate::io::open(&path).unwrap();
    let mut opened = Opened::new(file, &path, 1).unwrap();
    let mut opened_at = Vec::new();
    for row in 0..5000 {
        let before = opened.cursors.last().map(|cursor| cursor.next);
        opened.block(row).unwrap();
        let after = opened.cursors.last().map(|cursor| cursor.next);
        if before != after {
            opened_at.push(row);
        }
        assert_eq!(opened.cursors.len(), 1);
    }
    let block = opened.cursors[0].rows;
    let expected: Vec<u64> = (0..5000).step_by(block as usize).collect();
    assert_eq!(opened_at, expected);
}

#[test]
fn what_is_held_stays_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let rows = 200;
    let size = 1 << 20;
    let image = BinaryArray::from_iter_values((0..rows).map(|row| vec![row as u8; size]));
    let schema = Arc::new(Schema::new(vec![Field::new(
        "image",
        DataType::Binary,
        true,
    )]));
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(image) as ArrayRef]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (file, _) = crate::io::open(&path).unwrap();
    let mut opened = Opened::new(file, &path, 0).unwrap();
    for row in 0..rows {
        let (block, at) = opened.block(row).unwrap();
        assert_eq!(block.value(at).len(), size);
        assert!(opened.held <= HELD_BYTES, "{}", opened.held);
        let sum: usize = opened
            .blocks
            .iter()
            .map(|(_, block)| block.get_array_memory_size())
            .sum();
        assert_eq!(sum, opened.held);
    }
}

#[test]
fn a_file_that_is_replaced_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    table(&path, 10, 10, false);
    assert_eq!(image(&path, 1, 9).unwrap(), content(9));
    table(&path, 9, 9, false);
    let error = image(&path, 1, 9).unwrap_err();
    let IoError::Parquet { row: 9, source, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(source.to_string(), "the file has 9 rows, counted from 0");
    assert!(image(&path, 0, 0).is_err() && image(&path, 2, 0).is_err());
}

/// Cut anywhere, or with bytes changed, a file gives an error or some bytes, and never a panic.
#[test]
fn damaged_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for indexed in [false, true] {
        let path = folder.path().join("a.parquet");
        table(&path, 3, 2, indexed);
        let sound = fs::read(&path).unwrap();
        for end in 0..sound.len() {
            let path = folder.path().join("cut.parquet");
            fs::write(&path, &sound[..end]).unwrap();
            assert!(image(&path, 1, 2).is_err(), "{end}");
        }
        // Every byte in turn would take a minute.
        for at in (usize::from(indexed)..sound.len()).step_by(5) {
            let mut bytes = sound.clone();
            bytes[at] ^= 0xff;
            let path = folder.path().join("changed.parquet");
            fs::write(&path, bytes).unwrap();
            let _ = image(&path, 1, 0);
        }
    }
}
