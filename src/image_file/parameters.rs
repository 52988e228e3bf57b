//! How an image was made, as text that other tools read.
//!
//! Source: AUTOMATIC1111 stable-diffusion-webui, `modules/processing.py`, `create_infotext`.

use std::fmt::{self, Display};

use serde_json::Value;

/// How an image was made; shown as AUTOMATIC1111's web UI writes and reads it.
///
/// ```
/// let parameters = hardlight::image_file::Parameters {
///     caption: "a photo of a cat".to_owned(),
///     negative_prompt: "blurry".to_owned(),
///     steps: 20,
///     scheduler: "euler-ancestral".to_owned(),
///     guidance: 7.0,
///     seed: 1,
///     width: 512,
///     height: 512,
///     model: "sd-v1-5".to_owned(),
///     strength: Some(0.5),
/// };
/// assert_eq!(
///     parameters.to_string(),
///     "a photo of a cat\nNegative prompt: blurry\n\
///      Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: sd-v1-5, Denoising strength: 0.5"
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// The prompt.
    pub caption: String,
    /// The negative prompt; empty for none.
    pub negative_prompt: String,
    /// Denoising steps.
    pub steps: u32,
    /// Name of the scheduler, ours or anyone's.
    pub scheduler: String,
    /// Guidance scale.
    pub guidance: f64,
    /// Seed of the noise.
    pub seed: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Name of the model.
    pub model: String,
    /// How much of an image was replaced that it started from; none if it started from noise.
    pub strength: Option<f64>,
}

impl Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            caption,
            negative_prompt,
            steps,
            scheduler,
            guidance,
            seed,
            width,
            height,
            model,
            strength,
        } = self;
        writeln!(f, "{caption}")?;
        if !negative_prompt.is_empty() {
            writeln!(f, "Negative prompt: {negative_prompt}")?;
        }
        let sampler = quote(sampler(scheduler));
        write!(
            f,
            "Steps: {steps}, Sampler: {sampler}, CFG scale: {guidance}, Seed: {seed}, \
             Size: {width}x{height}"
        )?;
        if !model.is_empty() {
            write!(f, ", Model: {}", quote(model))?;
        }
        if let Some(strength) = strength {
            write!(f, ", Denoising strength: {strength}")?;
        }
        Ok(())
    }
}

/// What the web UI calls a scheduler of ours; other names stay.
fn sampler(scheduler: &str) -> &str {
    match scheduler {
        "ddim" => "DDIM",
        "ddpm" => "DDPM",
        "pndm" => "PLMS",
        "euler" => "Euler",
        "euler-ancestral" => "Euler a",
        "dpm++" => "DPM++ 2M",
        "heun" => "Heun",
        "lms" => "LMS",
        "lcm" => "LCM",
        "unipc" => "UniPC",
        other => other,
    }
}

/// A value of the last line: one that could be taken for more than one is quoted as JSON
/// (`modules/infotext_utils.py`, `quote`).
fn quote(text: &str) -> String {
    if text.contains([',', ':', '\n']) {
        Value::from(text).to_string()
    } else {
        text.to_owned()
    }
}
