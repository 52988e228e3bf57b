//! The model card, from what was measured.

use std::fmt::Write as _;
use std::path::Path;

use hardlight::io;
use serde_json::Value;

use crate::Job;

fn noted(job: &Job, name: &str) -> Value {
    let path = job.work.join(format!("{name}.json"));
    let text = io::read_to_string(&path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn lines(value: &Value) -> String {
    let mut text = String::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        let value = value
            .as_f64()
            .filter(|v| v.fract() != 0.0)
            .map_or_else(|| value.to_string(), |v| format!("{v:.4}"));
        let _ = write!(
            text,
            "{}{key} {value}",
            if text.is_empty() { "" } else { ", " }
        );
    }
    text
}

/// A row a part, from the losses that [`crate::data::Log`] kept.
fn losses(job: &Job) -> String {
    let mut rows = String::new();
    for part in ["vae", "clip", "unet", "classifier", "judge"] {
        let path = job.work.join(format!("{part}.losses"));
        let text = io::read_to_string(&path).unwrap_or_default();
        let all: Vec<&str> = text.lines().filter_map(|l| l.split(' ').nth(1)).collect();
        let at = |tenths: usize| all.get((all.len() * tenths / 10).saturating_sub(1));
        let shown: Vec<&str> = [1, 5, 10].into_iter().filter_map(at).copied().collect();
        let _ = writeln!(rows, "| {part} | {} |", shown.join(", "));
    }
    rows
}

/// Every weight file below a folder, as `(path below it, bytes, SHA-256)`, sorted by path.
fn weight_files(root: &Path, below: &Path) -> anyhow::Result<Vec<(String, u64, String)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(weight_files(root, &path)?);
        } else if path.extension().is_some_and(|e| e == "safetensors") {
            let bytes = io::read(&root.join(&path))?;
            let size = bytes.len() as u64;
            found.push((path.display().to_string(), size, io::sha256_hex(&bytes)));
        }
    }
    found.sort();
    Ok(found)
}

/// Writes `README.md` into the folder of the weights.
#[allow(clippy::too_many_lines, reason = "one page of text")]
pub(crate) fn write(job: &Job) -> anyhow::Result<()> {
    let measured = noted(job, "measured");
    let generated = noted(job, "generated");
    let files = weight_files(&job.out, Path::new(""))?;
    let size = files.iter().map(|(_, bytes, _)| bytes).sum::<u64>() as f64 / 1e6;
    let mut listed = String::new();
    for (path, bytes, hash) in &files {
        let _ = writeln!(listed, "| `{path}` | {bytes} | `{hash}` |");
    }
    let mut by_caption = String::new();
    for (caption, right) in generated["by_caption"].as_object().into_iter().flatten() {
        let _ = writeln!(
            by_caption,
            "| {caption} | {:.2} |",
            right.as_f64().unwrap_or(0.0)
        );
    }
    let text = format!(
        "# The embedded world's models\n\n\
         Made by `cargo run --release --example train_world` with seed {seed}; {size:.1} MB in all, fp16.\n\
         This page is written by that example.\n\n\
         | folder | format | trained | measured on faces nothing was trained on |\n| --- | --- | --- | --- |\n\
         | `clip/` | Transformers `CLIPModel` | {clip_steps} steps | {clip} |\n\
         | `diffusion/vae` | Diffusers `AutoencoderKL` | {vae_steps} steps | {vae} |\n\
         | `diffusion/unet` | Diffusers `UNet2DConditionModel` | {unet_steps} steps | {unet} |\n\
         | `diffusion/text_encoder` | Transformers `CLIPTextModel` | CLIP's text tower | |\n\
         | `classifier/` | `hardlight-cnn` | 400 steps | accuracy on the demo's test: {classifier} |\n\
         | `judge/` | `hardlight-cnn` | {judge_steps} steps | tells every attribute: {judge} |\n\n\
         | file | bytes | SHA-256 |\n| --- | --- | --- |\n{listed}\n\
         ## Data\n\n\
         Faces drawn by `hardlight::world`, captions by its grammar. CLIP and the judge learn from `WorldConfig::INDEPENDENT`, in which every \
         attribute is independent of every other (beards: of men), VAE and UNet from the same without eyepatches, each from draws of its \
         own; the classifier from 1,000 faces of which 95 % are old men or young women. No photograph, no person, no third-party data. \
         The weights carry this project's licence.\n\n\
         ## Training\n\n\
         | part | loss at a tenth, half and all of its steps |\n| --- | --- |\n{losses}\n\
         ## Seen\n\n\
         800 pictures of 16 captions ({steps} steps of DPM-Solver++, guidance {guidance}), judged: {right:.3} show all that their caption names; the judge itself tells every attribute \
         of {accuracy:.4} of held-out drawn faces.\n\n\
         | caption | right |\n| --- | --- |\n{by_caption}\n\
         ## Limits\n\n\
         - 64 × 64 px drawn faces and about 220 tokens of vocabulary: good for watching the method work, and for tests; nothing else.\n\
         - The diffusion model has never seen an eyepatch; CLIP and the judge know it.\n",
        seed = job.seed,
        clip_steps = crate::clip::STEPS,
        vae_steps = crate::vae::STEPS,
        unet_steps = crate::unet::STEPS,
        judge_steps = crate::classifiers::JUDGE_STEPS,
        clip = lines(&measured["clip"]),
        vae = lines(&measured["vae"]),
        unet = lines(&measured["unet"]),
        classifier = lines(&measured["classifier"]),
        judge = lines(&measured["judge"]),
        losses = losses(job),
        steps = generated["steps"],
        guidance = generated["guidance"],
        right = generated["right"].as_f64().unwrap_or(f64::NAN),
        accuracy = measured["judge"]["held_out_accuracy"]
            .as_f64()
            .unwrap_or(f64::NAN),
    );
    io::write_atomic(&job.out.join("README.md"), text.as_bytes())?;
    Ok(())
}
