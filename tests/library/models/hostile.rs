//! Files made to crash a reader, or to take all memory: each is refused with the error that says why.

use std::fs;
use std::path::{Path, PathBuf};

use hardlight::diffusion::config::{ConfigError, UnetConfig, VaeConfig};
use hardlight::diffusion::schedulers::{self, SchedulerConfig, SchedulerError};
use hardlight::diffusion::unet::Unet;
use hardlight::diffusion::vae::Vae;
use hardlight::nn::clip::config::{ClipConfig, TextConfig};
use hardlight::nn::params::{Init, Params, ParamsError, load_all};
use proptest::prelude::*;
use safetensors::SafeTensorError as Format;
use serde_json::{Value, json};
use tch::{Device, Kind};
use tempfile::TempDir;

use super::{WEIGHTS, golden};

/// A temp folder with one file.
fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn open(path: &Path) -> Result<Params, ParamsError> {
    Params::open(path, Kind::Float, Device::Cpu)
}

/// A header with its length before it, and `data` bytes of zeros behind.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(vec![0; data]);
    bytes
}

fn tensor(name: &str, dtype: &str, shape: &str, from: usize, to: usize) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
}

/// What the format's reader says of a file; the message must name it.
fn format_error(bytes: &[u8]) -> Format {
    let (_dir, path) = file("model.safetensors", bytes);
    let error = open(&path).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()));
    match error {
        ParamsError::Format {
            path: named,
            source,
        } if named == path => source,
        other => panic!("{other:?}"),
    }
}

macro_rules! assert_format {
    ($bytes:expr, $pattern:pat) => {
        let error = format_error($bytes);
        assert!(matches!(&error, $pattern), "{error:?}");
    };
}

#[test]
fn a_pickle_is_a_pickle_under_every_name() {
    for name in ["w.bin", "w.ckpt", "w.pt", "w.safetensors"] {
        for bytes in [&b"PK\x03\x04archive/data.pkl"[..], b"\x80\x02}q\x00."] {
            let (_dir, path) = file(name, bytes);
            let error = open(&path).unwrap_err();
            assert!(
                matches!(&error, ParamsError::Pickle { path: named } if *named == path),
                "{error}"
            );
        }
    }
}

#[test]
fn a_header_of_a_wrong_length_is_refused() {
    let whole = safetensors(&format!("{{{}}}", tensor("a", "F32", "[1]", 0, 4)), 4);
    assert_format!(b"", Format::HeaderTooSmall);
    assert_format!(&whole[..7], Format::HeaderTooSmall);
    assert_format!(&whole[..30], Format::InvalidHeaderLength);
    assert_format!(&whole[..whole.len() - 1], Format::MetadataIncompleteBuffer);
    assert_format!(
        &[&whole[..], &[0]].concat(),
        Format::MetadataIncompleteBuffer
    );
    // The format's cap is 100 MB, of which nothing is read.
    for length in [100_000_001, u64::MAX / 2, u64::MAX] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert_format!(&bytes, Format::HeaderTooLarge);
    }
    let bytes = [&100_000_000_u64.to_le_bytes()[..], b"{}"].concat();
    assert_format!(&bytes, Format::InvalidHeaderLength);
}

#[test]
fn a_header_that_is_not_utf_8_or_json_is_refused() {
    let bytes = [&2_u64.to_le_bytes()[..], b"{\xff"].concat();
    assert_format!(&bytes, Format::InvalidHeader(_));
    let wild = [
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "[".repeat(100_000),
        r#"{"a":1}"#.to_owned(),
        format!("{{{}}}", tensor("a", "F33", "[1]", 0, 4)),
        format!("{{{}}}", tensor("a", "F32", "[-1]", 0, 4)),
        format!("{{{}}}", tensor("a", "F32", "[1e3]", 0, 4000)),
        format!("{{{}}} trailing", tensor("a", "F32", "[1]", 0, 4)),
    ];
    for header in wild {
        assert_format!(
            &safetensors(&header, 4),
            Format::InvalidHeaderDeserialization(_)
        );
    }
}

