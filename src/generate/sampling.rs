//! The one loop in which pictures are made, whoever asks for them.

use super::{GenerateError, GeneratedImage, ImageGenerator, Recipe};

/// Who says what to make next, and takes what was made.
pub trait Queue {
    /// Why it fails.
    type Error: From<GenerateError>;

    /// The recipes of the next call, at most as many as a batch; none when all is done.
    ///
    /// # Errors
    ///
    /// Those of the queue; the loop ends with them.
    fn next(&mut self) -> Result<Option<Vec<Recipe>>, Self::Error>;

    /// Takes the pictures of these recipes, in their order.
    ///
    /// # Errors
    ///
    /// Those of the queue; the loop ends with them.
    fn take(
        &mut self,
        recipes: Vec<Recipe>,
        pictures: Vec<GeneratedImage>,
    ) -> Result<(), Self::Error>;
}

/// How sampling ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The queue is empty.
    Done,
    /// `stop` asked to end; everything taken so far is the queue's.
    Stopped,
}

/// Makes pictures until the queue is empty, or `stop` asks to end.
///
/// # Errors
///
/// Those of the generator and of the queue.
pub fn sample<Q: Queue>(
    generator: &mut dyn ImageGenerator,
    queue: &mut Q,
    stop: &dyn Fn() -> bool,
) -> Result<Ended, Q::Error> {
    loop {
        if stop() {
            return Ok(Ended::Stopped);
        }
        let Some(recipes) = queue.next()? else {
            return Ok(Ended::Done);
        };
        let Some(pictures) = generator.generate(&recipes, stop)? else {
            return Ok(Ended::Stopped);
        };
        if pictures.len() != recipes.len() {
            let (asked, given) = (recipes.len(), pictures.len());
            return Err(GenerateError::Count { asked, given }.into());
        }
        queue.take(recipes, pictures)?;
    }
}
