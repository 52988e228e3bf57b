//! What every generator promises, as checks that run on any of them.

use super::{GeneratedImage, ImageGenerator, Recipe};

/// Holds a generator to its promises; gives the first that it breaks.
///
/// - As many pictures as recipes, of the size that the recipe says.
/// - The same recipe gives the same picture, alone, in a batch, in any order.
/// - Another seed gives another picture, and another caption does.
/// - A recipe with other settings is refused.
/// - It stops when it is asked to.
///
/// # Errors
///
/// A sentence on the broken promise.
pub fn check(generator: &mut dyn ImageGenerator, captions: [&str; 2]) -> Result<(), String> {
    let template = generator.template().clone();
    let recipes: Vec<Recipe> = (0..3)
        .map(|seed| template.draw(captions[0], seed))
        .collect();
    let alone: Vec<GeneratedImage> = recipes
        .iter()
        .map(|recipe| made(generator, std::slice::from_ref(recipe)).map(|mut one| one.remove(0)))
        .collect::<Result<_, _>>()?;
    for picture in &alone {
        let (width, height) = picture.image.dimensions();
        if (width, height) != (template.width, template.height) {
            return Err(format!(
                "a picture is {width} x {height}, not as its recipe says"
            ));
        }
    }
    if alone[0].image == alone[1].image {
        return Err("two seeds give the same picture".to_owned());
    }
    let batch = generator.made_on().batch.max(1);
    for (at, recipe) in recipes.iter().enumerate() {
        let others: Vec<Recipe> = recipes
            .iter()
            .cycle()
            .skip(at)
            .take(batch)
            .cloned()
            .collect();
        let together = made(generator, &others)?;
        if together[0] != alone[at] {
            return Err(format!("seed {} depends on its neighbours", recipe.seed));
        }
    }
    let other = made(generator, &[template.draw(captions[1], 0)])?;
    if other[0].image == alone[0].image {
        return Err("two captions give the same picture".to_owned());
    }
    let mut foreign = recipes[0].clone();
    foreign.steps += 1;
    if generator.generate(&[foreign], &|| false).is_ok() {
        return Err("a recipe with other settings is not refused".to_owned());
    }
    match generator.generate(&recipes[..1], &|| true) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err("it does not stop when asked".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn made(
    generator: &mut dyn ImageGenerator,
    recipes: &[Recipe],
) -> Result<Vec<GeneratedImage>, String> {
    let pictures = generator
        .generate(recipes, &|| false)
        .map_err(|error| error.to_string())?
        .ok_or("it stopped unasked")?;
    if pictures.len() != recipes.len() {
        return Err(format!(
            "{} pictures for {} recipes",
            pictures.len(),
            recipes.len()
        ));
    }
    Ok(pictures)
}
