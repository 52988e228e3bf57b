//! The bytes of single rows of a Parquet file, with a bounded part of the column in memory.
//!
//! A page must be unpacked from its beginning, and without a page index the pages before it too, so
//! rows are read in blocks by readers that go on where they stopped: images in order, by many
//! threads, cost what reading the column once costs. What is held of a file is a few such readers and
//! [`HELD_BYTES`] of the blocks they gave.
//!
//! The format allows pages of 2 GiB, and the decoder takes what a page's header says.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BinaryArray};
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::basic::Type;
use parquet::file::metadata::PageIndexPolicy;
use parquet::schema::types::SchemaDescriptor;

use super::guard::guarded;
use crate::io::IoError;
use crate::io::image::MAX_FILE_BYTES;

/// What the field of an image's bytes is called in a column of images.
pub(crate) const BYTES: &str = "bytes";

/// Files that are kept open.
const FILES: usize = 4;

/// Readers of a file.
const CURSORS: usize = 4;

/// Bytes of a file's blocks that are kept, but for the newest block, which is kept whatever its size.
const HELD_BYTES: usize = 64 << 20;

/// About how many bytes make a block.
const BLOCK_BYTES: u64 = 2 << 20;

/// The most rows of a block.
const BLOCK_ROWS: u64 = 256;

/// A reader this many blocks before a row does not read on to it where the page index allows better.
const FAR_BLOCKS: u64 = 4;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The bytes in a row of a column of images: one of bytes, or of structs with a field [`BYTES`].
///
/// # Errors
///
/// [`IoError::NotAFile`], [`IoError::Read`]; [`IoError::Parquet`] if there is no such column or row,
/// it is empty, or it cannot be decoded; [`IoError::TooLarge`] over [`MAX_FILE_BYTES`].
pub(crate) fn image(path: &Path, column: u32, row: u64) -> Result<Vec<u8>, IoError> {
    let failed = |source| IoError::Parquet {
        path: path.to_owned(),
        row,
        source,
    };
    let opened = opened(path, column).map_err(|error| match error {
        Failure::Io(error) => error,
        Failure::Parquet(source) => failed(source),
    })?;
    let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
    let (block, at) = opened.block(row).map_err(failed)?;
    if block.is_null(at) {
        return Err(failed("it has no bytes".into()));
    }
    let bytes = block.value(at);
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(IoError::TooLarge {
            path: path.join(row.to_string()),
            bytes: bytes.len() as u64,
            limit: MAX_FILE_BYTES,
        });
    }
    Ok(bytes.to_vec())
}

/// The field of a column that holds an image's bytes, as an index among the file's leaves.
pub(crate) fn bytes_leaf(schema: &SchemaDescriptor, column: usize) -> Option<usize> {
    let leaves = 0..schema.num_columns();
    let mut own = leaves.filter(|&leaf| schema.get_column_root_idx(leaf) == column);
    own.find(|&leaf| {
        let kind = schema.column(leaf);
        let parts = kind.path().parts();
        let named = parts.len() == 1 || parts.len() == 2 && parts[1] == BYTES;
        named && kind.max_rep_level() == 0 && kind.physical_type() == Type::BYTE_ARRAY
    })
}

enum Failure {
    Io(IoError),
    Parquet(Cause),
}

impl<E: Into<Cause>> From<E> for Failure {
    fn from(source: E) -> Self {
        Self::Parquet(source.into())
    }
}

/// What tells a file from another at its path.
#[derive(PartialEq, Eq)]
struct Key {
    path: PathBuf,
    column: u32,
    bytes: u64,
    changed: Option<SystemTime>,
}

type Shared = Arc<Mutex<Opened>>;

/// The files that were read last, the newest at the end.
static OPENED: Mutex<Vec<(Key, Shared)>> = Mutex::new(Vec::new());

fn opened(path: &Path, column: u32) -> Result<Shared, Failure> {
    let (file, bytes) = crate::io::open(path).map_err(Failure::Io)?;
    let changed = file.metadata().and_then(|facts| facts.modified()).ok();
    let key = Key {
        path: path.to_owned(),
        column,
        bytes,
        changed,
    };
    let mut known = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = known.iter().position(|(other, _)| *other == key) {
        let found = known.remove(at);
        let shared = found.1.clone();
        known.push(found);
        return Ok(shared);
    }
    let shared = Arc::new(Mutex::new(Opened::new(&file, path, column)?));
    if known.len() == FILES {
        known.remove(0);
    }
    known.push((key, shared.clone()));
    Ok(shared)
}

/// A column of a file.
struct Opened {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    leaf: usize,
    /// The first row of every row group, and the number of rows of all.
    starts: Vec<u64>,
    cursors: Vec<Cursor>,
    blocks: VecDeque<(u64, BinaryArray)>,
    held: usize,
}

/// A reader within a row group.
struct Cursor {
    group: usize,
    next: u64,
    rows: u64,
    reader: ParquetRecordBatchReader,
}

