//! `hardlight embed`, and the kinds of folder that an encoder opens.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use crate::common::{Hardlight, Work, files, weights};
use hardlight::embed::clip::ClipEncoder;
use hardlight::embed::{EmbedError, ImageEncoder as _, TextEncoder as _};
use hardlight::io::matrix::read_keyed;
use hardlight::nn::clip::open_clip::OpenClipError;
use hardlight::nn::params::{ParamsError, load_all, save};
use image::{ImageFormat, RgbImage};
use ndarray::{Array1, Array2};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

/// A picture whose parts differ, so that turning it shows.
fn picture(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([
            (x * 5 + seed * 40) as u8,
            (y * 7) as u8,
            ((x / 9 + y / 5 + seed) % 2 * 200) as u8,
        ])
    })
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn encoder(dir: &Path) -> ClipEncoder {
    ClipEncoder::open(dir, Device::Cpu, Kind::Float).unwrap()
}

fn embed(work: &Work) -> Hardlight {
    work.hardlight(["embed", "--out", "out.safetensors", "--device", "cpu"])
        .clip()
}

fn written(work: &Work) -> (Array2<f32>, Vec<String>) {
    let (matrix, ids) = read_keyed(&work.path("out.safetensors")).unwrap();
    (matrix, ids.unwrap())
}

fn cosine(a: &Array1<f32>, b: &Array1<f32>) -> f32 {
    a.dot(b) / (a.dot(a) * b.dot(b)).sqrt()
}

/// `max|a − b|/max|b|`; threads of two processes may round in another order.
#[track_caller]
fn assert_near(a: &Array2<f32>, b: &Array2<f32>) {
    assert_eq!(a.dim(), b.dim());
    let largest = |m: &Array2<f32>| m.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    let apart = largest(&(a - b)) / largest(b);
    assert!(apart < 1e-5, "{apart}");
}

mod command {
    use super::*;

    #[test]
    fn images_become_rows_in_bytewise_order_of_their_paths() {
        let work = Work::empty();
        let names = ["Zebra.PNG", "a/b.png", "a/c/d.jpg", "a.png"];
        for (name, seed) in names.iter().zip(0..) {
            let format = ImageFormat::from_path(name).unwrap();
            let bytes = encoded(&picture(70 + seed, 90, seed), format);
            work.write(&format!("photos/{name}"), bytes);
        }
        work.write("photos/a/notes.txt", "no image");
        let ran = embed(&work).args(["--images", "photos"]).run().exits(0);
        ran.says(&["out.safetensors: 4 x 64"]);
        let (matrix, ids) = written(&work);
        assert_eq!(ids, ["Zebra.PNG", "a.png", "a/b.png", "a/c/d.jpg"]);
        let images: Vec<RgbImage> = ids
            .iter()
            .map(|id| {
                image::open(work.path("photos").join(id))
                    .unwrap()
                    .into_rgb8()
            })
            .collect();
        // The JPEG is decoded by another decoder here.
        let direct = encoder(&weights("clip")).encode_images(&images).unwrap();
        for ((id, row), direct) in ids.iter().zip(matrix.outer_iter()).zip(direct.outer_iter()) {
            let cosine = cosine(&row.to_owned(), &direct.to_owned());
            assert!(cosine > 0.9999, "{id}: {cosine}");
        }
        assert_ne!(matrix.row(0), matrix.row(1));
        assert_eq!(files(work.root()).len(), 6, "nothing else was written");
    }

    #[test]
    fn what_is_no_image_is_counted_and_named() {
        let work = Work::empty();
        work.write(
            "photos/a.png",
            encoded(&picture(64, 64, 0), ImageFormat::Png),
        );
        work.write("photos/notes.txt", "no image");
        let ran = embed(&work).args(["--images", "photos"]).run().exits(0);
        let said = "1 entries below photos are not images and were passed over, the first: photos/notes.txt";
        assert!(ran.stderr.contains(said), "{ran}");
    }

