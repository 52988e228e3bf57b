//! What the world's judge, a network that tells age and gender, says of generated faces.

use std::path::{Path, PathBuf};

use super::read;
use crate::caption::grammar::says;
use crate::classifier::Cnn;
use crate::dataset::Split;
use crate::pipeline::error::Error;
use crate::pipeline::order::Finished;
use crate::report::retraining::Judge;
use crate::run::decide::Status;
use crate::run::gallery;

/// Faces with what a network should say of each.
type Wanted = (Vec<PathBuf>, Vec<String>);

/// What the world's judge says of drawn test faces, and of generated ones whose caption names a gender.
///
/// # Errors
///
/// Of kind input for a judge that is not sound, and for images that cannot be read.
pub fn judge(done: &Finished, weights: &Path) -> Result<Judge, Error> {
    let judge = Cnn::read(&weights.join("judge"), tch::Device::Cpu)?;
    let names = &judge.config().classes;
    let right = |(paths, wanted): &Wanted| -> Result<f64, Error> {
        let predicted = judge.predict(&read(paths)?)?.classes();
        let pairs = predicted.iter().zip(wanted);
        let right = pairs.filter(|(p, w)| names[**p] == **w).count();
        Ok(right as f64 / wanted.len().max(1) as f64)
    };
    let (generated, kept) = (generated(done, false), generated(done, true));
    Ok(Judge {
        accuracy: right(&drawn(done))?,
        generated_right: right(&generated)?,
        generated: generated.1.len(),
        kept_right: right(&kept)?,
        kept: kept.1.len(),
    })
}

/// The drawn faces of test.
fn drawn(done: &Finished) -> Wanted {
    let dataset = done.dataset();
    let test = done.embedded.usable().of_split(Split::Test);
    test.filter_map(|(_, e)| {
        let group = e.group.as_deref()?;
        let name = format!("{} {group}", dataset.classes()[e.label]);
        Some((dataset.image_path(e), name))
    })
    .unzip()
}

/// The generated faces that were written, or those kept.
fn generated(done: &Finished, kept_only: bool) -> Wanted {
    let layout = done.folder.layout();
    let all = done.decided.iter().flat_map(|decided| {
        let most = decided.policy.keep_rejected;
        gallery::shown(&layout, &decided.decisions, most)
    });
    all.filter(|(decision, _)| !kept_only || decision.status == Status::Kept)
        .filter_map(|(decision, path)| {
            let measured = &decision.measured;
            let mut genders = ["man", "woman"].into_iter();
            let gender = genders.find(|g| says(&measured.recipe.caption, g))?;
            Some((path, format!("{} {gender}", measured.class)))
        })
        .unzip()
}
