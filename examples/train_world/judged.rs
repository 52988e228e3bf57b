//! Do generated faces obey their captions? The judge looks at 800 of them.

use std::collections::BTreeMap;

use hardlight::diffusion::pipeline::{ImageRequest, Outcome, Pipeline, Sampling};
use hardlight::diffusion::record::LongPrompts;
use hardlight::io;
use hardlight::world::caption::Aspect;
use hardlight::world::judge::{Judge, named, shows};
use image::{GenericImage, RgbImage};
use tch::Kind;

use crate::Job;

/// Every attribute and colour at least twice, the old with each colour of hair, a hat on either age.
const CAPTIONS: [&str; 16] = [
    "a photo of an old man with black hair on a blue background",
    "a photo of an old woman with brown hair on a white background",
    "a photo of an old man with a beard and blond hair on a red background",
    "a photo of an old woman with glasses and red hair on a grey background",
    "a photo of an old man with a hat and grey hair on a blue background",
    "a photo of an old woman with a hat on a green background",
    "a photo of an old woman with a smile on an orange background",
    "a photo of an old man with glasses and a smile on a purple background",
    "a photo of a young man with a hat on a yellow background",
    "a photo of a young man with glasses and black hair on a red background",
    "a photo of a young man with a beard and a smile on a purple background",
    "a photo of a young man with brown hair on a grey background",
    "a photo of a young woman with a smile and grey hair on a green background",
    "a photo of a young woman with glasses, a hat and a smile on a yellow background",
    "a photo of a young woman with red hair on a white background",
    "a photo of a young woman with blond hair on an orange background",
];

const EACH: u64 = 50;

/// Samples, judges, and writes `generated.json` and the sheet `generated.png`.
pub(crate) fn judge(job: &Job) -> anyhow::Result<()> {
    let pipeline = Pipeline::open(&job.out.join("diffusion"), job.device, Kind::Float)?;
    let judge = Judge::read(&job.out.join("judge"), job.device)?;
    let sampling = Sampling {
        steps: 12,
        guidance: 4.0,
        batch: 10,
        ..Sampling::default()
    };
    let unconditional = pipeline.encode_negative("", LongPrompts::Cut)?;
    let mut sheet = RgbImage::new(16 * 64, CAPTIONS.len() as u32 * 64);
    let mut report = BTreeMap::new();
    let mut all = 0;
    let mut wrong: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, caption) in CAPTIONS.iter().enumerate() {
        let encoded = pipeline.encode(caption, LongPrompts::Cut)?;
        let mut images = Vec::new();
        for start in (0..EACH).step_by(sampling.batch) {
            let requests: Vec<ImageRequest<'_>> = (start..start + sampling.batch as u64)
                .map(|seed| ImageRequest {
                    caption: &encoded,
                    seed,
                    embedding: None,
                    start: None,
                })
                .collect();
            if let Outcome::Done(sampled) =
                pipeline.sample(&requests, &unconditional, &sampling, &|| false)?
            {
                images.extend(sampled.into_iter().map(|s| s.image));
            }
        }
        let asked = named(caption);
        let values = judge.values(&images)?;
        let right = values.iter().filter(|shown| shows(shown, &asked)).count();
        for &(aspect, value) in &asked {
            let missed = values.iter().filter(|v| v[aspect as usize] != value);
            *wrong.entry(Aspect::as_str(aspect)).or_default() += missed.count();
        }
        for (column, image) in images.iter().take(16).enumerate() {
            sheet.copy_from(image, column as u32 * 64, row as u32 * 64)?;
        }
        println!("generated: {caption:?}: {right} of {EACH} show all that it names");
        report.insert(*caption, right as f64 / EACH as f64);
        all += right;
    }
    let share = all as f64 / (CAPTIONS.len() as u64 * EACH) as f64;
    println!("generated: {share:.4} show all that their caption names; amiss: {wrong:?}");
    sheet.save(job.work.join("generated.png"))?;
    let json = serde_json::json!({
        "right": share, "by_caption": report, "amiss": wrong, "steps": sampling.steps, "guidance": sampling.guidance,
    });
    io::write_atomic(
        &job.work.join("generated.json"),
        json.to_string().as_bytes(),
    )?;
    Ok(())
}