    #[test]
    fn every_line_is_a_caption_and_a_cut_one_is_warned_of() {
        let work = Work::empty();
        let long = ["old", "woman"].repeat(40).join(" ");
        work.write("captions.txt", format!("a young man\r\n\n{long}\n"));
        let ran = embed(&work)
            .args(["--texts", "captions.txt"])
            .run()
            .exits(0);
        let said = "1 captions are longer than the model reads";
        assert!(
            ran.stderr.contains(said) && ran.stderr.contains("line 3"),
            "{ran}"
        );
        ran.says(&["out.safetensors: 3 x 64"]);
        let (matrix, ids) = written(&work);
        assert_eq!(ids, ["a young man", "", &long]);
        let direct = encoder(&weights("clip")).encode_texts(&ids).unwrap();
        assert_near(&matrix, &direct);
    }

    #[test]
    fn a_damaged_image_stops_it_by_name_or_is_skipped_by_name() {
        let work = Work::empty();
        let whole = encoded(&picture(64, 64, 0), ImageFormat::Png);
        work.write("photos/a.png", &whole[..whole.len() / 2]);
        work.write("photos/b.png", &whole);
        let ran = embed(&work).args(["--images", "photos"]).run().exits(3);
        ran.complains(&["photos/a.png"]);
        assert!(!work.path("out.safetensors").exists());

        let skip = ["--images", "photos", "--on-bad-image", "skip"];
        let ran = embed(&work).args(skip).run().exits(0);
        assert!(
            ran.stderr
                .contains("warning: skipped: could not decode photos/a.png"),
            "{ran}"
        );
        ran.says(&["out.safetensors: 1 x 64"]);
        assert_eq!(written(&work).1, ["b.png"]);

        fs::remove_file(work.path("photos/b.png")).unwrap();
        fs::remove_file(work.path("out.safetensors")).unwrap();
        let ran = embed(&work).args(skip).run().exits(4);
        assert!(ran.stderr.contains("no image could be read"), "{ran}");
        assert!(!work.path("out.safetensors").exists());
    }

    #[test]
    fn the_resizing_of_other_references_moves_embeddings_a_little() {
        let work = Work::empty();
        work.write(
            "photos/a.png",
            encoded(&picture(301, 211, 0), ImageFormat::Png),
        );
        let rows = ["pil", "torchvision"].map(|kernel| {
            let args = ["--images", "photos", "--preprocess", kernel];
            embed(&work).args(args).run().exits(0);
            written(&work).0.row(0).to_owned()
        });
        assert_ne!(rows[0], rows[1]);
        assert!(cosine(&rows[0], &rows[1]) > 0.999);
    }

    #[test]
    fn exif_is_applied_or_ignored_as_told() {
        let work = Work::empty();
        let plain = encoded(&picture(80, 64, 1), ImageFormat::Jpeg);
        // A quarter turn, in the first segment after the start of the image.
        let turned = b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        work.write("plain/a.jpg", &plain);
        work.write("turned/a.jpg", [&plain[..2], turned, &plain[2..]].concat());
        let row = |folder: &str, exif: &str| {
            let args = ["--images", folder, "--exif", exif];
            embed(&work).args(args).run().exits(0);
            written(&work).0.row(0).to_owned()
        };
        let (plain, ignored, applied) = (
            row("plain", "apply"),
            row("turned", "ignore"),
            row("turned", "apply"),
        );
        assert_eq!(plain, ignored);
        assert!(cosine(&plain, &applied) < 0.999);
    }

