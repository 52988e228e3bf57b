//! Pictures from bare recipes, without any data set: one file each, and what is there is not made again.

mod again;
mod latents;
pub mod place;

use std::path::PathBuf;

use image::RgbImage;
use serde_json::{Value, json};

pub use self::again::{Again, again, find};
pub use self::latents::Latents;

use super::context::Context;
use super::error::Error;
use super::reporter::Stage;
use crate::generate::sampling::{Ended, Queue, sample};
use crate::generate::{GeneratedImage, ImageGenerator, MadeOn, Recipe};
use crate::image_file::{self, Marks};
use crate::io;
use crate::run::sampling::marks;
use crate::run::settings_diff;

/// A picture that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// How it is made.
    pub recipe: Recipe,
    /// Where it goes, a PNG.
    pub path: PathBuf,
}

/// How pictures are made, besides their recipes.
#[derive(Debug, Default)]
pub struct Options {
    /// Whether the generator asks a safety checker: what it objects to is black, as in Diffusers.
    pub safety_checker: bool,
    /// Where final latents go, if anywhere.
    pub latents: Option<Latents>,
}

/// What drawing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Pictures made by this call.
    pub fresh: usize,
    /// Pictures whose numbers are not finite; they are not written.
    pub broken: usize,
}

/// Makes the pictures that are not there yet, in their order.
///
/// # Errors
///
/// Of kind usage where another picture is in the place of one; those of the generator and the disk; of kind
/// stopped if asked to stop.
pub fn draw(
    context: &mut Context<'_>,
    generator: &mut dyn ImageGenerator,
    orders: &[Order],
    options: &Options,
) -> Result<Drawn, Error> {
    let made_on = generator.made_on();
    let mut missing = Vec::new();
    for order in orders {
        let is_there = is_there(order, &made_on, options)?;
        // Latents are in no picture: one whose are not kept is made again.
        let latents = options.latents.as_ref();
        if !is_there || latents.is_some_and(|latents| !latents.has(order)) {
            missing.push(order.clone());
        }
    }
    let stop = context.stop;
    let done = orders.len() - missing.len();
    let mut stage = Stage::begin(context.reporter, "pictures", orders.len(), "pictures");
    stage.resumed_from(done);
    let mut waiting = Waiting {
        missing: missing.into_iter().collect::<Vec<_>>(),
        at: 0,
        made_on,
        options,
        notes: Vec::new(),
        drawn: Drawn {
            fresh: 0,
            broken: 0,
        },
        tell: &mut |fresh| stage.set(done + fresh, ""),
    };
    let ended = sample(generator, &mut waiting, stop)?;
    let Waiting { notes, drawn, .. } = waiting;
    if ended == Ended::Stopped {
        return Err(Error::stopped());
    }
    stage.end();
    for note in notes {
        context.warn(note);
    }
    for caption in generator.truncated() {
        let begin: String = caption.chars().take(60).collect();
        context.warn(format_args!(
            "longer than the model reads, and cut: {begin:?}…"
        ));
    }
    Ok(drawn)
}

/// Orders that are not made yet.
struct Waiting<'a> {
    missing: Vec<Order>,
    at: usize,
    made_on: MadeOn,
    options: &'a Options,
    notes: Vec<String>,
    drawn: Drawn,
    tell: &'a mut dyn FnMut(usize),
}

impl Queue for Waiting<'_> {
    type Error = Error;

    fn next(&mut self) -> Result<Option<Vec<Recipe>>, Error> {
        let end = (self.at + self.made_on.batch.max(1)).min(self.missing.len());
        let batch = self.missing[self.at..end].iter();
        let recipes: Vec<Recipe> = batch.map(|order| order.recipe.clone()).collect();
        Ok((!recipes.is_empty()).then_some(recipes))
    }

    fn take(&mut self, recipes: Vec<Recipe>, pictures: Vec<GeneratedImage>) -> Result<(), Error> {
        let orders = &self.missing[self.at..self.at + recipes.len()];
        for (order, picture) in orders.iter().zip(pictures) {
            if let (Some(latents), Some(last)) = (&self.options.latents, &picture.latents) {
                latents.keep(order, last)?;
            }
            let path = order.path.display();
            if !picture.finite {
                self.drawn.broken += 1;
                let hint = if order.recipe.model.dtype == "fp16" {
                    "try --dtype bf16 or fp32"
                } else {
                    "try other settings, such as less guidance"
                };
                self.notes.push(format!(
                    "{path} would have numbers that are not finite and is not written: {hint}"
                ));
                continue;
            }
            let mut image = picture.image;
            if picture.flagged {
                self.notes.push(format!(
                    "{path} is black: the model's safety checker objects (--no-safety-checker turns it \
                     off)"
                ));
                image = RgbImage::new(image.width(), image.height());
            }
            let marks = marked(order, &self.made_on, self.options);
            let format = order.recipe.output.format;
            let bytes = image_file::encode(&image, format, Some(&marks))?;
            io::write_atomic(&order.path, &bytes)?;
            self.drawn.fresh += 1;
            (self.tell)(self.drawn.fresh);
        }
        self.at += recipes.len();
        Ok(())
    }
}

/// What a picture's file says of itself.
fn marked(order: &Order, made_on: &MadeOn, options: &Options) -> Marks {
    let mut marks = marks(&order.recipe.id(), &order.recipe, made_on);
    // A picture that was checked may be black, and is another than one that was not.
    marks.hardlight["safety_checker"] = json!(options.safety_checker);
    marks
}

/// Whether a picture was made before; another one in its place is an error.
fn is_there(order: &Order, made_on: &MadeOn, options: &Options) -> Result<bool, Error> {
    if !order.path.exists() {
        return Ok(false);
    }
    let found: Option<Value> = image_file::read_marks(&io::read(&order.path)?);
    let wanted = marked(order, made_on, options).hardlight;
    if found.as_ref() == Some(&wanted) {
        return Ok(true);
    }
    let differing = found.map_or_else(
        || "it is no picture of generate's".to_owned(),
        |found| differing(&found, &wanted),
    );
    Err(Error::usage(format!(
        "{} is there and was not made by this command ({differing}): choose another --out",
        order.path.display(),
    )))
}

/// The keys in which a picture that is there differs from the one wanted.
fn differing(found: &Value, wanted: &Value) -> String {
    let changes: Vec<String> = settings_diff::diff(found, wanted)
        .iter()
        .map(ToString::to_string)
        .collect();
    changes.join(", ")
}

#[cfg(test)]
mod tests;
