//! A generator that paints by formula.

use std::collections::BTreeMap;

use image::{Rgb, RgbImage};

use super::named;
use crate::generate::recipe::{ModelRecord, SchedulerRecord};
use crate::generate::{GenerateError, GeneratedImage, ImageGenerator, MadeOn, Recipe};

/// Paints stripes around the colour that the caption names, moved by the seed.
///
/// A caption with the word `broken` gives a picture that is not finite, one with `unsafe` a flagged one,
/// one with `black` a blank one.
#[derive(Debug, Clone)]
pub struct Painter {
    template: Recipe,
    batch: usize,
    /// Pictures painted so far.
    painted: usize,
}

impl Painter {
    /// Paints squares of `side` px, `batch` at once.
    pub fn new(side: u32, batch: usize) -> Self {
        let model = ModelRecord {
            name: "painter".to_owned(),
            fingerprint: "painter-1".to_owned(),
            dtype: "fp32".to_owned(),
            vae_dtype: "fp32".to_owned(),
            adapters: Vec::new(),
        };
        let scheduler = SchedulerRecord {
            name: "formula".to_owned(),
            settings: BTreeMap::new(),
        };
        Self {
            template: Recipe::plain(model, scheduler, (side, side)),
            batch,
            painted: 0,
        }
    }

    /// Pictures painted so far, whatever became of them.
    pub fn painted(&self) -> usize {
        self.painted
    }
}

/// One picture.
fn paint(recipe: &Recipe) -> GeneratedImage {
    let has = |word: &str| recipe.caption.split(' ').any(|w| w == word);
    let base = named(&recipe.caption).next().unwrap_or([128; 3]);
    let key = blake3::hash(format!("{}\n{}", recipe.caption, recipe.seed).as_bytes());
    let key = key.as_bytes();
    let image = RgbImage::from_fn(recipe.width, recipe.height, |x, y| {
        if has("black") {
            return Rgb(base);
        }
        let along = |at: usize| {
            let wave = (x * u32::from(key[at] % 7 + 1) + y * u32::from(key[at + 3] % 5)) / 3;
            let level = i32::from(base[at]) + (wave + u32::from(key[at + 6])) as i32 % 60 - 30;
            level.clamp(0, 255) as u8
        };
        Rgb([along(0), along(1), along(2)])
    });
    GeneratedImage {
        image,
        finite: !has("broken"),
        flagged: has("unsafe"),
        latents: None,
    }
}

impl ImageGenerator for Painter {
    fn template(&self) -> &Recipe {
        &self.template
    }

    fn generate(
        &mut self,
        recipes: &[Recipe],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<GeneratedImage>>, GenerateError> {
        if let Some((field, wanted, found)) = recipes.iter().find_map(|r| r.differs(&self.template))
        {
            return Err(GenerateError::OtherRecipe {
                field,
                wanted,
                found,
            });
        }
        if stop() {
            return Ok(None);
        }
        self.painted += recipes.len();
        Ok(Some(recipes.iter().map(paint).collect()))
    }

    fn made_on(&self) -> MadeOn {
        MadeOn {
            device: "cpu".to_owned(),
            batch: self.batch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::conformance;

    #[test]
    fn it_keeps_the_promises_of_a_generator() {
        let captions = ["a red square", "a blue square"];
        assert_eq!(
            conformance::check(&mut Painter::new(24, 4), captions),
            Ok(())
        );
    }

    #[test]
    fn a_caption_gives_its_colour_and_words_their_flaws() {
        let painter = Painter::new(16, 1);
        let picture = |caption: &str| paint(&painter.template.draw(caption, 3));
        let red = picture("a red thing").image;
        assert!(red.pixels().all(|p| p[0] > p[1] + 60 && p[0] > p[2] + 60));
        assert!(!picture("a broken red thing").finite);
        assert!(picture("an unsafe red thing").flagged);
        let black = picture("a black thing").image;
        assert!(black.pixels().all(|p| p.0 == [0; 3]));
    }
}