    #[test]
    fn half_precision_and_other_batches_stay_near() {
        let work = Work::empty();
        work.write(
            "captions.txt",
            "a young man\nan old woman\nan old man with a hat\n",
        );
        let mut rows = Vec::new();
        for args in [
            ["--dtype", "fp32", "--batch", "32"],
            ["--dtype", "fp32", "--batch", "2"],
            ["--dtype", "fp16", "--batch", "3"],
            ["--dtype", "bf16", "--batch", "1"],
        ] {
            embed(&work)
                .args(["--texts", "captions.txt"])
                .args(args)
                .run()
                .exits(0);
            rows.push(written(&work).0);
        }
        assert_near(&rows[1], &rows[0]);
        for half in &rows[2..] {
            assert_ne!(half, &rows[0]);
            for (half, full) in half.outer_iter().zip(rows[0].outer_iter()) {
                let cosine = cosine(&half.to_owned(), &full.to_owned());
                assert!(cosine > 0.999, "{cosine}");
            }
        }
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a call a fault")]
    fn wrong_usage_and_wrong_places_are_told_before_anything_is_loaded() {
        let work = Work::empty();
        work.write("captions.txt", "a man\n");
        fs::create_dir_all(work.path("empty")).unwrap();
        work.write("nothing.txt", "");
        for (args, code, said) in [
            (
                &["--clip", "x", "--out", "o.safetensors"][..],
                2,
                "--images",
            ),
            (
                &[
                    "--clip",
                    "x",
                    "--out",
                    "o.safetensors",
                    "--images",
                    "a",
                    "--texts",
                    "b",
                ],
                2,
                "cannot be used with",
            ),
            (
                &["--clip", "x", "--out", "o.npy", "--texts", "captions.txt"],
                2,
                "--out o.npy does not end in .safetensors",
            ),
            (
                &[
                    "--clip",
                    "x",
                    "--out",
                    "no/o.safetensors",
                    "--texts",
                    "captions.txt",
                ],
                3,
                "lies in a folder that does not exist",
            ),
            (
                &["--clip", "x", "--out", "o.safetensors", "--images", "empty"],
                3,
                "there is no image below empty",
            ),
            (
                &[
                    "--clip",
                    "x",
                    "--out",
                    "o.safetensors",
                    "--images",
                    "nowhere",
                ],
                3,
                "there is no folder nowhere",
            ),
            (
                &[
                    "--clip",
                    "x",
                    "--out",
                    "o.safetensors",
                    "--texts",
                    "nothing.txt",
                ],
                3,
                "nothing.txt holds no caption",
            ),
            (
                &[
                    "--clip",
                    "x",
                    "--out",
                    "o.safetensors",
                    "--texts",
                    "captions.txt",
                ],
                3,
                "CLIP folder x does not exist",
            ),
            (
                &[
                    "--clip",
                    "empty",
                    "--out",
                    "o.safetensors",
                    "--texts",
                    "captions.txt",
                ],
                3,
                "empty holds neither config.json nor open_clip_config.json",
            ),
        ] {
            let ran = work.hardlight(["embed"]).args(args).run().exits(code);
            ran.complains(&[said]);
        }
        assert_eq!(files(work.root()).len(), 2);
    }

    #[test]
    fn a_signal_stops_it_cleanly() {
        let work = Work::empty();
        work.write("captions.txt", "an old man\n".repeat(100_000));
        let mut running = embed(&work)
            .args(["--texts", "captions.txt", "--batch", "1"])
            .start();
        running.until_it_says("embedding 100000 captions");
        running.signal("INT");
        let ran = running.wait().exits(130);
        assert!(ran.stderr.contains("stopped; nothing was written"), "{ran}");
        assert_eq!(files(work.root()).len(), 1);
    }
}

mod folders {
    use super::*;