impl Opened {
    fn new(file: &File, path: &Path, column: u32) -> Result<Self, Cause> {
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_page_index_policy(PageIndexPolicy::Optional);
        let load = || Ok::<_, Cause>(ArrowReaderMetadata::load(file, options)?);
        let metadata = guarded(load)?;
        let leaf = bytes_leaf(metadata.parquet_schema(), column as usize);
        let leaf = leaf.ok_or_else(|| format!("column {column} holds no images"))?;
        let mut starts = vec![0_u64];
        for group in metadata.metadata().row_groups() {
            let end = u64::try_from(group.num_rows())
                .ok()
                .and_then(|rows| starts.last()?.checked_add(rows));
            starts.push(end.ok_or("its row counts make no sense")?);
        }
        Ok(Self {
            path: path.to_owned(),
            metadata,
            leaf,
            starts,
            cursors: Vec::new(),
            blocks: VecDeque::new(),
            held: 0,
        })
    }

    /// The block that holds a row, and the row's place in it.
    fn block(&mut self, row: u64) -> Result<(&BinaryArray, usize), Cause> {
        let holds = |(first, block): &(u64, BinaryArray)| {
            row.checked_sub(*first)
                .is_some_and(|at| at < block.len() as u64)
        };
        let at = if let Some(at) = self.blocks.iter().position(holds) {
            at
        } else {
            self.advance(row)?;
            self.blocks.len() - 1
        };
        let (first, block) = self.blocks.get(at).ok_or("no block")?;
        Ok((block, (row - first) as usize))
    }

    /// Reads blocks up to the one that holds a row, which is then the last.
    fn advance(&mut self, row: u64) -> Result<(), Cause> {
        let rows = *self.starts.last().unwrap_or(&0);
        if row >= rows {
            return Err(format!("the file has {rows} rows, counted from 0").into());
        }
        let group = self.starts.partition_point(|&start| start <= row) - 1;
        let mut cursor = match self.nearest(group, row) {
            Some(at) => self.cursors.remove(at),
            None => guarded(|| self.cursor(group, row))?,
        };
        loop {
            let block = guarded(|| {
                let batch = cursor.reader.next().transpose()?;
                let batch = batch.ok_or("the file ends before the rows it announces")?;
                binary(batch.column(0))
            })?;
            let (first, count) = (cursor.next, block.len() as u64);
            cursor.next += count;
            self.hold(first, block);
            if row < first + count {
                break;
            }
        }
        if self.cursors.len() == CURSORS {
            self.cursors.remove(0);
        }
        self.cursors.push(cursor);
        Ok(())
    }

    /// The reader that comes to a row soonest, if one is worth to be read on.
    fn nearest(&self, group: usize, row: u64) -> Option<usize> {
        let cursors = self.cursors.iter().enumerate();
        let before = cursors.filter(|(_, c)| c.group == group && c.next <= row);
        let (at, cursor) = before.max_by_key(|(_, cursor)| cursor.next)?;
        let far = row - cursor.next > FAR_BLOCKS * cursor.rows;
        let indexed = self.metadata.metadata().page_index().is_some();
        (!(far && indexed)).then_some(at)
    }

    /// A reader that begins with a row.
    fn cursor(&self, group: usize, row: u64) -> Result<Cursor, Cause> {
        let facts = self.metadata.metadata().row_group(group);
        let (start, end) = (self.starts[group], self.starts[group + 1]);
        let bytes = u64::try_from(facts.column(self.leaf).uncompressed_size()).unwrap_or(0);
        let average = (bytes / (end - start).max(1)).max(1);
        let rows = (BLOCK_BYTES / average).clamp(1, BLOCK_ROWS);
        let (file, _) = crate::io::open(&self.path)?;
        let mask = ProjectionMask::leaves(self.metadata.parquet_schema(), [self.leaf]);
        let selection = RowSelection::from(vec![
            RowSelector::skip((row - start) as usize),
            RowSelector::select((end - row) as usize),
        ]);
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_row_groups(vec![group])
                .with_projection(mask)
                .with_row_selection(selection)
                .with_batch_size(rows as usize)
                .build()?;
        Ok(Cursor {
            group,
            next: row,
            rows,
            reader,
        })
    }

    fn hold(&mut self, first: u64, block: BinaryArray) {
        self.held += block.get_array_memory_size();
        self.blocks.push_back((first, block));
        while self.held > HELD_BYTES && self.blocks.len() > 1 {
            if let Some((_, old)) = self.blocks.pop_front() {
                self.held -= old.get_array_memory_size();
            }
        }
    }
}

/// The bytes of a column of bytes, or of the one field of a column of structs; what is null above is
/// null.
fn binary(column: &ArrayRef) -> Result<BinaryArray, Cause> {
    let column = match column.data_type() {
        DataType::Struct(_) => column.as_struct().column(0),
        _ => column,
    };
    let plain = arrow::compute::cast(column, &DataType::Binary)?;
    Ok(plain.as_binary::<i32>().clone())
}

#[cfg(test)]
mod tests;