#[test]
fn offsets_that_overlap_leave_holes_or_leave_the_file_are_refused() {
    let two = |first: (usize, usize), second: (usize, usize), data: usize| {
        let a = tensor("a", "F32", "[2]", first.0, first.1);
        let b = tensor("b", "F32", "[2]", second.0, second.1);
        safetensors(&format!("{{{a},{b}}}"), data)
    };
    let (_dir, path) = file("model.safetensors", &two((0, 8), (8, 16), 16));
    open(&path).unwrap();
    for bytes in [
        two((0, 8), (4, 12), 12),
        two((0, 8), (0, 8), 8),
        two((0, 8), (12, 20), 20),
        two((4, 12), (12, 20), 20),
        two((0, 8), (16, 8), 16),
    ] {
        assert_format!(&bytes, Format::InvalidOffset(_));
    }
    assert_format!(&two((0, 8), (8, 16), 12), Format::MetadataIncompleteBuffer);
    let far = tensor("a", "F32", "[2]", 0, usize::MAX);
    assert_format!(
        &safetensors(&format!("{{{far}}}"), 8),
        Format::TensorInvalidInfo
    );
}

#[test]
fn shapes_that_do_not_fit_their_bytes_are_refused() {
    let one = |shape: &str, to: usize| {
        let tensor = tensor("a", "F32", shape, 0, to);
        safetensors(&format!("{{{tensor}}}"), to)
    };
    assert_format!(&one("[3]", 8), Format::TensorInvalidInfo);
    for shape in [
        "[4294967296,4294967296]",
        "[9223372036854775808]",
        "[2,9223372036854775807]",
    ] {
        assert_format!(&one(shape, 8), Format::ValidationOverflow);
    }
    // No bytes at all, but a side that libtorch cannot count.
    let (_dir, path) = file("model.safetensors", &one("[0,9223372036854775808]", 0));
    let error = load_all(&path).unwrap_err();
    assert!(matches!(error, ParamsError::Torch { .. }), "{error:?}");
}

#[test]
fn a_name_given_twice_is_refused() {
    // Both at the same place, so that nothing else is wrong.
    let a = tensor("a", "F32", "[2]", 0, 8);
    let b = tensor("a", "F16", "[4]", 0, 8);
    match format_error(&safetensors(&format!("{{{a},{b}}}"), 8)) {
        Format::InvalidHeaderDeserialization(error) => {
            assert!(
                error.to_string().contains("\"a\" stands there twice"),
                "{error}"
            );
        }
        other => panic!("{other}"),
    }
}

