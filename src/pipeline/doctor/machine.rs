//! The machine: libtorch, devices, memory, and what would be used of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tch::{Cuda, Device, Kind, utils};

use crate::nn::attention;

/// Width of CLIP's heads, and of most of Stable Diffusion's.
const HEAD_DIM: i64 = 64;

/// All that can be said without a model. What is not known is null.
pub(super) fn look(device: Device, kind: Kind) -> Value {
    let cuda = Cuda::is_available();
    let folder = libtorch();
    let variable = |name| std::env::var(name).ok();
    let mib = |name| memory(name).map(|kib| kib / 1024);
    json!({
        "hardlight": env!("CARGO_PKG_VERSION"),
        "libtorch": folder.as_deref().and_then(version),
        // Its C interface does not tell; `tch` 0.24 is made for this one.
        "libtorch_expected": "2.11.0",
        "libtorch_folder": folder,
        "cuda": cuda,
        "cuda_devices": Cuda::device_count(),
        "cuda_runtime": cuda.then(utils::version_cudart),
        "cudnn": (cuda && Cuda::cudnn_is_available()).then(utils::version_cudnn),
        "cards": cards(),
        "device": shown(device),
        "dtype": dtype(kind),
        "attention": kernel(HEAD_DIM, false, kind, device),
        "attention_masked": kernel(HEAD_DIM, true, kind, device),
        "threads": tch::get_num_threads(),
        "threads_between_operations": tch::get_num_interop_threads(),
        "cores": std::thread::available_parallelism().ok().map(usize::from),
        "memory_mib": mib("MemTotal:"),
        "memory_available_mib": mib("MemAvailable:"),
        "OMP_WAIT_POLICY": variable("OMP_WAIT_POLICY"),
        "OMP_NUM_THREADS": variable("OMP_NUM_THREADS"),
        "CUDA_VISIBLE_DEVICES": variable("CUDA_VISIBLE_DEVICES"),
    })
}

/// The kernel that attention takes for heads of a width; libtorch's complaint if it has none.
pub(super) fn kernel(head_dim: i64, masked: bool, kind: Kind, device: Device) -> String {
    attention::kernel(head_dim, masked, kind, device)
        .map_or_else(|error| error.to_string(), str::to_owned)
}

/// An element type as `--dtype` spells it.
pub(super) fn dtype(kind: Kind) -> &'static str {
    match kind {
        Kind::Half => "fp16",
        Kind::BFloat16 => "bf16",
        _ => "fp32",
    }
}

fn shown(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The folder of the library in use, which is among this process's mapped files.
fn libtorch() -> Option<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines()
        .filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])))
        .find(|path| path.file_stem().is_some_and(|name| name == "libtorch_cpu"))?
        .parent()
        .map(Path::to_path_buf)
}

/// What lies beside a library's folder: `build-version` (the plain library) or `version.py`
/// (Python's package).
fn version(folder: &Path) -> Option<String> {
    let beside = |name| fs::read_to_string(folder.parent()?.join(name)).ok();
    if let Some(text) = beside("build-version") {
        return Some(text.trim().to_owned());
    }
    let text = beside("version.py")?;
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(value.trim_matches(['\'', '"']).to_owned())
}

/// Name, total and free memory of every card, as the driver lists them; nothing without its tool.
fn cards() -> Vec<String> {
    let output = Command::new("nvidia-smi")
        .arg("--query-gpu=name,memory.total,memory.free")
        .arg("--format=csv,noheader")
        .output();
    let Ok(output) = output else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter(|_| output.status.success());
    lines.map(str::to_owned).collect()
}

/// A line of Linux's `/proc/meminfo`, KiB.
fn memory(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
