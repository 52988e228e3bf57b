//! The size that a TorchScript takes, where nobody says it.
//!
//! A network that ends in a global mean runs on images of any size, and is right on one. 224 px are the usual guess;
//! where the images of the data set are all smaller, and the network runs on that size as well, it is not made.

use ndarray::Array4;

use crate::classifier::Script;
use crate::dataset::{Dataset, Split};
use crate::io::image::Exif;
use crate::pipeline::error::Error;

/// The side that is guessed, px.
const USUAL: u32 = 224;

/// So many images are looked at.
const LOOKED_AT: usize = 8;

/// Refuses to guess where the images suggest another size; `batch` is how many the network is given at once.
pub(super) fn check(script: &Script, batch: usize, dataset: &Dataset) -> Result<(), Error> {
    let own = own(dataset).filter(|(height, width)| (*height).max(*width) < USUAL);
    let Some((height, width)) = own else {
        return Ok(());
    };
    let runs = |(height, width): (u32, u32)| {
        let blank = Array4::zeros((1, 3, height as usize, width as usize));
        script.run(blank.view()).is_ok()
    };
    if !runs((height, width)) {
        return Ok(());
    }
    // What depends on chance is refused for that first.
    script.check_steady((height as usize, width as usize), batch)?;
    let input = if height == width {
        height.to_string()
    } else {
        format!("[{height}, {width}]")
    };
    let own = format!("--set data.classifier_input={input} --set data.classifier_resize=none");
    Err(Error::usage(if runs((USUAL, USUAL)) {
        format!(
            "the images are {width} x {height} px, and the classifier runs on that size as well as on 224 x 224 px: say \
             which one it was trained on, {own}, or --set data.classifier_input=224"
        )
    } else {
        format!(
            "the classifier takes no images of 224 x 224 px, but those of the data, {width} x {height} px: {own}"
        )
    }))
}

/// Height and width of the images, where the first of them are alike.
fn own(dataset: &Dataset) -> Option<(u32, u32)> {
    let examples = dataset.of_split(Split::Val).take(LOOKED_AT);
    let mut sizes = examples.filter_map(|(_, example)| {
        let image = dataset.image(example).rgb(Exif::Ignore).ok()?;
        Some((image.height(), image.width()))
    });
    let first = sizes.next()?;
    sizes.all(|size| size == first).then_some(first)
}