    /// The world's CLIP, renamed as `open_clip` names and packs the same parameters.
    fn in_open_clips_names(theirs: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
        let mut ours = BTreeMap::new();
        for (name, tensor) in theirs {
            let name = name
                .replace("text_model.embeddings.token_embedding", "token_embedding")
                .replace(
                    "text_model.embeddings.position_embedding.weight",
                    "positional_embedding",
                )
                .replace("text_model.encoder.layers", "transformer.resblocks")
                .replace("text_model.final_layer_norm", "ln_final")
                .replace(
                    "vision_model.embeddings.class_embedding",
                    "visual.class_embedding",
                )
                .replace("vision_model.embeddings.patch_embedding", "visual.conv1")
                .replace(
                    "vision_model.embeddings.position_embedding.weight",
                    "visual.positional_embedding",
                )
                .replace("vision_model.pre_layrnorm", "visual.ln_pre")
                .replace("vision_model.post_layernorm", "visual.ln_post")
                .replace(
                    "vision_model.encoder.layers",
                    "visual.transformer.resblocks",
                )
                .replace("visual_projection.weight", "visual.proj")
                .replace("text_projection.weight", "text_projection")
                .replace("layer_norm", "ln_")
                .replace("self_attn.out_proj", "attn.out_proj")
                .replace("mlp.fc1", "mlp.c_fc")
                .replace("mlp.fc2", "mlp.c_proj");
            let turn = name == "visual.proj" || name == "text_projection";
            let tensor = if turn {
                tensor.transpose(0, 1)
            } else {
                tensor.shallow_clone()
            };
            ours.insert(name, tensor);
        }
        let queries: Vec<String> = ours
            .keys()
            .filter(|k| k.contains("q_proj"))
            .cloned()
            .collect();
        for query in queries {
            let parts: Vec<Tensor> = ["q_proj", "k_proj", "v_proj"]
                .map(|part| ours.remove(&query.replace("q_proj", part)).unwrap())
                .into();
            let packed = query.replace("self_attn.q_proj.", "attn.in_proj_");
            ours.insert(packed, Tensor::cat(&parts, 0));
        }
        ours
    }

    fn open_clip_config() -> Value {
        json!({
            "model_cfg": {
                "embed_dim": 64, "quick_gelu": true,
                "vision_cfg": {"image_size": 64, "layers": 4, "width": 128, "head_width": 32, "patch_size": 8},
                "text_cfg": {"context_length": 32, "vocab_size": 512, "width": 128, "heads": 4, "layers": 3},
            },
            "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
        })
    }

    fn config_of_world() -> Value {
        serde_json::from_slice(&fs::read(weights("clip/config.json")).unwrap()).unwrap()
    }

    /// A folder in `open_clip`'s form alone.
    fn open_clip_folder(work: &Work) -> PathBuf {
        let theirs = load_all(&weights("clip/model.safetensors")).unwrap();
        let path = work.write("clip/open_clip_model.safetensors", "");
        save(&path, &in_open_clips_names(&theirs), Kind::Half).unwrap();
        let mut config = open_clip_config();
        config["model_cfg"]["text_cfg"]["vocab_size"] =
            config_of_world()["text_config"]["vocab_size"].clone();
        work.write("clip/open_clip_config.json", config.to_string());
        for (name, bytes) in files(&weights("clip")) {
            if name.contains("tokenizer") || name == "vocab.json" || name == "merges.txt" {
                work.write(&format!("clip/{name}"), bytes);
            }
        }
        work.path("clip")
    }

