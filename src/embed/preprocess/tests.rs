use ::image::Rgb;
use serde_json::{Value, json};

use super::*;
use crate::io::image::{self, Exif};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/resize.json");

fn folder(file: &str, text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(file), text).unwrap();
    dir
}

fn transformers(config: &Value) -> Result<Preprocess, PreprocessError> {
    let dir = folder("preprocessor_config.json", &config.to_string());
    Preprocess::from_dir(dir.path())
}

fn open_clip(config: &Value) -> Result<Preprocess, PreprocessError> {
    Preprocess::from_dir(folder("open_clip_config.json", &config.to_string()).path())
}

/// The column of the image under every column of the crop, `None` where it is padded.
fn columns(preprocess: &Preprocess, width: u32) -> Vec<Option<u32>> {
    let image = RgbImage::from_fn(width, 1, |x, _| Rgb([x as u8 + 1, 0, 0]));
    let pixels = preprocess.apply(&image);
    let black = preprocess.values[0][0];
    let of = |value: f32| {
        let byte = preprocess.values[0]
            .iter()
            .position(|v| v.to_bits() == value.to_bits())
            .unwrap();
        (value.to_bits() != black.to_bits()).then(|| byte as u32 - 1)
    };
    (0..preprocess.crop.1)
        .map(|x| of(pixels[[0, 0, x]]))
        .collect()
}

#[test]
fn transformers_with_pillow_is_matched_to_the_last_bit() {
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(GOLDEN).unwrap()).unwrap();
    let cases = golden["preprocess"].as_array().unwrap();
    assert!(cases.len() >= 25);
    for case in cases {
        let size = |key: &str| case[key].as_u64().unwrap() as u32;
        let image = unhex(&case["image"]);
        let image = RgbImage::from_raw(size("width"), size("height"), image).unwrap();
        let ours = transformers(&case["config"]).unwrap().apply(&image);
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let theirs: Vec<f32> = serde_json::from_value(case["pixels"].clone()).unwrap();
        assert_eq!(ours.shape(), shape, "{}", case["config"]);
        assert_eq!(
            ours.into_raw_vec_and_offset().0,
            theirs,
            "{}",
            case["config"]
        );
    }
}

fn unhex(text: &Value) -> Vec<u8> {
    let hex = text.as_str().unwrap();
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

/// Made by `tests/oracle/golden/preprocess.py`.
#[test]
fn siglip_and_open_clip_are_matched_to_the_last_bit() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/preprocess.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = golden.as_array().unwrap();
    assert!(cases.len() >= 30);
    for case in cases {
        let size = |key: &str| case[key].as_u64().unwrap() as u32;
        let image =
            RgbImage::from_raw(size("width"), size("height"), unhex(&case["image"])).unwrap();
        let dir = folder(case["file"].as_str().unwrap(), &case["config"].to_string());
        let ours = Preprocess::from_dir(dir.path()).unwrap().apply(&image);
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        assert_eq!(ours.shape(), shape, "{}", case["config"]);
        let bytes: Vec<u8> = ours.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(bytes, unhex(&case["pixels"]), "{}", case["config"]);
    }
}

#[test]
fn an_image_of_the_right_size_is_only_normalised() {
    let config =
        json!({"size": 4, "crop_size": 4, "image_mean": [0.5, 0.5, 0.5], "image_std": 0.5});
    let image = RgbImage::from_fn(4, 4, |x, y| Rgb([(x * 60) as u8, (y * 60) as u8, 255]));
    for kernel in [Kernel::Pil, Kernel::Pil12, Kernel::Torchvision] {
        let pixels = transformers(&config)
            .unwrap()
            .with_kernel(kernel)
            .apply(&image);
        for ((channel, y, x), value) in pixels.indexed_iter() {
            let byte = image.get_pixel(x as u32, y as u32).0[channel];
            let expected = (f64::from(byte) / 255.0 - 0.5) / 0.5;
            assert!((f64::from(*value) - expected).abs() < 1e-6);
        }
    }
}

#[test]
fn crops_begin_where_each_reference_begins() {
    let config = json!({"do_resize": false, "crop_size": {"height": 1, "width": 4}});
    let with_pillow = transformers(&config).unwrap();
    let with_torchvision = with_pillow.clone().with_kernel(Kernel::Torchvision);
    // torchvision's own crop, as open_clip has it, with the resize switched off to see it alone.
    let open_clip = Preprocess {
        centre: Centre::Torchvision,
        ..with_pillow.clone()
    };
    let from = |first: u32| (first..first + 4).map(Some).collect::<Vec<_>>();
    // int(round(1/2)) = 0, int(round(3/2)) = 2, int(round(5/2)) = 2, int(round(7/2)) = 4.
    for (width, floor, even) in [
        (4, 0, 0),
        (5, 0, 0),
        (6, 1, 1),
        (7, 1, 2),
        (9, 2, 2),
        (11, 3, 4),
    ] {
        assert_eq!(columns(&with_pillow, width), from(floor), "{width}");
        assert_eq!(columns(&with_torchvision, width), from(floor), "{width}");
        assert_eq!(columns(&open_clip, width), from(even), "{width}");
    }
    // Three columns in four: one of padding, before (⌈½⌉) or after (⌊½⌋).
    assert_eq!(columns(&with_pillow, 3), [None, Some(0), Some(1), Some(2)]);
    assert_eq!(
        columns(&with_torchvision, 3),
        [Some(0), Some(1), Some(2), None]
    );
    assert_eq!(columns(&open_clip, 3), [Some(0), Some(1), Some(2), None]);
}

