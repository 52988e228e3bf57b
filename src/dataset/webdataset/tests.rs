use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use tar::{Builder, EntryType, Header};

use super::*;
use crate::dataset::Split;
use crate::io::image::Exif;

fn png(value: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = RgbImage::from_pixel(3, 2, Rgb([value, 1, 2]));
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A shard of these members; names are written as they are.
fn shard(root: &Path, name: &str, members: &[(&str, &[u8])]) {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, builder.into_inner().unwrap()).unwrap();
}

fn read(root: &tempfile::TempDir) -> Result<Dataset, DatasetError> {
    super::read(
        root.path(),
        &LayoutOptions::default(),
        &mut Remarks::default(),
    )
}

#[test]
fn samples_of_shards_are_images() {
    let root = tempfile::tempdir().unwrap();
    shard(
        root.path(),
        "train-000000.tar",
        &[
            ("./a/0.1.x", b"other"),
            ("./a/0.png", &png(7)),
            ("./a/0.cls", b"10\n"),
            ("__index__.json", b"{}"),
            ("a/1.cls", b"2"),
            ("a/1.json", br#"{"label": 3}"#),
            ("a/1.PNG", &png(8)),
        ],
    );
    shard(
        root.path(),
        "val/000000.tar",
        &[("0.png", &png(9)), ("0.json", br#"{"label": 2}"#)],
    );
    let data = read(&root).unwrap();
    assert_eq!(data.classes, ["2", "10"]);
    let rows: Vec<_> = data
        .examples
        .iter()
        .map(|e| {
            let image = data.image(e).rgb(Exif::Ignore).unwrap();
            (
                e.id.as_str(),
                e.path.as_str(),
                e.label,
                e.split,
                image.get_pixel(2, 1)[0],
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (
                "train-000000.tar/a/0",
                "train-000000.tar",
                1,
                Split::Train,
                7
            ),
            (
                "train-000000.tar/a/1",
                "train-000000.tar",
                0,
                Split::Train,
                8
            ),
            ("val/000000.tar/0", "val/000000.tar", 0, Split::Val, 9),
        ]
    );
    assert_eq!(data.examples[0].member.as_ref().unwrap().name(), "a/0.png");
}

#[test]
fn keys_of_json_are_chosen_and_numbers_count_given_classes() {
    let root = tempfile::tempdir().unwrap();
    let json = br#"{"label": "x", "kind": 1, "place": "land"}"#;
    let cls: &[u8] = b"0";
    shard(
        root.path(),
        "test-0.tar",
        &[("0.cls", cls), ("0.json", json), ("0.png", &png(0))],
    );
    let mut options = LayoutOptions {
        label: Some("kind".to_owned()),
        group: Some("place".to_owned()),
        classes: Some(["cat", "dog"].map(str::to_owned).to_vec()),
        ..LayoutOptions::default()
    };
    let data = super::read(root.path(), &options, &mut Remarks::default()).unwrap();
    assert_eq!(data.examples[0].label, 1);
    assert_eq!(data.examples[0].group.as_deref(), Some("land"));
    options.classes = Some(vec!["cat".to_owned()]);
    let error = super::read(root.path(), &options, &mut Remarks::default()).unwrap_err();
    assert!(
        matches!(&error, DatasetError::UnknownClass { name, .. } if name == "1"),
        "{error:?}"
    );
}

#[test]
fn faults_name_shard_and_member() {
    let image = png(0);
    let faulty = |members: &[(&str, &[u8])]| {
        let root = tempfile::tempdir().unwrap();
        shard(root.path(), "train-0.tar", members);
        read(&root).unwrap_err().to_string()
    };
    let good: [(&str, &[u8]); 2] = [("0.png", &image), ("0.cls", b"3")];
    for (more, words) in [
        (
            &[("../x.png", &image[..])][..],
            "member 3: path \"../x.png\" leaves the root",
        ),
        (
            &[("/x.png", &image)],
            "member 3: path \"/x.png\" is absolute",
        ),
        (&[("1.png", &image)], "member 3: \"1\" has no label"),
        (&[("1.cls", b"3")], "member 3: \"1\" has no image"),
        (
            &[("0.jpg", &image)],
            "member 3: \"0.jpg\" is a second image",
        ),
        (
            &[("1.png", &image), ("1.cls", b"cat")],
            "member 3, column \"label\": text here",
        ),
        (
            &[("1.json", br#"{"label": [1]}"#)],
            "member 3, column \"label\": \"[1]\" is not",
        ),
    ] {
        let text = faulty(&[&good[..], more].concat());
        assert!(
            text.contains("train-0.tar") && text.contains(words),
            "{text}"
        );
    }
    let root = tempfile::tempdir().unwrap();
    shard(root.path(), "000.tar", &good);
    let text = read(&root).unwrap_err().to_string();
    assert!(text.contains("\"000.tar\" names no split"), "{text}");
    shard(root.path(), "train.tar", &good);
    fs::remove_file(root.path().join("000.tar")).unwrap();
    let path = root.path().join("train.tar");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..512 + 20]).unwrap();
    let text = read(&root).unwrap_err().to_string();
    assert!(text.contains("\"0.png\" is cut off"), "{text}");
}

#[test]
fn a_key_twice_in_a_shard_is_a_duplicate() {
    let root = tempfile::tempdir().unwrap();
    let image = png(0);
    let one = [("0.png", &image[..]), ("0.cls", &b"3"[..])];
    let two = [("1.png", &image[..]), ("1.cls", &b"4"[..])];
    shard(root.path(), "train.tar", &[one, two, one].concat());
    let error = read(&root).unwrap_err();
    assert!(
        matches!(&error, DatasetError::DuplicateId { first, second, .. }
            if first.ends_with("member 1") && second.ends_with("member 5")),
        "{error:?}"
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a line a member")]
fn shards_as_people_make_them() {
    let image = png(7);
    let mac: &[u8] = b"\x00\x05\x16\x07";
    let root = tempfile::tempdir().unwrap();
    shard(
        root.path(),
        "val.TAR",
        &[
            ("._0.input.png", mac),
            ("0.input.png", &image),
            ("._0.cls", mac),
            ("0.cls", b"3"),
            ("__MACOSX/._1.png", mac),
            ("1.jfif", &image),
            ("1.mask.png", b"mask"),
            ("1.target.cls", b"4"),
            ("2.png", &image),
            ("2.cls", b"-1"),
            ("3.png", &image),
            ("3.json", br#"{"label": null}"#),
        ],
    );
    let mut remarks = Remarks::default();
    let data = super::read(root.path(), &LayoutOptions::default(), &mut remarks).unwrap();
    assert_eq!((data.classes.len(), data.examples.len()), (2, 2));
    for example in &data.examples {
        let image = data.image(example).rgb(Exif::Ignore).unwrap();
        assert_eq!(image.get_pixel(0, 0).0, [7, 1, 2]);
    }
    assert!(
        remarks.doubts[0].starts_with("2 rows have no label"),
        "{remarks:?}"
    );

    let refused = |members: &[(&str, &[u8])]| {
        let root = tempfile::tempdir().unwrap();
        shard(root.path(), "val.tar", members);
        read(&root).unwrap_err().to_string()
    };
    let text = refused(&[("0.a.png", &image), ("0.b.png", &image), ("0.cls", b"1")]);
    assert!(
        text.contains("\"0\" has no image called after it alone; it has a.png and b.png"),
        "{text}"
    );
    let text = refused(&[
        ("0.png", &image),
        ("1.png", &image),
        ("0.cls", b"1"),
        ("1.cls", b"2"),
    ]);
    assert!(
        text.contains("\"0\" has no label") && text.contains("more of it is at member 3"),
        "{text}"
    );
    let text = refused(&[("0.png", &image), ("0.txt", b"a cat")]);
    assert!(text.contains("its members end in png, txt"), "{text}");

    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("train-000000.tar.gz"), "").unwrap();
    let text = read(&root).unwrap_err().to_string();
    assert!(
        text.contains("packed files such as train-000000.tar.gz"),
        "{text}"
    );
}

#[test]
fn links_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    builder
        .append_link(&mut header, "0.png", "/etc/passwd")
        .unwrap();
    fs::write(root.path().join("val.tar"), builder.into_inner().unwrap()).unwrap();
    let text = read(&root).unwrap_err().to_string();
    assert!(text.contains("member 1: \"0.png\" is a link"), "{text}");
}

/// A shard of one member whose header says another size.
fn sized(root: &Path, name: &str, kind: u8, size: [u8; 12]) {
    shard(root, "train.tar", &[(name, b"3")]);
    let path = root.join("train.tar");
    let mut bytes = fs::read(&path).unwrap();
    bytes[124..136].copy_from_slice(&size);
    bytes[156] = kind;
    bytes[148..156].fill(b' ');
    let sum: u32 = bytes[..512].iter().copied().map(u32::from).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn declared_sizes_are_not_believed() {
    let root = tempfile::tempdir().unwrap();
    // 8 GiB in octal, and 2⁶³ in the GNU form.
    let octal = *b"77777777777\0";
    let gnu = [0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
    for size in [octal, gnu] {
        for name in ["0.png", "0.cls", "0.json", "0.txt"] {
            sized(root.path(), name, b'0', size);
            let error = read(&root).unwrap_err();
            let text = format!("{error:?}");
            assert!(text.contains("train.tar"), "{text}");
        }
        // Long names and global headers, which are read into memory.
        for kind in [b'L', b'x', b'g'] {
            sized(root.path(), "0.png", kind, size);
            read(&root).unwrap_err();
        }
    }
}

#[test]
fn a_shard_cut_anywhere_is_an_error_or_lacks_its_last_samples() {
    let root = tempfile::tempdir().unwrap();
    let image = png(0);
    shard(
        root.path(),
        "train.tar",
        &[
            ("0.png", &image),
            ("0.cls", b"3"),
            ("1.png", &image),
            ("1.cls", b"3"),
        ],
    );
    let path = root.path().join("train.tar");
    let whole = fs::read(&path).unwrap();
    assert_eq!(read(&root).unwrap().examples.len(), 2);
    // Up to the second label's end; after it there are only blocks of zeros.
    let end = 4 * 512 + 3 * 512 + 1;
    for cut in 1..end {
        fs::write(&path, &whole[..cut]).unwrap();
        // A cut between two samples leaves a sound shard of fewer: a tar does not say how many.
        let result = read(&root);
        assert!(result.is_err() || cut == 4 * 512, "{cut}: {result:?}");
    }
}
