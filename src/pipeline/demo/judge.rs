//! What the world's judge, a network that tells every attribute of a face, says of generated ones.

use std::path::PathBuf;

use image::RgbImage;
use rayon::prelude::*;

use super::{DemoOptions, read};
use crate::pipeline::error::Error;
use crate::pipeline::order::Finished;
use crate::report::retraining::Judge;
use crate::run::decide::Status;
use crate::run::gallery;
use crate::world::caption::Aspect;
use crate::world::draw::draw;
use crate::world::judge::{self, named, shows, value};
use crate::world::retrain::WORLD_SEED;
use crate::world::splits::describe_population;

/// How often the judge tells all attributes of drawn test faces, and how often generated faces show all that their
/// captions name.
///
/// # Errors
///
/// Of kind input for a judge that is not sound, and for images that cannot be read.
pub fn judge(done: &Finished, options: &DemoOptions) -> Result<Judge, Error> {
    let judge = judge::Judge::read(&options.weights.join("judge"), tch::Device::Cpu)?;
    let (world, count) = (options.world.balanced(), options.sizes.test);
    let faces = describe_population(&world, WORLD_SEED, "test", count);
    let drawn: Vec<RgbImage> = faces.par_iter().map(draw).collect();
    let told = judge.values(&drawn)?;
    let truth = faces
        .iter()
        .map(|f| Aspect::ALL.map(|aspect| value(f, aspect)));
    let accuracy = share(told.iter().zip(truth).map(|(told, truth)| *told == truth));
    let right = |shown: &[(PathBuf, String)]| -> Result<f64, Error> {
        let paths: Vec<PathBuf> = shown.iter().map(|(path, _)| path.clone()).collect();
        let told = judge.values(&read(&paths)?)?;
        let pairs = told.iter().zip(shown);
        Ok(share(
            pairs.map(|(told, (_, caption))| shows(told, &named(caption))),
        ))
    };
    let (generated, kept) = (generated(done, false), generated(done, true));
    Ok(Judge {
        accuracy,
        generated_right: right(&generated)?,
        generated: generated.len(),
        kept_right: right(&kept)?,
        kept: kept.len(),
    })
}

/// The share of those that hold; 0 of none.
fn share(each: impl Iterator<Item = bool>) -> f64 {
    let (right, all) = each.fold((0_usize, 0_usize), |(right, all), is| {
        (right + usize::from(is), all + 1)
    });
    right as f64 / all.max(1) as f64
}

/// The generated faces that were written, or those kept, with their captions.
fn generated(done: &Finished, kept_only: bool) -> Vec<(PathBuf, String)> {
    let layout = done.folder.layout();
    let all = done.decided.iter().flat_map(|decided| {
        let most = decided.policy.keep_rejected;
        gallery::shown(&layout, &decided.decisions, most)
    });
    all.filter(|(decision, _)| !kept_only || decision.status == Status::Kept)
        .map(|(decision, path)| (path, decision.measured.recipe.caption.clone()))
        .collect()
}
