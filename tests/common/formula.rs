//! Folders of `tests/golden` with their weights, of which none is stored: every number follows from a
//! seed and the tensor's name. `tests/oracle/golden/weights.py` says how and makes the same bits.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Deref;
use std::path::Path;

use half::f16;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use tch::Tensor;
use tempfile::TempDir;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// What a file with weights is called after, where only its description is stored.
const DESCRIPTION: &str = ".safetensors.json";

/// A temp folder with a model, gone with it.
pub(crate) struct Golden(TempDir);

impl Deref for Golden {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.0.path()
    }
}

/// The folder `tests/golden/NAME` with its weights.
pub(crate) fn golden(name: &str) -> Golden {
    let dir = tempfile::tempdir().unwrap();
    assemble(&Path::new(GOLDEN).join(name), dir.path());
    Golden(dir)
}

/// Inputs and outputs of the oracle.
pub(crate) fn expected(name: &str) -> BTreeMap<String, Tensor> {
    let folder = golden(name);
    let mut all = BTreeMap::new();
    for file in ["inputs.safetensors", "expected.safetensors"] {
        let path = folder.join(file);
        if path.exists() {
            all.extend(Tensor::read_safetensors(path).unwrap());
        }
    }
    assert!(!all.is_empty(), "nothing is expected of {name}");
    all
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Parts that lie elsewhere first, so that a file of the folder's own wins.
fn assemble(source: &Path, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let parts = source.join("parts.json");
    if parts.exists() {
        for (part, other) in json(&parts).as_object().unwrap() {
            let other = Path::new(GOLDEN).join(other.as_str().unwrap());
            assemble(&other, &folder.join(part));
        }
    }
    for entry in fs::read_dir(source).unwrap() {
        let from = entry.unwrap().path();
        let name = from.file_name().unwrap().to_str().unwrap();
        if from.is_dir() {
            assemble(&from, &folder.join(name));
        } else if name.ends_with(DESCRIPTION) {
            let to = folder.join(name).with_extension("");
            fs::write(to, checkpoint(&json(&from))).unwrap();
        } else if from != parts {
            fs::copy(&from, folder.join(name)).unwrap();
        }
    }
}

/// Names and leaves of a tree whose path, joined, is the name.
pub(crate) fn leaves(tree: &Value) -> Vec<(String, Value)> {
    match tree.as_object() {
        Some(branches) => branches
            .iter()
            .flat_map(|(key, below)| {
                leaves(below)
                    .into_iter()
                    .map(move |(rest, leaf)| (format!("{key}{rest}"), leaf))
            })
            .collect(),
        None => vec![(String::new(), tree.clone())],
    }
}

/// A file of safetensors by its description.
fn checkpoint(description: &Value) -> Vec<u8> {
    let half = description["dtype"] == "F16";
    let dtype = if half { Dtype::F16 } else { Dtype::F32 };
    let tensors: Vec<_> = leaves(&description["names"])
        .into_iter()
        .map(|(name, leaf)| {
            let shape: Vec<usize> = if leaf.is_array() {
                serde_json::from_value(leaf.clone()).unwrap()
            } else {
                Vec::new()
            };
            let given = if leaf.is_array() {
                description["given"].get(&name).cloned()
            } else {
                Some(Value::Array(vec![leaf]))
            };
            let plain = description["plain"] == true;
            let numbers: Vec<f32> = match given {
                Some(given) => serde_json::from_value(given).unwrap(),
                None => numbers(description["seed"].as_u64().unwrap(), &name, &shape, plain),
            };
            let bytes: Vec<u8> = numbers
                .iter()
                .flat_map(|&number| {
                    if half {
                        f16::from_f32(number).to_le_bytes().to_vec()
                    } else {
                        number.to_le_bytes().to_vec()
                    }
                })
                .collect();
            (name, shape, bytes)
        })
        .collect();
    let metadata = match &description["metadata"] {
        Value::Null => HashMap::from([("format".to_owned(), "pt".to_owned())]),
        metadata => serde_json::from_value(metadata.clone()).unwrap(),
    };
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(dtype, shape.clone(), bytes).unwrap();
        (name, view)
    });
    safetensors::serialize(views, Some(metadata)).unwrap()
}

fn numbers(seed: u64, name: &str, shape: &[usize], plain: bool) -> Vec<f32> {
    let table = [
        "token_embedding.weight",
        "position_embedding.weight",
        "positional_embedding",
        "probe",
    ];
    let table = table.iter().any(|end| name.ends_with(end));
    let inputs: usize = shape.iter().skip(1).product();
    let base = if name.ends_with(".weight") { 1.0 } else { 0.0 };
    draw(seed, name, shape.iter().product())
        .into_iter()
        .map(|noise| {
            let number = if plain || table {
                noise
            } else if shape.len() > 1 {
                noise / (inputs as f64).sqrt()
            } else {
                base + 0.2 * noise
            };
            number as f32
        })
        .collect()
}

/// Numbers of variance 1, evenly between −√3 and √3: `SplitMix64` from the FNV-1a hash of seed and
/// name.
pub(crate) fn draw(seed: u64, name: &str, count: usize) -> Vec<f64> {
    let state = format!("{seed}:{name}")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    (1..=count as u64)
        .map(|i| {
            let mut z = state.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            ((z >> 40) as f64 / 8_388_608.0 - 1.0) * 3.0_f64.sqrt()
        })
        .collect()
}