#[test]
fn an_open_clip_folder_is_read() {
    let preprocess = open_clip(&json!({
        "model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 240}},
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
            "interpolation": "bilinear", "resize_mode": "squash"},
    }))
    .unwrap();
    assert_eq!(preprocess.output_size(), (240, 240));
    assert_eq!(
        preprocess.target,
        Some(Target::Exact {
            height: 240,
            width: 240
        })
    );
    assert_eq!(preprocess.filter, Filter::Bilinear);
    assert_eq!(preprocess.centre, Centre::Torchvision);
    assert!((preprocess.values[2][255] - 2.0).abs() < 1e-6);

    let plain = open_clip(&json!({"preprocess_cfg": {"size": [224, 224]}})).unwrap();
    assert_eq!(plain.target, Some(Target::Shortest(224)));
    assert_eq!(plain.filter, Filter::Bicubic);
}

#[test]
fn defaults_are_those_of_openai_clip() {
    let bare = transformers(&json!({"feature_extractor_type": "CLIPFeatureExtractor"})).unwrap();
    assert_eq!(bare.output_size(), (224, 224));
    assert_eq!(bare.target, Some(Target::Shortest(224)));
    assert_eq!((bare.filter, bare.kernel()), (Filter::Bicubic, Kernel::Pil));
    assert!((bare.values[0][0] - (-0.481_454_66 / 0.268_629_54)).abs() < 1e-6);
}

#[test]
fn defaults_of_siglip_are_its_own() {
    let bare = transformers(&json!({"image_processor_type": "SiglipImageProcessor"})).unwrap();
    let square = Target::Exact {
        height: 224,
        width: 224,
    };
    assert_eq!(
        (bare.target, bare.output_size()),
        (Some(square), (224, 224))
    );
    assert_eq!((bare.values[1][0], bare.values[1][255]), (-1.0, 1.0));
}

#[test]
fn of_two_configs_the_models_own_counts() {
    let dir = folder(
        "open_clip_config.json",
        r#"{"preprocess_cfg": {"size": 8}}"#,
    );
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("preprocessor_config.json", r#"{"crop_size": 16}"#);
    let size = || Preprocess::from_dir(dir.path()).unwrap().output_size();
    assert_eq!(size(), (8, 8));
    write("config.json", "{}");
    assert_eq!(size(), (16, 16));
}

#[test]
fn the_image_processor_of_a_whole_processor_is_read() {
    // As `CLIPProcessor.save_pretrained` of Transformers 5 writes it.
    let whole = r#"{"image_processor": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 20},
        "crop_size": {"height": 16, "width": 16}}, "processor_class": "CLIPProcessor"}"#;
    let dir = folder("processor_config.json", whole);
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("config.json", "{}");
    let size = || Preprocess::from_dir(dir.path()).unwrap().output_size();
    assert_eq!(size(), (16, 16));
    write("preprocessor_config.json", r#"{"crop_size": 8}"#);
    assert_eq!(size(), (8, 8));

    let dir = folder(
        "processor_config.json",
        r#"{"processor_class": "CLIPProcessor"}"#,
    );
    let error = Preprocess::from_dir(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("processor_config.json") && error.contains("image_processor"),
        "{error}"
    );
}

#[test]
fn the_longer_side_is_truncated() {
    // 224 · 333 / 250 = 298.368 and 224 · 500 / 375 = 298.67: both 298.
    assert_eq!(Target::Shortest(224).size(250, 333), (224, 298));
    assert_eq!(Target::Shortest(224).size(500, 375), (298, 224));
}

#[test]
fn an_empty_image_is_all_padding() {
    let preprocess = transformers(&json!({"size": 4, "crop_size": 4})).unwrap();
    let pixels = preprocess.apply(&RgbImage::new(0, 7));
    assert_eq!(pixels.shape(), [3, 4, 4]);
    assert!(
        pixels
            .iter()
            .step_by(16)
            .zip(0..3)
            .all(|(v, c)| v.to_bits() == preprocess.values[c][0].to_bits())
    );
}

