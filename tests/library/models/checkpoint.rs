//! Checkpoints that do not fit, and files that are none.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hardlight::diffusion::config::VaeConfig;
use hardlight::diffusion::vae::Vae;
use hardlight::nn::params::{Init, Mismatch, Params, ParamsError, load_all, save};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use super::{WEIGHTS, golden};

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn open_error(bytes: &[u8]) -> (PathBuf, ParamsError) {
    let (_dir, path) = file(bytes);
    let error = Params::open(&path, Kind::Float, Device::Cpu).unwrap_err();
    (path, error)
}

/// A whole VAE checkpoint, edited.
fn misfit(edit: impl FnOnce(&mut BTreeMap<String, Tensor>)) -> (Mismatch, String) {
    let folder = golden("vae/sd");
    let mut tensors = load_all(&folder.join(WEIGHTS)).unwrap();
    edit(&mut tensors);
    let (_dir, path) = file(&[]);
    save(&path, &tensors, Kind::Float).unwrap();
    let config = VaeConfig::read(&folder.join("config.json")).unwrap();
    let params = Params::open(&path, Kind::Float, Device::Cpu).unwrap();
    let _vae = Vae::new(&params.root(), &config);
    let error = params.finish().unwrap_err();
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    match error {
        ParamsError::Mismatch { report, .. } => (report, text),
        other => panic!("{other}"),
    }
}

#[test]
fn every_missing_unused_and_wrong_shaped_tensor_is_reported_at_once() {
    let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
    let (report, text) = misfit(|tensors| {
        for name in ["decoder.conv_in.bias", "encoder.conv_in.weight"] {
            assert!(tensors.remove(name).is_some());
        }
        tensors.insert("quant_conv.weight".to_owned(), zeros(&[4, 8, 1, 1]));
        tensors.insert("encoder.conv_out.bias".to_owned(), zeros(&[]));
        tensors.insert("loss.perceptual".to_owned(), zeros(&[2, 5]));
        tensors.insert("decoder.conv_in.bias_ema".to_owned(), zeros(&[6]));
    });
    let named = |list: &[(&str, &[i64])]| -> Vec<(String, Vec<i64>)> {
        list.iter()
            .map(|(name, shape)| ((*name).to_owned(), shape.to_vec()))
            .collect()
    };
    let mut missing = report.missing.clone();
    missing.sort();
    let want = [
        ("decoder.conv_in.bias", &[6][..]),
        ("encoder.conv_in.weight", &[4, 3, 3, 3]),
    ];
    assert_eq!(missing, named(&want));
    let want = [
        ("decoder.conv_in.bias_ema", &[6][..]),
        ("loss.perceptual", &[2, 5]),
    ];
    assert_eq!(report.unused, named(&want));
    let mut wrong = report.wrong_shape.clone();
    wrong.sort();
    let want = [
        ("encoder.conv_out.bias".to_owned(), vec![8], vec![]),
        (
            "quant_conv.weight".to_owned(),
            vec![8, 8, 1, 1],
            vec![4, 8, 1, 1],
        ),
    ];
    assert_eq!(wrong, want);
    for line in [
        "missing  decoder.conv_in.bias [6]",
        "missing  encoder.conv_in.weight [4, 3, 3, 3]",
        "unused   decoder.conv_in.bias_ema [6]",
        "unused   loss.perceptual [2, 5]",
        "shape    encoder.conv_out.bias: expected [8], found []",
        "shape    quant_conv.weight: expected [8, 8, 1, 1], found [4, 8, 1, 1]",
    ] {
        assert!(
            text.lines().any(|l| l.trim() == line),
            "{line:?} is not in\n{text}"
        );
    }
}

#[test]
fn position_ids_of_old_checkpoints_are_not_called_unused() {
    let (report, _) = misfit(|tensors| {
        let ids = Tensor::arange(7, (Kind::Float, Device::Cpu));
        tensors.insert(
            "text_model.embeddings.position_ids".to_owned(),
            ids.shallow_clone(),
        );
        tensors.insert("other_ids".to_owned(), ids);
    });
    assert_eq!(report.unused, [("other_ids".to_owned(), vec![7])]);
}

#[test]
fn a_pickle_under_another_name_is_refused_by_name_and_reason() {
    let zip = b"PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl\x80\x02}q\x00.";
    let legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";
    for bytes in [&zip[..], &legacy[..], b"\x80\x05}\x94.", b"\x80\x04}\x94."] {
        let (path, error) = open_error(bytes);
        assert!(
            matches!(&error, ParamsError::Pickle { path: named } if *named == path),
            "{error}"
        );
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert!(
            text.contains("PyTorch pickle") && text.contains("can run code"),
            "{text}"
        );
        assert!(text.contains("save_file"), "no way out: {text}");
    }
}

#[test]
fn a_broken_or_cut_file_is_refused_by_name() {
    let whole = std::fs::read(golden("vae/sd").join(WEIGHTS)).unwrap();
    let cut = &whole[..whole.len() - 1];
    let header_too_long = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    for bytes in [b"", &b"<html>not found</html>"[..], cut, &header_too_long] {
        let (path, error) = open_error(bytes);
        assert!(
            matches!(&error, ParamsError::Format { path: named, .. } if *named == path),
            "{error}"
        );
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}

#[test]
fn an_absent_file_is_refused_by_name() {
    let path = tempfile::tempdir()
        .unwrap()
        .path()
        .join("model.safetensors");
    let error = Params::open(&path, Kind::Float, Device::Cpu).unwrap_err();
    assert!(matches!(error, ParamsError::Open { .. }), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()));
}

#[test]
fn whole_numbers_where_weights_belong_are_refused_by_tensor() {
    let header = br#"{"weight":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 16]].concat();
    let (_dir, path) = file(&bytes);
    let params = Params::open(&path, Kind::Float, Device::Cpu).unwrap();
    let _ = params.root().param("weight", &[2], Init::Const(0.0));
    match params.finish().unwrap_err() {
        ParamsError::Dtype { name, dtype, .. } => assert_eq!((&*name, &*dtype), ("weight", "I64")),
        other => panic!("{other}"),
    }
}

#[test]
fn every_element_type_is_converted_to_the_one_asked_for() {
    let (_dir, path) = file(&[]);
    let numbers = Tensor::from_slice(&[1.5_f32, -0.25, 0.0, 3.0]).view([2, 2]);
    for stored in [Kind::Float, Kind::Half, Kind::BFloat16] {
        save(
            &path,
            &[("a.weight".to_owned(), numbers.shallow_clone())].into(),
            stored,
        )
        .unwrap();
        for asked in [Kind::Float, Kind::Half, Kind::BFloat16] {
            let params = Params::open(&path, asked, Device::Cpu).unwrap();
            let got = params
                .root()
                .at("a")
                .param("weight", &[2, 2], Init::Const(0.0));
            params.finish().unwrap();
            assert_eq!(got.kind(), asked);
            // All four numbers are exact in every type.
            assert_eq!(got.to_kind(Kind::Float), numbers, "{stored:?} as {asked:?}");
        }
    }
}
