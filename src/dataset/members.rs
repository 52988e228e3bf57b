//! Images inside larger files, found again by the names that manifests give them.
//!
//! | file | name |
//! | --- | --- |
//! | `.tar` | the member's |
//! | `.parquet` | the row, from 0 |
//! | CIFAR's `.bin` | the record, from 0 |

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{DatasetError, cifar, hf, webdataset};
use crate::io::source::Member;

/// Finds members; what it learned of the last file it keeps.
#[derive(Debug, Default)]
pub struct Members {
    last: Option<(PathBuf, Inside)>,
}

/// What a file holds.
#[derive(Debug)]
enum Inside {
    /// Members of an archive by name.
    Tar(HashMap<String, Member>),
    /// The column of images.
    Parquet(u32),
    /// CIFAR's records.
    Cifar,
}

impl Members {
    /// The member of a file by its name or row. Whether its bytes are there is found when they are
    /// read.
    ///
    /// # Errors
    ///
    /// [`DatasetError::NoMember`], and what reading the archive or the schema says.
    pub fn find(&mut self, file: &Path, name: &str) -> Result<Member, DatasetError> {
        let none = |reason| DatasetError::NoMember {
            path: file.to_owned(),
            name: name.to_owned(),
            reason,
        };
        let inside = match self.last.take() {
            Some((path, inside)) if path == file => inside,
            _ => inside(file)?.ok_or_else(|| none("it is no .tar, .parquet or batch of CIFAR"))?,
        };
        let (_, inside) = self.last.insert((file.to_owned(), inside));
        let row = || {
            name.parse()
                .map_err(|_not| none("expected the number of a row"))
        };
        match inside {
            Inside::Tar(members) => {
                let member = members.get(name).cloned();
                member.ok_or_else(|| none("the archive has no such file"))
            }
            Inside::Parquet(column) => Ok(Member::Row {
                row: row()?,
                column: *column,
            }),
            Inside::Cifar => cifar::record(file, row()?)
                .ok_or_else(|| none("it is no batch of CIFAR's binary version")),
        }
    }
}

fn inside(file: &Path) -> Result<Option<Inside>, DatasetError> {
    let extension = file.extension().and_then(|text| text.to_str());
    Ok(match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("tar") => Some(Inside::Tar(webdataset::images(file)?)),
        Some("parquet") => Some(Inside::Parquet(hf::image_column(file)? as u32)),
        Some("bin") => Some(Inside::Cifar),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_images_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut members = Members::default();
        let mut find = |file: &str, name: &str| {
            let path = folder.path().join(file);
            std::fs::write(&path, "").unwrap();
            members.find(&path, name)
        };
        let found = find("test_batch.bin", "2").unwrap();
        let (offset, side) = (2 * 3073 + 1, 32);
        assert_eq!(
            found,
            Member::Record {
                row: 2,
                offset,
                side
            }
        );
        let found = find("train.bin", "1").unwrap();
        assert_eq!(
            found,
            Member::Record {
                row: 1,
                offset: 3074 + 2,
                side
            }
        );
        for (file, name, expected) in [
            ("test_batch.bin", "x", "expected the number of a row"),
            ("test_batch.bin", "-1", "expected the number of a row"),
            (
                "test_batch.bin",
                "18446744073709551615",
                "no batch of CIFAR",
            ),
            ("weights.bin", "1", "no batch of CIFAR"),
            ("a.zip", "1", "no .tar"),
            ("a.tar", "1", "no such file"),
        ] {
            let error = find(file, name).unwrap_err();
            assert!(matches!(error, DatasetError::NoMember { .. }), "{error:?}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(find("a.parquet", "0").is_err());
    }
}
