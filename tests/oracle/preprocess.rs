//! Pictures of every kind: decoded as Pillow does, prepared as Transformers and `open_clip` do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hardlight::embed::preprocess::Preprocess;
use hardlight::embed::resize::Kernel;
use hardlight::io::image::decoded::DecodedImage;
use hardlight::io::image::{Exif, decode, decode_rgb};
use hardlight::nn::clip::config::VisionConfig;
use hardlight::nn::clip::model::VisionModelWithProjection;
use hardlight::nn::params::{Params, load_all};
use image::RgbImage;
use tch::{Device, Kind, Tensor};

use crate::rows::{Row, case};

#[derive(serde::Deserialize)]
struct Expected {
    file: String,
    /// Pillow's.
    mode: String,
    /// Whether the format is without loss, so that decoders agree.
    exact: bool,
    exif: Exif,
    width: u32,
    height: u32,
}

#[test]
#[ignore = "run by make oracle"]
fn compare() {
    let dir = case();
    let name = dir.file_name().unwrap().to_string_lossy();
    let name = name.trim_start_matches("preprocess-");
    if name.ends_with("damaged") {
        damaged(&dir, name);
    } else {
        pictures(&dir, name);
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[allow(
    clippy::too_many_lines,
    reason = "the same pictures and tower for every comparison"
)]
fn pictures(dir: &Path, name: &str) {
    let pictures: Vec<Expected> = json(&dir.join("pictures.json"));
    let same: Vec<RgbImage> = (0..)
        .zip(&pictures)
        .map(|(i, picture)| {
            let bytes = std::fs::read(dir.join(format!("{i}.rgb"))).unwrap();
            RgbImage::from_raw(picture.width, picture.height, bytes).unwrap()
        })
        .collect();
    let raw: Vec<DecodedImage> = pictures
        .iter()
        .map(|picture| {
            let bytes = std::fs::read(dir.join(&picture.file)).unwrap();
            decode(&bytes, picture.exif).unwrap()
        })
        .collect();
    let ours: Vec<RgbImage> = raw.iter().map(|raw| raw.clone().into_rgb()).collect();
    decoding(name, &pictures, &ours, &same);

    let want = load_all(&dir.join("pixels.safetensors")).unwrap();
    let embedded = load_all(&dir.join("embeddings.safetensors")).unwrap();
    let _guard = tch::no_grad_guard();
    let params = Params::open(
        &dir.join("tower/model.safetensors"),
        Kind::Float,
        Device::Cpu,
    )
    .unwrap();
    let config = VisionConfig::default();
    let tower = VisionModelWithProjection::new(&params.root(), &config);
    params.finish().unwrap();
    let embed = |pixels: &Tensor| {
        let parts = pixels.split(16, 0);
        let rows: Vec<Tensor> = parts.iter().map(|part| tower.forward(part)).collect();
        Tensor::cat(&rows, 0)
    };
    for kernel in [Kernel::Pil, Kernel::Pil12, Kernel::Torchvision] {
        let Some(want) = want.get(kernel.name()) else {
            continue;
        };
        let preprocess = Preprocess::from_dir(dir).unwrap().with_kernel(kernel);
        let row = Row {
            component: "preprocessing",
            configuration: &format!("{name}, {}, {} pictures", kernel.name(), same.len()),
            dtype: "fp32",
        };
        let pixels = prepared(&preprocess, &same);
        if kernel == Kernel::Torchvision {
            // In levels of a byte: the three deviations of the config are undone.
            let std = preprocess_std(dir);
            let levels = ((&pixels - want) * std * 255.0)
                .abs()
                .max()
                .double_value(&[]);
            row.at_most("largest difference in 1/255", levels, 1.0);
        } else {
            let differ = pixels.ne_tensor(want).sum(Kind::Int64).int64_value(&[]);
            row.at_most("values that differ", differ as f64, 0.0);
        }
        let row = Row {
            configuration: &format!("{name}, {}, from files to ViT-B/32", kernel.name()),
            ..row
        };
        let got = embed(&prepared(&preprocess, &ours));
        row.cosine(&got, &embedded[kernel.name()], 0.9999);
    }
    let preprocess = Preprocess::from_dir(dir).unwrap();
    let rows: Vec<Tensor> = raw
        .iter()
        .map(|raw| Tensor::try_from(preprocess.apply_decoded(raw)).unwrap())
        .collect();
    let got = Tensor::stack(&rows, 0);
    modes(
        name,
        &pictures,
        (&got, &want["whole"]),
        (&embed(&got), &embedded["whole"]),
    );
}

/// The library's whole path from `Image.open(file)` as it is, by the mode that it has then.
fn modes(
    name: &str,
    pictures: &[Expected],
    (pixels, want): (&Tensor, &Tensor),
    (embedded, want_embedded): (&Tensor, &Tensor),
) {
    let all: BTreeSet<&str> = pictures.iter().map(|p| p.mode.as_str()).collect();
    assert!(all.len() >= 8, "{all:?}");
    for mode in all {
        let of = |exact: bool| -> Tensor {
            let these = (0..).zip(pictures);
            let these = these.filter(|(_, p)| p.mode == mode && (p.exact || !exact));
            Tensor::from_slice(&these.map(|(i, _)| i).collect::<Vec<i64>>())
        };
        let row = Row {
            component: "whole path",
            configuration: &format!("{name}, {mode}, pixels of files without loss"),
            dtype: "fp32",
        };
        let exact = of(true);
        let select = |all: &Tensor, rows: &Tensor| all.index_select(0, rows);
        let differ = select(pixels, &exact).ne_tensor(&select(want, &exact));
        let differ = differ.sum(Kind::Int64).int64_value(&[]);
        row.at_most("values that differ", differ as f64, 0.0);
        let these = of(false);
        let row = Row {
            configuration: &format!("{name}, {mode}, {} files to ViT-B/32", these.size()[0]),
            ..row
        };
        row.cosine(
            &select(embedded, &these),
            &select(want_embedded, &these),
            0.9999,
        );
    }
}

fn prepared(preprocess: &Preprocess, images: &[RgbImage]) -> Tensor {
    let rows: Vec<Tensor> = images
        .iter()
        .map(|image| Tensor::try_from(preprocess.apply(image)).unwrap())
        .collect();
    Tensor::stack(&rows, 0)
}

fn preprocess_std(dir: &Path) -> Tensor {
    let config: serde_json::Value = json(&dir.join("preprocessor_config.json"));
    let std: Vec<f64> = serde_json::from_value(config["image_std"].clone()).unwrap();
    Tensor::from_slice(&std)
        .to_kind(Kind::Float)
        .view([1, 3, 1, 1])
}

/// Levels between our decoded pixels and Pillow's, by kind of file.
fn decoding(name: &str, pictures: &[Expected], ours: &[RgbImage], theirs: &[RgbImage]) {
    let mut worst: BTreeMap<String, u8> = BTreeMap::new();
    for ((picture, ours), theirs) in pictures.iter().zip(ours).zip(theirs) {
        assert_eq!(ours.dimensions(), theirs.dimensions(), "{}", picture.file);
        let levels = ours.iter().zip(theirs.iter()).map(|(a, b)| a.abs_diff(*b));
        let largest = levels.max().unwrap();
        println!("{}: {largest}", picture.file);
        let kind = if picture.exact {
            "files without loss".to_owned()
        } else {
            picture.file.rsplit('.').next().unwrap().to_owned()
        };
        let entry = worst.entry(kind).or_default();
        *entry = largest.max(*entry);
    }
    for (kind, largest) in worst {
        let row = Row {
            component: "decoding",
            configuration: &format!("{name}, {kind}"),
            dtype: "u8",
        };
        row.at_most("levels", f64::from(largest), 0.0);
    }
}

#[derive(serde::Deserialize)]
struct Damaged {
    file: String,
    kind: String,
    /// Whether Pillow reads it.
    read: bool,
}

/// What Pillow refuses we refuse; what only it reads is counted and is not wrong.
fn damaged(dir: &Path, name: &str) {
    let files: Vec<Damaged> = json(&dir.join("damaged.json"));
    let mut laxer = 0;
    let mut stricter: BTreeMap<&str, u32> = BTreeMap::new();
    let mut other = 0;
    for Damaged { file, kind, read } in &files {
        let ours = decode_rgb(&std::fs::read(dir.join(file)).unwrap(), Exif::Ignore);
        match (&ours, read) {
            (Ok(_), false) => {
                println!("{file}: read, though Pillow refuses it");
                laxer += 1;
            }
            (Err(error), true) => {
                println!("{file}: refused ({error}), though Pillow reads it");
                *stricter.entry(kind).or_default() += 1;
            }
            (Ok(image), true) if kind != "whole" && !file.starts_with("jpeg") => {
                let theirs = std::fs::read(dir.join(format!("{file}.rgb"))).unwrap();
                other += usize::from(*image.as_raw() != theirs);
            }
            _ => {}
        }
    }
    println!("stricter: {stricter:?}");
    assert!(!stricter.contains_key("whole"));
    let row = Row {
        component: "damaged files",
        configuration: &format!("{name}, {} files", files.len()),
        dtype: "u8",
    };
    row.at_most("read, though Pillow refuses", f64::from(laxer), 0.0);
    row.at_most("read with other pixels", other as f64, 0.0);
}
