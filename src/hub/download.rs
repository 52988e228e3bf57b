//! One blob: downloaded, resumed, checked, and only then given its name.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use ureq::http::{StatusCode, header};

use super::cache::{Cache, written};
use super::http::{Client, Failed, network};
use super::id::is_hex;
use super::{HubError, Id, Watch};
use crate::io::{self, IoError};

/// Bytes between two looks at whether to stop.
const CHUNK: usize = 1 << 18;

/// The hash by which the hub knows a file; its digits are the blob's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hash {
    /// Of the content: large files.
    Sha256(String),
    /// Of git's header and the content: small files.
    Git(String),
}

impl Hash {
    /// Tells the kind by the length.
    pub(super) fn new(digits: &str) -> Option<Self> {
        match digits.len() {
            64 if is_hex(digits) => Some(Self::Sha256(digits.to_owned())),
            40 if is_hex(digits) => Some(Self::Git(digits.to_owned())),
            _ => None,
        }
    }

    pub(super) fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::Git(digits) => digits,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "SHA-256",
            Self::Git(_) => "git hash",
        }
    }
}

/// A hash that is being made.
enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    fn new(hash: &Hash, size: u64) -> Self {
        match hash {
            Hash::Sha256(_) => Self::Sha256(Sha256::new()),
            Hash::Git(_) => Self::Git(Sha1::new_with_prefix(format!("blob {size}\0"))),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Git(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => hex(&hasher.finalize()),
            Self::Git(hasher) => hex(&hasher.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What is to be downloaded.
pub(super) struct Blob<'a> {
    pub(super) id: &'a Id,
    pub(super) file: &'a str,
    pub(super) url: &'a str,
    pub(super) hash: &'a Hash,
    pub(super) size: u64,
}

/// Brings a blob into the cache unless it is there; `tell` hears how many of its bytes there are.
pub(super) fn download(
    client: &Client,
    cache: &Cache,
    blob: &Blob<'_>,
    watch: &mut dyn Watch,
    tell: &dyn Fn(&mut dyn Watch, u64),
) -> Result<(), HubError> {
    let digits = blob.hash.digits();
    let path = cache.blob(digits);
    let _lock = cache.lock(digits, watch)?;
    if path.is_file() {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        io::create_dir_all(folder)?;
    }
    let partial = cache.blob(&format!("{digits}.incomplete"));
    let mut arrived = Arrived::open(&partial, blob)?;
    let mut best = 0;
    client.retrying(watch, |watch| {
        arrived.attempt(client, watch, tell).map_err(|failed| {
            let Failed::Now { error, .. } = failed else {
                return failed;
            };
            let further = arrived.have > best;
            best = best.max(arrived.have);
            Failed::Now { error, further }
        })
    })?;
    let found = arrived.finish(&partial)?;
    if found != digits {
        return Err(spoilt(
            blob,
            &partial,
            format!("{} {found}", blob.hash.kind()),
        ));
    }
    fs::rename(&partial, &path).map_err(|e| written(&path, e))
}

/// Removes what arrived, so that the next attempt does not go on from it.
fn spoilt(blob: &Blob<'_>, partial: &Path, found: String) -> HubError {
    if let Err(error) = fs::remove_file(partial) {
        return written(partial, error);
    }
    HubError::Hash {
        id: blob.id.to_string(),
        file: blob.file.to_owned(),
        expected: format!("{} {}", blob.hash.kind(), blob.hash.digits()),
        found,
    }
}

/// The first bytes of a blob, with their hash.
struct Arrived<'a> {
    blob: &'a Blob<'a>,
    partial: &'a Path,
    file: File,
    hasher: Hasher,
    have: u64,
}

impl<'a> Arrived<'a> {
    /// Opens what an earlier attempt left, or begins.
    fn open(partial: &'a Path, blob: &'a Blob<'_>) -> Result<Self, HubError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(partial).map_err(|e| written(partial, e))?;
        let mut arrived = Self {
            blob,
            partial,
            file,
            hasher: Hasher::new(blob.hash, blob.size),
            have: 0,
        };
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = arrived.file.read(&mut buffer);
            let count = read.map_err(|source| IoError::Read {
                path: partial.to_path_buf(),
                source,
            })?;
            arrived.hasher.update(&buffer[..count]);
            arrived.have += count as u64;
            if arrived.have > blob.size {
                arrived.begin_anew()?;
            }
            if count == 0 {
                return Ok(arrived);
            }
        }
    }

    fn begin_anew(&mut self) -> Result<(), HubError> {
        self.hasher = Hasher::new(self.blob.hash, self.blob.size);
        self.have = 0;
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(|e| written(self.partial, e))?;
        Ok(())
    }

    /// Asks for what is missing and takes what comes.
    fn attempt(
        &mut self,
        client: &Client,
        watch: &mut dyn Watch,
        tell: &dyn Fn(&mut dyn Watch, u64),
    ) -> Result<(), Failed> {
        let &Blob { id, url, size, .. } = self.blob;
        tell(watch, self.have);
        if self.have == size {
            return Ok(());
        }
        let response = client.stream(id, url, self.have)?;
        let status = response.status();
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            self.begin_anew()?;
            let status = status.as_u16();
            let url = url.to_owned();
            return Err(Failed::Now {
                error: HubError::Status { url, status },
                further: false,
            });
        }
        let begins = response.headers().get(header::CONTENT_RANGE);
        let begins = begins
            .filter(|_| status == StatusCode::PARTIAL_CONTENT)
            .and_then(|range| range.to_str().ok()?.strip_prefix("bytes "))
            .and_then(|range| range.split('-').next()?.parse().ok())
            .unwrap_or(0);
        // A server that does not know ranges sends the whole file again.
        if begins != self.have {
            self.begin_anew()?;
            if begins != 0 {
                let error = super::http::answer(url, "it sent another range".to_owned());
                return Err(Failed::Now {
                    error,
                    further: false,
                });
            }
        }
        self.take(response.into_body().into_reader(), watch, tell)
    }

    /// Takes what comes until the file is whole.
    fn take(
        &mut self,
        mut body: impl Read,
        watch: &mut dyn Watch,
        tell: &dyn Fn(&mut dyn Watch, u64),
    ) -> Result<(), Failed> {
        let &Blob { url, size, .. } = self.blob;
        let broken = |error| Failed::Now {
            error,
            further: false,
        };
        let mut buffer = vec![0; CHUNK];
        while self.have < size {
            if watch.stopped() {
                return Err(HubError::Stopped.into());
            }
            let count = body
                .read(&mut buffer)
                .map_err(|source| broken(network(url, source)))?;
            if count == 0 {
                let text = format!("it ended after {} of {size} bytes", self.have);
                return Err(broken(network(url, std::io::Error::other(text))));
            }
            let bytes = &buffer[..count];
            if self.have + count as u64 > size {
                let found = format!("more than the {size} bytes that were announced");
                return Err(spoilt(self.blob, self.partial, found).into());
            }
            self.file
                .write_all(bytes)
                .map_err(|e| written(self.partial, e))?;
            self.hasher.update(bytes);
            self.have += count as u64;
            tell(watch, self.have);
        }
        Ok(())
    }

    /// Makes the bytes safe and gives their hash.
    fn finish(self, partial: &Path) -> Result<String, HubError> {
        self.file.sync_all().map_err(|e| written(partial, e))?;
        Ok(self.hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_told_by_length_and_made_as_git_makes_them() {
        assert_eq!(Hash::new("ABC"), None);
        assert_eq!(Hash::new(&"g".repeat(40)), None);
        // `printf 'hello\n' | git hash-object --stdin`
        let hash = Hash::new("ce013625030ba8dba906f756967f9e9ca394464a").unwrap();
        let mut hasher = Hasher::new(&hash, 6);
        hasher.update(b"hel");
        hasher.update(b"lo\n");
        assert_eq!(hasher.finish(), hash.digits());
        let hash = Hash::new(&io::sha256_hex(b"abc")).unwrap();
        let mut hasher = Hasher::new(&hash, 3);
        hasher.update(b"abc");
        assert_eq!(hasher.finish(), hash.digits());
    }
}
