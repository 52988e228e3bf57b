//! Do generated faces obey their captions? The judge looks at 400 of them.

use std::collections::BTreeMap;

use hardlight::classifier::Cnn;
use hardlight::diffusion::pipeline::{ImageRequest, Outcome, Pipeline, Sampling};
use hardlight::io;
use image::{GenericImage, RgbImage};
use tch::Kind;

use crate::Job;
use crate::classifiers::JUDGED;

/// Captions with the index of what they ask for in [`JUDGED`].
const CAPTIONS: [(&str, usize); 8] = [
    ("a photo of an old man", 0),
    (
        "a photo of an old man with glasses on a green background",
        0,
    ),
    ("a photo of an old woman", 1),
    ("a photo of an old woman with a hat on a blue background", 1),
    ("a photo of a young man", 2),
    (
        "a photo of a young man with a beard on a yellow background",
        2,
    ),
    ("a photo of a young woman", 3),
    (
        "a photo of a young woman with glasses on a red background",
        3,
    ),
];

const EACH: u64 = 50;

/// Samples, judges, and writes `generated.json` and the sheet `generated.png`.
pub(crate) fn judge(job: &Job) -> anyhow::Result<()> {
    let pipeline = Pipeline::open(&job.out.join("diffusion"), job.device, Kind::Float)?;
    let judge = Cnn::read(&job.out.join("judge"), job.device)?;
    let sampling = Sampling {
        steps: 12,
        guidance: 4.0,
        batch: 10,
        ..Sampling::default()
    };
    let unconditional = pipeline.encode_negative("")?;
    let mut sheet = RgbImage::new(16 * 64, CAPTIONS.len() as u32 * 64);
    let mut report = BTreeMap::new();
    let mut all = 0;
    for (row, (caption, wanted)) in CAPTIONS.iter().enumerate() {
        let encoded = pipeline.encode(caption)?;
        let mut images = Vec::new();
        for start in (0..EACH).step_by(sampling.batch) {
            let requests: Vec<ImageRequest<'_>> = (start..start + sampling.batch as u64)
                .map(|seed| ImageRequest {
                    caption: &encoded,
                    seed,
                    embedding: None,
                })
                .collect();
            if let Outcome::Done(sampled) =
                pipeline.sample(&requests, &unconditional, &sampling, &|| false)?
            {
                images.extend(sampled.into_iter().map(|s| s.image));
            }
        }
        let predicted = judge.predict(&images)?.classes();
        let right = predicted.iter().filter(|&&p| p == *wanted).count();
        for (column, image) in images.iter().take(16).enumerate() {
            sheet.copy_from(image, column as u32 * 64, row as u32 * 64)?;
        }
        let (age, gender) = JUDGED[*wanted];
        println!(
            "generated: {caption:?}: {right} of {EACH} are {} {}",
            age.as_str(),
            gender.as_str()
        );
        report.insert(*caption, right as f64 / EACH as f64);
        all += right;
    }
    let share = all as f64 / (CAPTIONS.len() as u64 * EACH) as f64;
    println!("generated: {share:.4} judged right in age and gender");
    sheet.save(job.work.join("generated.png"))?;
    let json = serde_json::json!({
        "right": share, "by_caption": report, "steps": sampling.steps, "guidance": sampling.guidance,
    });
    io::write_atomic(
        &job.work.join("generated.json"),
        json.to_string().as_bytes(),
    )?;
    Ok(())
}
