//! Which pictures a command asks for.

use std::path::Path;

use super::GenerateCommand;
use crate::generate::stable_diffusion::StableDiffusion;
use crate::generate::{ImageGenerator as _, Start};
use crate::io;
use crate::pipeline::Error;
use crate::pipeline::pictures::Order;

/// Pictures of a folder, whose names have five digits.
const MOST: u64 = 100_000;

/// Image embeddings, a row each.
pub(super) fn embeds(path: Option<&Path>) -> Result<Vec<Vec<f32>>, Error> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let matrix = io::matrix::read(path)?;
    Ok(matrix.rows().into_iter().map(|row| row.to_vec()).collect())
}

impl GenerateCommand {
    /// Refuses no pictures, and more than names have digits for.
    pub(super) fn check_count(&self, embeds: usize) -> Result<(), Error> {
        let groups = self.prompt.len() as u64 * embeds.max(1) as u64;
        let most = MOST / groups.max(1);
        let last = self.seed.checked_add(self.count.saturating_sub(1));
        if last.is_none() {
            return Err(Error::usage(format!(
                "--seed {} is too large for {} pictures",
                self.seed, self.count
            )));
        }
        if (1..=most).contains(&self.count) {
            return Ok(());
        }
        Err(Error::usage(format!(
            "--count is {}: expected 1 to {most}, so that at most {MOST} pictures go into a folder",
            self.count
        )))
    }

    /// Every picture of the command, in order, from `start`.
    pub(super) fn orders(
        &self,
        images: &mut StableDiffusion,
        embeds: &[Vec<f32>],
        start: &Start,
    ) -> Result<Vec<Order>, Error> {
        let model = self.model.as_deref().unwrap_or(Path::new("")).display();
        match (images.pipeline().embedding_width(), embeds.first()) {
            (Some(width), None) => {
                return Err(Error::usage(format!(
                    "{model} is conditioned on image embeddings of {width} numbers: give \
                     --image-embeds FILE"
                )));
            }
            (expected, Some(row)) if expected != Some(row.len()) => {
                return Err(Error::input(format!(
                    "the image embeddings have {} numbers, {model} takes {}",
                    row.len(),
                    expected.map_or("none".to_owned(), |n| n.to_string())
                )));
            }
            _ => {}
        }
        let conditions = if embeds.is_empty() {
            vec![None]
        } else {
            let each = embeds.iter();
            each.map(|row| Some(images.add_embedding(row))).collect()
        };
        let template = images.template();
        let mut orders = Vec::new();
        for caption in &self.prompt {
            for condition in &conditions {
                for k in 0..self.count {
                    let mut recipe = template.draw(caption, self.seed + k);
                    recipe.condition.clone_from(condition);
                    recipe.start.clone_from(start);
                    let path = self.out.join(format!("{:05}.png", orders.len()));
                    orders.push(Order { recipe, path });
                }
            }
        }
        Ok(orders)
    }
}
