//! The user's own embeddings: `--space FILE`, joined by id or by row.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;

use crate::common::{Hardlight, Work, weights};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView, serialize};

const N: usize = 60;
const D: usize = 5;

/// Small whole numbers, which every type holds exactly.
fn value(row: usize, column: usize) -> f32 {
    ((row * 7 + column * column * 3 + row * column) % 13) as f32
}

fn id(row: usize) -> String {
    format!("{row}.png")
}

fn table() -> Work {
    let work = Work::empty();
    let mut text = "path,label,split,prediction\n".to_owned();
    for row in 0..N {
        let (label, said) = (row % 2, (row + usize::from(row % 7 < 3)) % 2);
        let split = if row < 40 { "val" } else { "test" };
        writeln!(
            text,
            "{},{},{split},{}",
            id(row),
            ["a", "b"][label],
            ["a", "b"][said]
        )
        .unwrap();
    }
    work.write("table.csv", text);
    work
}

fn detect(work: &Work, space: &str, out: &str) -> Hardlight {
    work.hardlight([
        "detect",
        "--out",
        out,
        "--table",
        "table.csv",
        "--space",
        space,
    ])
    .args([
        "--set",
        "direction.permutations=19",
        "--set",
        "direction.bootstrap=0",
    ])
}

/// A safetensors file of the rows named, with ids if asked for.
fn write(
    work: &Work,
    name: &str,
    dtype: Dtype,
    rows: &[usize],
    ids: bool,
    wrong: Option<(usize, f32)>,
) {
    let mut data = Vec::new();
    for (at, &row) in rows.iter().enumerate() {
        for column in 0..D {
            let v = match wrong {
                Some((place, v)) if place == at && column == 2 => v,
                _ => value(row, column),
            };
            match dtype {
                Dtype::F16 => data.extend(f16::from_f32(v).to_le_bytes()),
                Dtype::BF16 => data.extend(bf16::from_f32(v).to_le_bytes()),
                Dtype::F64 => data.extend(f64::from(v).to_le_bytes()),
                Dtype::I32 => data.extend((v as i32).to_le_bytes()),
                _ => data.extend(v.to_le_bytes()),
            }
        }
    }
    let view = TensorView::new(dtype, vec![rows.len(), D], &data).unwrap();
    let names: Vec<String> = rows.iter().map(|&row| id(row)).collect();
    let metadata = HashMap::from([("ids".to_owned(), serde_json::to_string(&names).unwrap())]);
    let bytes = serialize([("embeddings", view)], ids.then_some(metadata)).unwrap();
    work.write(name, bytes);
}

#[test]
fn every_float_type_gives_the_same_directions_by_row_or_by_id() {
    let work = table();
    let matrix = ndarray::Array2::from_shape_fn((N, D), |(row, column)| value(row, column));
    ndarray_npy::write_npy(work.path("f4.npy"), &matrix).unwrap();
    ndarray_npy::write_npy(work.path("f8.npy"), &matrix.mapv(f64::from)).unwrap();
    let rows: Vec<usize> = (0..N).collect();
    write(&work, "f16.safetensors", Dtype::F16, &rows, false, None);
    write(&work, "bf16.safetensors", Dtype::BF16, &rows, false, None);
    write(&work, "f64.safetensors", Dtype::F64, &rows, false, None);
    // Another order, and rows of images that the table does not have.
    let mixed: Vec<usize> = (0..N + 9).rev().collect();
    write(&work, "ids.safetensors", Dtype::F32, &mixed, true, None);
    detect(&work, "f4.npy", "f4").run().exits(0);
    let directions = |out: &str| fs::read(work.path(out).join("directions.safetensors")).unwrap();
    for name in [
        "f8.npy",
        "f16.safetensors",
        "bf16.safetensors",
        "f64.safetensors",
        "ids.safetensors",
    ] {
        let out = format!("out-{name}");
        detect(&work, name, &out).run().exits(0);
        assert!(directions(&out) == directions("f4"), "{name}");
    }
}

#[test]
fn a_matrix_that_does_not_fit_is_refused_with_its_row() {
    let work = table();
    let all: Vec<usize> = (0..N).collect();
    let refused = |name: &str, parts: &[&str]| {
        let ran = detect(&work, name, "a").run().exits(3);
        ran.complains(&[&[name], parts].concat());
    };
    write(
        &work,
        "short.safetensors",
        Dtype::F32,
        &all[1..],
        false,
        None,
    );
    refused("short.safetensors", &["59 rows and no ids", "60 examples"]);
    write(
        &work,
        "missing.safetensors",
        Dtype::F32,
        &all[1..],
        true,
        None,
    );
    refused(
        "missing.safetensors",
        &["no embedding for \"0.png\"", "1 of the 60"],
    );
    let twice: Vec<usize> = all.iter().copied().chain([7]).collect();
    write(&work, "twice.safetensors", Dtype::F32, &twice, true, None);
    refused("twice.safetensors", &["\"7.png\"", "rows 7 and 60"]);
    write(
        &work,
        "nan.safetensors",
        Dtype::F32,
        &all,
        true,
        Some((12, f32::NAN)),
    );
    refused("nan.safetensors", &["row 12", "column 2", "NaN", "12.png"]);
    write(
        &work,
        "inf.safetensors",
        Dtype::F32,
        &all,
        false,
        Some((12, f32::INFINITY)),
    );
    refused("inf.safetensors", &["row 12", "column 2", "inf", "12.png"]);
    write(&work, "whole.safetensors", Dtype::I32, &all, false, None);
    refused("whole.safetensors", &["I32", "16-, 32- or 64-bit floats"]);
    work.write("text.npy", "1 2 3");
    refused("text.npy", &["neither .npy nor .safetensors"]);
    work.write("pickle.npy", b"\x80\x04]q\x00.");
    refused("pickle.npy", &["a pickle"]);
    refused("absent.npy", &[]);
    assert!(!work.path("a").exists(), "nothing is written");
}

#[test]
fn captions_say_why_there_are_none() {
    let work = table();
    let matrix = ndarray::Array2::from_shape_fn((N, D), |(row, column)| value(row, column));
    ndarray_npy::write_npy(work.path("own.npy"), &matrix).unwrap();
    let captions = |more: &[&std::ffi::OsStr]| {
        work.hardlight([
            "captions",
            "--out",
            "a",
            "--table",
            "table.csv",
            "--space",
            "own.npy",
        ])
        .args([
            "--set",
            "direction.permutations=19",
            "--set",
            "direction.bootstrap=0",
        ])
        .args(more)
        .run()
    };
    let clip = weights("clip");
    let ran = captions(&["--clip".as_ref(), clip.as_os_str()]);
    assert!(
        ran.stderr
            .contains("not in CLIP's space, so captions cannot be scored"),
        "{ran}"
    );
    assert!(!work.path("a/captions.parquet").exists());
}
