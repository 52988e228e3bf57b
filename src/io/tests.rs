use std::io::ErrorKind as Kind;

use super::*;

#[test]
fn a_fingerprint_follows_content_alone() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of = |dir: &Path| fingerprint(dir, &["x", "y"]).unwrap();
    let absent = of(a.path());
    fs::write(a.path().join("x"), "").unwrap();
    let empty = of(a.path());
    assert_ne!(absent, empty);
    fs::write(b.path().join("x"), "").unwrap();
    assert_eq!(empty, of(b.path()));
    fs::write(b.path().join("y"), "1").unwrap();
    assert_ne!(empty, of(b.path()));
}

#[test]
fn a_write_replaces_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    write_atomic(&path, b"old").unwrap();
    write_atomic(&path, b"new").unwrap();
    assert_eq!(read(&path).unwrap(), b"new");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_written_file_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (ours, plain) = (folder.path().join("a"), folder.path().join("b"));
    write_atomic(&ours, b"").unwrap();
    // What the umask of this process leaves of an ordinary file tells what to expect.
    fs::write(&plain, b"").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&ours), mode(&plain) & 0o644);
}

#[test]
fn a_failed_write_leaves_the_old_file_and_no_temporary_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taken");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("x"), b"").unwrap();
    let error = write_atomic(&path, b"new").unwrap_err();
    assert!(matches!(error, IoError::Write { .. }), "{error:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(path.join("x").exists());
}

#[test]
fn wrong_paths_are_not_disk_trouble_and_full_disks_are() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such/a.txt");
    let error = write_atomic(&missing, b"").unwrap_err();
    assert!(!error.is_disk(), "{error:?}");
    assert_eq!(error.path(), missing);
    assert!(!read(&missing).unwrap_err().is_disk());

    let file = folder.path().join("file");
    write_atomic(&file, b"").unwrap();
    let error = create_dir_all(&file.join("below")).unwrap_err();
    assert!(!error.is_disk(), "{error:?}");

    for kind in [
        Kind::StorageFull,
        Kind::ReadOnlyFilesystem,
        Kind::PermissionDenied,
        Kind::QuotaExceeded,
        Kind::FileTooLarge,
    ] {
        let path = file.clone();
        let source = kind.into();
        assert!(IoError::Write { path, source }.is_disk(), "{kind:?}");
        let path = file.clone();
        let source = kind.into();
        assert!(!IoError::Read { path, source }.is_disk(), "{kind:?}");
    }
}

#[test]
fn folders_and_pipes_are_refused_without_hanging() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(folder.path()).unwrap_err();
    let found = "a folder";
    assert!(matches!(error, IoError::NotAFile { found: f, .. } if f == found));
    #[cfg(unix)]
    {
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let error = read(&socket).unwrap_err();
        assert!(matches!(error, IoError::NotAFile { .. }), "{error:?}");
    }
}

#[test]
fn the_size_limit_is_inclusive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_atomic(&path, b"12345").unwrap();
    assert_eq!(read_at_most(&path, 5).unwrap(), b"12345");
    let error = read_at_most(&path, 4).unwrap_err();
    assert!(
        matches!(
            error,
            IoError::TooLarge {
                bytes: 5,
                limit: 4,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn text_loses_its_mark_and_must_be_utf8() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_atomic(&path, b"\xef\xbb\xbfa\n").unwrap();
    assert_eq!(read_to_string(&path).unwrap(), "a\n");
    write_atomic(&path, b"a\xff").unwrap();
    let error = read_to_string(&path).unwrap_err();
    assert!(matches!(error, IoError::NotUtf8 { .. }), "{error:?}");
}

#[test]
fn sha256_of_the_standard_example() {
    // FIPS 180-2, appendix B.1.
    assert_eq!(
        sha256_hex(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn a_git_lfs_pointer_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| {
        let path = folder.path().join("model.bin");
        fs::write(&path, text).unwrap();
        path
    };
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let path = write(pointer);
    for error in [
        read(&path).map(|_| ()).unwrap_err(),
        read_to_string(&path).map(|_| ()).unwrap_err(),
        sha256_of(&path).map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(error, IoError::LfsPointer { .. }), "{error:?}");
        assert!(error.to_string().contains("git lfs pull"), "{error}");
    }
    for text in [
        "",
        "version",
        "a version https://git-lfs.github.com/spec/v1 in the middle of a text",
        &format!(
            "version https://git-lfs.github.com/spec/v1{}",
            "x".repeat(1000)
        ),
    ] {
        assert_eq!(read(&write(text)).unwrap(), text.as_bytes());
    }
}
