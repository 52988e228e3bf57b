//! Embeddings that were made before a run: `--embeddings FILE`.

use std::fs;

use crate::common::{Work, weights};
use hardlight::io::matrix::{read_keyed, write_safetensors};

/// The world with `made.safetensors`, what `hardlight embed` makes of it.
fn embedded() -> Work {
    let work = Work::with_world();
    work.hardlight(["embed", "--images", "faces", "--out", "made.safetensors"])
        .args(["--device", "cpu"])
        .clip()
        .run()
        .exits(0);
    work
}

fn captions(work: &Work, out: &str, more: &[&str]) -> crate::common::Ran {
    work.on_world("captions", out)
        .clip()
        .args(["--grammar", "world"])
        .args(more)
        .run()
}

#[test]
fn what_embed_wrote_gives_the_captions_of_a_run_that_embeds() {
    let work = embedded();
    captions(&work, "own", &[]).exits(0);
    captions(&work, "given", &["--embeddings", "made.safetensors"]).exits(0);
    assert!(
        !work.path("given/embeddings").exists(),
        "nothing was embedded"
    );
    let read = |run: &str| fs::read(work.path(run).join("captions.parquet")).unwrap();
    assert!(read("own") == read("given"), "the captions differ");
}

#[test]
fn embeddings_of_another_order_or_model_are_refused() {
    let work = embedded();
    let (matrix, ids) = read_keyed(&work.path("made.safetensors")).unwrap();
    let mut ids = ids.unwrap();
    ids.rotate_left(1);
    let path = work.path("rotated.safetensors");
    write_safetensors(&path, "embeddings", matrix.view(), &ids).unwrap();
    captions(&work, "run", &["--embeddings", "rotated.safetensors"])
        .exits(3)
        .complains(&["is not what this CLIP makes of the image", "another order"]);
    let narrow = matrix.slice(ndarray::s![.., ..8]);
    let path = work.path("narrow.safetensors");
    write_safetensors(&path, "embeddings", narrow, &ids).unwrap();
    captions(&work, "run", &["--embeddings", "narrow.safetensors"])
        .exits(3)
        .complains(&["8 dimensions"]);
}

#[test]
fn embeddings_serve_without_their_images() {
    let work = embedded();
    let table: String = std::iter::once("path,label,split\n".to_owned())
        .chain(
            crate::common::files(&work.path("faces"))
                .into_keys()
                .filter_map(|path| {
                    let mut parts = path.split('/');
                    let (split, label) = (parts.next()?, parts.next()?);
                    Some(format!("{path},{label},{split}\n"))
                }),
        )
        .collect();
    work.write("table.csv", table);
    fs::rename(work.path("faces"), work.path("gone")).unwrap();
    let ran = work
        .hardlight(["captions", "--out", "run", "--table", "table.csv"])
        .args([
            "--predictions",
            "predictions.csv",
            "--device",
            "cpu",
            "--force",
        ])
        .args(["--grammar", "world", "--embeddings", "made.safetensors"])
        .args(["--clip", weights("clip").to_str().unwrap()])
        .args(["--set", "direction.permutations=19"])
        .run()
        .exits(0);
    assert!(
        ran.stderr.contains("were not compared with this CLIP's"),
        "{ran}"
    );
}

#[test]
fn embeddings_and_another_space_contradict_each_other() {
    let work = embedded();
    let both = [
        "--embeddings",
        "made.safetensors",
        "--space",
        "made.safetensors",
    ];
    captions(&work, "run", &both)
        .exits(2)
        .complains(&["leave out --space"]);
}
