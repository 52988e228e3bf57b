//! Runs whose pictures start from real images.

use image::Pixel as _;

use super::*;
use crate::generate::{
    GenerateError, GeneratedImage, ImageGenerator, MadeOn, Originals, Recipe, Start,
};
use crate::pipeline::settings::{StartsFrom, Strategies};

/// A painter whose strokes cover as much of the image that a picture starts from as the strength says.
struct Overpainter {
    painter: Painter,
    originals: Originals,
}

impl ImageGenerator for Overpainter {
    fn template(&self) -> &Recipe {
        self.painter.template()
    }

    fn generate(
        &mut self,
        recipes: &[Recipe],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<GeneratedImage>>, GenerateError> {
        let plain = recipes.iter().map(|recipe| Recipe {
            start: Start::Noise,
            ..recipe.clone()
        });
        let Some(mut pictures) = self.painter.generate(&plain.collect::<Vec<_>>(), stop)? else {
            return Ok(None);
        };
        for (recipe, picture) in recipes.iter().zip(&mut pictures) {
            let Start::Image { source, strength } = &recipe.start else {
                continue;
            };
            let original = self.originals.image(source)?;
            for (x, y, pixel) in picture.image.enumerate_pixels_mut() {
                let under = original.get_pixel(x, y);
                *pixel = under.map2(pixel, |under, over| {
                    let mixed = f64::from(under) * (1.0 - strength) + f64::from(over) * strength;
                    mixed.round() as u8
                });
            }
        }
        Ok(Some(pictures))
    }

    fn made_on(&self) -> MadeOn {
        self.painter.made_on()
    }

    fn originals(&mut self) -> Option<&mut Originals> {
        Some(&mut self.originals)
    }
}

/// Settings under which pictures start from images of the pool, at one strength.
fn from_pool(dir: &Path, share: f64, strength: f64) -> Settings {
    let mut settings = settings(dir, 3).into_inner();
    settings.generate.strategies = Strategies {
        caption: 1.0 - share,
        image: share,
    };
    settings.generate.starts = StartsFrom::Pool;
    settings.generate.start_images = 5;
    settings.generate.strength = [strength; 2];
    settings
}

fn paint(
    context: &mut Context<'_>,
    settings: Settings,
    out: &Path,
    images: Box<dyn ImageGenerator>,
) -> Result<Finished, Error> {
    let settings = settings.check().unwrap();
    let data = data::open(context, &settings)?;
    let mut models = Models {
        clip: Some(Box::new(ColourEncoder)),
        generator: Some(Generator {
            images,
            safety: None,
        }),
        ..Models::default()
    };
    let target = Target::at(out);
    run_with(
        context,
        &settings,
        target,
        Until::Manifest,
        data,
        &mut models,
    )
}

fn overpaint(settings: Settings, out: &Path) -> (Finished, Vec<String>) {
    let mut recorder = Recorder::default();
    let images = Box::new(Overpainter {
        painter: Painter::new(16, 3),
        originals: Originals::default(),
    });
    let finished = paint(&mut Context::new(&mut recorder), settings, out, images).unwrap();
    (finished, recorder.warnings().to_vec())
}

#[test]
fn pictures_start_from_the_hardest_images_of_their_class_and_their_rows_say_which() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    let (finished, warnings) = overpaint(from_pool(dir.path(), 1.0, 0.6), &out);
    let rows = synthetic(&finished);
    assert!(!rows.is_empty());
    for row in &rows {
        let start = row.init_image.as_deref().unwrap();
        assert!(
            start.starts_with(&format!("pool/{}/", row.class)),
            "{start}"
        );
        assert_eq!(row.strength, Some(0.6));
        let source = row.digital_source_type.as_deref().unwrap();
        assert!(
            source.ends_with("compositeWithTrainedAlgorithmicMedia"),
            "{source}"
        );
    }
    // Red ones fail.
    let red = |start: &str| {
        start
            .trim_end_matches(".png")
            .ends_with(['0', '2', '4', '6', '8'])
    };
    assert!(
        rows.iter()
            .all(|row| red(row.init_image.as_deref().unwrap()))
    );
    assert!(!warnings.join("\n").contains("spent"));
    drop(finished);
    // The same again makes nothing, and the bytes are those of a folder of its own.
    let again = dir.path().join("again");
    let (_, _) = overpaint(from_pool(dir.path(), 1.0, 0.6), &again);
    let ledger = |out: &Path| fs::read(out.join("ledger.jsonl")).unwrap();
    assert_eq!(ledger(&out), ledger(&again));
    let (_, _) = overpaint(from_pool(dir.path(), 1.0, 0.6), &out);
    assert_eq!(ledger(&out), ledger(&again));
}

#[test]
fn a_near_copy_of_its_start_is_rejected_for_that() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    let mut settings = from_pool(dir.path(), 1.0, 0.01);
    let (finished, _) = overpaint(settings.clone(), &out);
    let decided = finished.decided.as_ref().unwrap();
    for outcome in &decided.decisions.outcomes {
        let reasons: Vec<_> = outcome.rejected().into_keys().collect();
        assert_eq!(reasons, ["copy-of-start"]);
        assert_eq!(outcome.kept().count(), 0);
    }
    drop(finished);
    // Another policy decides anew from the same images.
    settings.filter.copy.reject = false;
    let (finished, _) = overpaint(settings, &out);
    assert!(!synthetic(&finished).is_empty());
}

#[test]
fn half_of_the_attempts_start_from_noise_where_half_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let (finished, _) = overpaint(from_pool(dir.path(), 0.5, 0.6), &dir.path().join("run"));
    let rows = synthetic(&finished);
    let from_images = rows.iter().filter(|row| row.init_image.is_some()).count();
    assert!(from_images > 0 && from_images < rows.len(), "{from_images}");
}

#[test]
fn val_is_spent_and_who_cannot_start_from_images_is_asked_for_none() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let mut settings = from_pool(dir.path(), 1.0, 0.6);
    settings.generate.starts = StartsFrom::Val;
    let (_, warnings) = overpaint(settings.clone(), &dir.path().join("val"));
    assert!(
        warnings.join("\n").contains("val, which is spent"),
        "{warnings:?}"
    );
    let mut recorder = Recorder::default();
    let painter = Box::new(Painter::new(16, 3));
    let out = dir.path().join("painter");
    let ran = paint(&mut Context::new(&mut recorder), settings, &out, painter);
    let Err(error) = ran else {
        panic!("a painter starts from nothing");
    };
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error.to_string().contains("starts from noise alone"),
        "{error}"
    );
}