#[test]
fn a_setting_that_is_not_understood_names_its_key() {
    let key_of = |result: Result<Preprocess, PreprocessError>| match result.unwrap_err() {
        PreprocessError::Setting { key, .. } => key,
        other => panic!("{other}"),
    };
    for (config, key) in [
        (
            json!({"image_processor_type": "ViTImageProcessor"}),
            "image_processor_type",
        ),
        (json!({"do_center_crop": false}), "do_center_crop"),
        (json!({"do_pad": true}), "do_pad"),
        (
            json!({"image_processor_type": "SiglipImageProcessor", "size": 224}),
            "do_center_crop",
        ),
        (json!({"do_resize": "yes"}), "do_resize"),
        (json!({"size": {"shortest_edge": 0}}), "size.shortest_edge"),
        (
            json!({"size": {"shortest_edge": 224, "longest_edge": 448}}),
            "size",
        ),
        (json!({"size": {"height": 224}}), "size"),
        (json!({"crop_size": 1_000_000_000}), "crop_size"),
        (json!({"resample": 1}), "resample"),
        (json!({"image_mean": [0.5, 0.5]}), "image_mean"),
        (json!({"image_std": [0.5, 0.0, 0.5]}), "image_std"),
        (json!({"rescale_factor": "1/255"}), "rescale_factor"),
    ] {
        assert_eq!(key_of(transformers(&config)), key, "{config}");
    }
    for (config, key) in [
        (
            json!({"resize_mode": "longest"}),
            "preprocess_cfg.resize_mode",
        ),
        (json!({"size": [224, 336]}), "preprocess_cfg.resize_mode"),
        (json!({"mode": "L"}), "preprocess_cfg.mode"),
        (
            json!({"interpolation": "random"}),
            "preprocess_cfg.interpolation",
        ),
    ] {
        assert_eq!(
            key_of(open_clip(&json!({"preprocess_cfg": config}))),
            key,
            "{config}"
        );
    }
}

#[test]
fn a_bad_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = Preprocess::from_dir(dir.path()).unwrap_err();
    assert!(matches!(error, PreprocessError::Missing { dir: named } if named == dir.path()));
    let dir = folder("preprocessor_config.json", "{\"size\": ");
    let error = Preprocess::from_dir(dir.path()).unwrap_err();
    assert!(matches!(&error, PreprocessError::Json { .. }));
    assert!(error.to_string().contains("preprocessor_config.json"));
    let error = transformers(&json!({"size": -1})).unwrap_err().to_string();
    assert!(error.ends_with("size is -1, expected one or two side lengths from 1 to 8192 pixels"));
}

/// Made by `tests/oracle/golden/preprocess_modes.py`.
#[test]
fn pictures_that_are_not_rgb_are_resized_in_their_own_mode_for_open_clip() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/preprocess_modes.json"
    );
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let preprocess = open_clip(&json!({"preprocess_cfg": golden["config"]})).unwrap();
    let bytes = |pixels: Array3<f32>| -> Vec<u8> {
        let pixels = pixels.permuted_axes([1, 2, 0]);
        pixels.iter().map(|v| (v * 255.0).round() as u8).collect()
    };
    let mut differ = 0;
    for case in golden["cases"].as_array().unwrap() {
        let name = format!("{} {}", case["mode"], case["format"]);
        let picture = image::decode(&unhex(&case["file"]), Exif::Ignore).unwrap();
        let theirs = unhex(&case["pixels"]);
        let ours = bytes(preprocess.apply_decoded(&picture));
        assert_eq!(ours, theirs, "{name}");
        // Where the conversion stands shows; torchvision's kernel takes tensors, which are RGB.
        let rgb = picture.clone().into_rgb();
        differ += usize::from(bytes(preprocess.apply(&rgb)) != theirs);
        let torchvision = preprocess.clone().with_kernel(Kernel::Torchvision);
        assert_eq!(
            torchvision.apply_decoded(&picture),
            torchvision.apply(&rgb),
            "{name}"
        );
    }
    assert!(differ >= 8, "{differ}");
}

#[test]
fn transformers_lays_what_is_transparent_on_white_unless_its_config_converts_nothing() {
    // Image.alpha_composite of Pillow 13 over white, for these colors and alphas.
    let image = ::image::RgbaImage::from_vec(
        3,
        1,
        vec![200, 100, 0, 0, 200, 100, 0, 90, 17, 231, 128, 254],
    );
    let picture = DecodedImage::from(decoded::Pixels::Rgba(image.unwrap()));
    let bytes = |convert: bool| -> Vec<u8> {
        let config = json!({
            "do_resize": false, "crop_size": {"height": 1, "width": 3}, "do_normalize": false,
            "do_convert_rgb": convert,
        });
        let pixels = transformers(&config).unwrap().apply_decoded(&picture);
        let pixels = pixels.permuted_axes([1, 2, 0]);
        pixels.iter().map(|v| (v * 255.0).round() as u8).collect()
    };
    assert_eq!(bytes(true), ON_WHITE);
    assert_eq!(bytes(false), [200, 100, 0, 200, 100, 0, 17, 231, 128]);
}

const ON_WHITE: [u8; 9] = [255, 255, 255, 236, 200, 165, 18, 231, 128];