    fn captions() -> Vec<String> {
        ["a young man", "an old woman with a hat"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn the_same_model_in_open_clips_form_gives_the_same_embeddings() {
        let work = Work::empty();
        let (theirs, ours) = (encoder(&weights("clip")), encoder(&open_clip_folder(&work)));
        let texts = |encoder: &ClipEncoder| encoder.encode_texts(&captions()).unwrap();
        assert_near(&texts(&ours), &texts(&theirs));
        let images = [picture(64, 64, 0), picture(64, 64, 1)];
        let seen = |encoder: &ClipEncoder| encoder.encode_images(&images).unwrap();
        assert_near(&seen(&ours), &seen(&theirs));
        assert_ne!(ours.fingerprint(), theirs.fingerprint());
    }

    #[test]
    fn of_a_folder_with_both_forms_transformers_counts_if_its_weights_are_there() {
        let work = Work::empty();
        let dir = open_clip_folder(&work);
        let alone = encoder(&dir).fingerprint().to_owned();
        // Its config alone says of what family it is, but there are no such weights.
        work.write("clip/config.json", config_of_world().to_string());
        assert_eq!(encoder(&dir).fingerprint(), alone);
        for name in ["model.safetensors", "preprocessor_config.json"] {
            work.write(
                &format!("clip/{name}"),
                fs::read(weights("clip").join(name)).unwrap(),
            );
        }
        assert_ne!(encoder(&dir).fingerprint(), alone);
        // Broken weights of the form that does not count do no harm.
        work.write("clip/open_clip_model.safetensors", "broken");
        encoder(&dir);
    }

    fn error(dir: &Path) -> EmbedError {
        ClipEncoder::open(dir, Device::Cpu, Kind::Float).unwrap_err()
    }

    /// The world's folder with an edited config.
    fn edited(work: &Work, edit: impl FnOnce(&mut Value)) -> PathBuf {
        crate::common::copy(&weights("clip"), &work.path("clip"));
        let mut config = config_of_world();
        edit(&mut config);
        work.write("clip/config.json", config.to_string());
        work.path("clip")
    }

    #[test]
    fn other_families_are_refused_by_name() {
        for name in ["siglip2", "clipseg", "chinese_clip"] {
            let work = Work::empty();
            let dir = edited(&work, |config| config["model_type"] = name.into());
            let error = error(&dir);
            assert!(
                matches!(&error, EmbedError::ModelType { found, .. } if found == name),
                "{error}"
            );
            let text = error.to_string();
            assert!(
                text.contains("config.json") && text.contains("\"siglip\""),
                "{text}"
            );
        }
    }

    #[test]
    fn an_open_clip_that_is_no_plain_clip_is_refused_by_key() {
        let work = Work::empty();
        let dir = open_clip_folder(&work);
        let mut config = open_clip_config();
        config["model_cfg"]["vision_cfg"]["timm_model_name"] = "convnext_base".into();
        work.write("clip/open_clip_config.json", config.to_string());
        match error(&dir) {
            EmbedError::OpenClip {
                path,
                source: OpenClipError::Setting { key, .. },
            } => {
                assert_eq!(path, dir.join("open_clip_config.json"));
                assert_eq!(key, "model_cfg.vision_cfg.timm_model_name");
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn parts_of_other_models_are_told_apart() {
        let work = Work::empty();
        let dir = edited(&work, |config| {
            config["vision_config"]["image_size"] = 72.into();
        });
        let error_of = error(&dir);
        assert!(
            matches!(
                error_of,
                EmbedError::ImageSize {
                    side: 72,
                    height: 64,
                    ..
                }
            ),
            "{error_of}"
        );
        let work = Work::empty();
        let dir = edited(&work, |config| {
            config["text_config"]["vocab_size"] = 100.into();
        });
        let error_of = error(&dir);
        assert!(
            matches!(error_of, EmbedError::Vocabulary { known: 100, .. }),
            "{error_of}"
        );
    }

    #[test]
    fn a_pickle_in_place_of_weights_is_named() {
        let work = Work::empty();
        let dir = edited(&work, |_| ());
        fs::rename(dir.join("model.safetensors"), dir.join("pytorch_model.bin")).unwrap();
        let error = error(&dir);
        assert!(
            matches!(error, EmbedError::Params(ParamsError::NoWeights { .. })),
            "{error}"
        );
        assert!(
            error.to_string().contains("pytorch_model.bin, a pickle"),
            "{error}"
        );
    }

    #[test]
    fn another_resizing_has_another_fingerprint() {
        use hardlight::embed::resize::Kernel;
        let of = |kernel| {
            encoder(&weights("clip"))
                .with_kernel(kernel)
                .fingerprint()
                .to_owned()
        };
        let plain = encoder(&weights("clip")).fingerprint().to_owned();
        assert_eq!(of(Kernel::Pil), plain);
        assert_ne!(of(Kernel::Pil12), plain);
        assert_ne!(of(Kernel::Torchvision), of(Kernel::Pil12));
    }
}