#[test]
fn numbers_that_are_no_floats_are_refused_by_tensor() {
    for (dtype, bytes) in [("I64", 8), ("U8", 1), ("F8_E4M3", 1), ("BOOL", 1)] {
        let tensor = tensor("weight", dtype, "[1]", 0, bytes);
        let (_dir, path) = file(
            "model.safetensors",
            &safetensors(&format!("{{{tensor}}}"), bytes),
        );
        for params in [open(&path), Params::inspect(&path)] {
            let params = params.unwrap();
            let _ = params.root().param("weight", &[1], Init::Const(0.0));
            match params.finish().unwrap_err() {
                ParamsError::Dtype {
                    name, dtype: found, ..
                } => {
                    assert_eq!((&*name, &*found), ("weight", dtype));
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_file_without_tensors_lacks_all_of_them() {
    let (_dir, path) = file("model.safetensors", &safetensors("{}", 0));
    let params = open(&path).unwrap();
    let _ = params.root().param("weight", &[3], Init::Const(0.0));
    match params.finish().unwrap_err() {
        ParamsError::Mismatch { report, .. } => {
            assert_eq!(report.missing, [("weight".to_owned(), vec![3])]);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_no_file_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("folder.safetensors");
    fs::create_dir(&folder).unwrap();
    let mut paths = vec![folder];
    #[cfg(unix)]
    {
        let ring = dir.path().join("ring.safetensors");
        std::os::unix::fs::symlink(&ring, &ring).unwrap();
        paths.push(ring);
    }
    for path in paths {
        let error = open(&path).unwrap_err();
        assert!(
            matches!(&error, ParamsError::Open { path: named, .. } if *named == path),
            "{error:?}"
        );
    }
}

#[test]
fn an_absurd_shape_costs_no_memory() {
    // 2⁵⁰ numbers, 4 PB.
    let (_dir, path) = file("model.safetensors", &safetensors("{}", 0));
    let params = open(&path).unwrap();
    let shape = [1 << 20, 1 << 30];
    let zeros = params.root().param("weight", &shape, Init::Const(0.0));
    assert_eq!(zeros.size(), shape);
    assert!(matches!(params.finish(), Err(ParamsError::Mismatch { .. })));
}

/// A golden config with one value replaced.
fn edited(folder: &str, key: &str, value: &Value) -> (TempDir, PathBuf) {
    let text = fs::read(golden(folder).join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&text).unwrap();
    config[key] = value.clone();
    file("config.json", config.to_string().as_bytes())
}

/// The refusal's key, value and what was expected.
fn refusal(error: ConfigError) -> (String, String, String) {
    let text = error.to_string();
    match error {
        ConfigError::Unsupported {
            path,
            key,
            found,
            expected,
        } => {
            for part in [path.to_str().unwrap(), &key, &found, &expected] {
                assert!(text.contains(part), "{text}");
            }
            (key, found, expected)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_blocks_are_named_with_those_that_are_known() {
    let blocks = json!(["CrossAttnDownBlock2D", "KDownBlock2D"]);
    let (_dir, path) = edited("unet/sd1", "down_block_types", &blocks);
    let (key, found, expected) = refusal(UnetConfig::read(&path).unwrap_err());
    assert_eq!((&*key, &*found), ("down_block_types", "\"KDownBlock2D\""));
    assert_eq!(expected, "one of DownBlock2D, CrossAttnDownBlock2D");

    let (_dir, path) = edited("vae/sd", "up_block_types", &json!(["AttnUpDecoderBlock2D"]));
    let (key, found, expected) = refusal(VaeConfig::read(&path).unwrap_err());
    assert_eq!(
        (&*key, &*found),
        ("up_block_types", "\"AttnUpDecoderBlock2D\"")
    );
    assert_eq!(expected, "one of UpDecoderBlock2D");
}

#[test]
fn an_unknown_scheduler_is_named_with_those_that_are_known() {
    let json = r#"{"_class_name": "FlowMatchEulerDiscreteScheduler"}"#;
    let config = SchedulerConfig::parse("scheduler_config.json", json).unwrap();
    match schedulers::build(None, &config, 20, 0.0).err().unwrap() {
        SchedulerError::UnknownClass { class, known, .. } => {
            assert_eq!(class, "FlowMatchEulerDiscreteScheduler");
            assert!(known.contains("ddim") && known.contains("dpm++"), "{known}");
        }
        other => panic!("{other}"),
    }
    let json = r#"{"_class_name": "DDIMScheduler", "num_train_timesteps": 1000000000000}"#;
    let config = SchedulerConfig::parse("scheduler_config.json", json).unwrap();
    let text = schedulers::build(None, &config, 20, 0.0).err().unwrap();
    assert!(text.to_string().contains("num_train_timesteps"), "{text}");
}

#[test]
#[allow(clippy::too_many_lines, reason = "a list of keys a config")]
fn absurd_sizes_are_refused_by_key_before_anything_is_allocated() {
    let wild = [
        json!(0),
        json!(-1),
        json!(1_000_000_000_000_i64),
        json!(i64::MAX),
    ];
    for key in [
        "sample_size",
        "in_channels",
        "out_channels",
        "cross_attention_dim",
        "layers_per_block",
        "attention_head_dim",
        "num_attention_heads",
        "transformer_layers_per_block",
    ] {
        for value in &wild {
            let (_dir, path) = edited("unet/sd1", key, value);
            let (named, found, _) = refusal(UnetConfig::read(&path).unwrap_err());
            assert_eq!((named, found), (key.to_owned(), value.to_string()));
        }
    }
    for key in [
        "in_channels",
        "out_channels",
        "latent_channels",
        "layers_per_block",
    ] {
        for value in &wild {
            let (_dir, path) = edited("vae/sd", key, value);
            let (named, found, _) = refusal(VaeConfig::read(&path).unwrap_err());
            assert_eq!((named, found), (key.to_owned(), value.to_string()));
        }
    }
    let channels = [
        json!([]),
        json!([0, 12]),
        json!([-8, 12]),
        json!([8, 1_000_000_000_000_i64]),
        json!([i64::MIN, 12]),
        json!(vec![8; 64]),
    ];
    for value in channels {
        let (_dir, path) = edited("unet/sd1", "block_out_channels", &value);
        let (named, ..) = refusal(UnetConfig::read(&path).unwrap_err());
        assert_eq!(named, "block_out_channels");
        let (_dir, path) = edited("vae/sd", "block_out_channels", &value);
        let (named, ..) = refusal(VaeConfig::read(&path).unwrap_err());
        assert_eq!(named, "block_out_channels");
    }
    for (folder, key, value) in [
        ("unet/sd1", "downsample_padding", json!(1_000_000)),
        ("unet/sd1", "norm_num_groups", json!(0)),
        ("unet/sd1", "norm_num_groups", json!(-4)),
        ("unet/sd1", "norm_num_groups", json!(i64::MAX)),
    ] {
        let (_dir, path) = edited(folder, key, &value);
        refusal(UnetConfig::read(&path).unwrap_err());
    }
    for (key, value) in [
        ("norm_num_groups", json!(0)),
        ("scaling_factor", json!(0.0)),
        ("scaling_factor", json!(-1.0)),
    ] {
        let (_dir, path) = edited("vae/sd", key, &value);
        refusal(VaeConfig::read(&path).unwrap_err());
    }
}

#[test]
fn absurd_towers_are_refused_by_key() {
    for key in [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
        "projection_dim",
    ] {
        for value in [json!(0), json!(-1), json!(1_000_000_000)] {
            let text = json!({ key: value });
            let error = serde_json::from_value::<TextConfig>(text.clone()).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
            let whole = json!({ "text_config": text });
            serde_json::from_value::<ClipConfig>(whole).unwrap_err();
        }
    }
}

/// Bytes with some of them replaced, taken out or put in.
fn mutated(whole: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    // Half of the changes hit the header, where they matter.
    let (len, head) = (whole.len(), whole.len().min(2048));
    let at = prop_oneof![0..head, 0..len];
    let change = (at, any::<u8>(), 0..3_u8);
    proptest::collection::vec(change, 1..8).prop_map(move |changes| {
        let mut bytes = whole.clone();
        for (at, byte, how) in changes {
            let at = at.min(bytes.len().saturating_sub(1));
            match how {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 if !bytes.is_empty() => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

fn read(folder: &str, file: &str) -> Vec<u8> {
    fs::read(golden(folder).join(file)).unwrap()
}

/// Builds what a folder describes; whatever comes of it, it must come back.
fn build_vae(config: &Path, weights: &Path) -> Option<()> {
    let config = VaeConfig::read(config).ok()?;
    for params in [open(weights), Params::inspect(weights)] {
        let params = params.ok()?;
        let _ = Vae::new(&params.root(), &config);
        params.finish().ok()?;
    }
    Some(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn mutated_weights_are_read_or_refused(bytes in mutated(read("vae/sd", WEIGHTS))) {
        let (_dir, path) = file(WEIGHTS, &bytes);
        let _ = load_all(&path);
        let _ = build_vae(&golden("vae/sd").join("config.json"), &path);
    }

    #[test]
    fn mutated_configs_are_read_or_refused(bytes in mutated(read("vae/sd", "config.json"))) {
        let (_dir, path) = file("config.json", &bytes);
        let _ = build_vae(&path, &golden("vae/sd").join(WEIGHTS));
    }

    #[test]
    fn mutated_unet_configs_are_read_or_refused(bytes in mutated(read("unet/xl", "config.json"))) {
        let (_dir, path) = file("config.json", &bytes);
        if let Ok(config) = UnetConfig::read(&path) {
            let params = Params::inspect(&golden("unet/xl").join(WEIGHTS)).unwrap();
            let _ = Unet::new(&params.root(), &config);
            let _ = params.finish();
        }
    }
}
