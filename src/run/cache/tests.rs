use std::cell::Cell;

use super::*;
use crate::dataset::{Example, Split};

/// The mean colour of an image; counts what it is given.
struct Colour(Cell<usize>, &'static str);

impl ImageEncoder for Colour {
    fn encode_images(&self, images: &[RgbImage]) -> Result<Array2<f32>, EmbedError> {
        self.0.set(self.0.get() + images.len());
        let pixel = |i: usize, c: usize| f32::from(images[i].get_pixel(0, 0)[c]);
        Ok(Array2::from_shape_fn((images.len(), 3), |(i, c)| {
            pixel(i, c)
        }))
    }
    fn dim(&self) -> usize {
        3
    }
    fn fingerprint(&self) -> &str {
        self.1
    }
}

fn dataset(folder: &Path, names: &[&str]) -> Dataset {
    let examples = names
        .iter()
        .map(|&name| Example::new(name.to_owned(), 0, Split::Val));
    let classes = vec!["cat".to_owned()];
    Dataset::new(folder.to_owned(), classes, examples.collect()).unwrap()
}

/// Embeds all images of a data set in order; `bad` as in [`embed`].
fn all(
    data: &Dataset,
    files: &CacheFiles,
    encoder: &Colour,
    bad: &mut dyn FnMut(ExampleId, CacheError) -> Result<(), CacheError>,
) -> Result<Embedded, CacheError> {
    let images = Images {
        dataset: data,
        ids: &data.ids().collect::<Vec<_>>(),
        exif: Exif::Apply,
    };
    let embedded = embed(files, images, encoder, bad, &|| false, &mut |_| {})?;
    Ok(embedded.unwrap())
}

fn run(folder: &Path, encoder: &Colour) -> Array2<f32> {
    let names: Vec<String> = (0..70).map(|i| format!("{i}.png")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let files = CacheFiles::new(&folder.join("cache"), "val");
    let data = dataset(folder, &names);
    let embedded = all(&data, &files, encoder, &mut |_, error| Err(error));
    embedded.unwrap().matrix
}

#[test]
fn only_what_changed_is_embedded_again() {
    let folder = tempfile::tempdir().unwrap();
    let paint = |i: u8, value: u8| {
        let image = RgbImage::from_pixel(2, 2, image::Rgb([value, i, 7]));
        image.save(folder.path().join(format!("{i}.png"))).unwrap();
    };
    (0..70).for_each(|i| paint(i, 0));
    let encoder = Colour(Cell::new(0), "a");
    let first = run(folder.path(), &encoder);
    assert_eq!(encoder.0.get(), 70);
    assert_eq!(run(folder.path(), &encoder), first);
    assert_eq!(encoder.0.get(), 70, "all from the cache");
    paint(66, 9);
    let changed = run(folder.path(), &encoder);
    assert_eq!(encoder.0.get(), 71, "one image changed");
    assert_eq!(changed.row(66).to_vec(), [9.0, 66.0, 7.0]);
    assert_eq!(changed.row(65), first.row(65));
    run(folder.path(), &Colour(Cell::new(0), "b"));
    let other = Colour(Cell::new(0), "a");
    run(folder.path(), &other);
    assert_eq!(other.0.get(), 70, "another model's rows are not ours");
}

#[test]
fn a_renamed_image_keeps_its_row_under_its_new_name() {
    let folder = tempfile::tempdir().unwrap();
    for (i, name) in ["a.png", "b.png"].iter().enumerate() {
        let image = RgbImage::from_pixel(2, 2, image::Rgb([i as u8, 5, 7]));
        image.save(folder.path().join(name)).unwrap();
    }
    let encoder = Colour(Cell::new(0), "a");
    let files = CacheFiles::new(&folder.path().join("cache"), "val");
    let run = |names: [&str; 2]| {
        let data = dataset(folder.path(), &names);
        let embedded = all(&data, &files, &encoder, &mut |_, error| Err(error));
        let (stored, ids) = io::matrix::read_keyed(&files.matrix).unwrap();
        assert_eq!(stored, embedded.unwrap().matrix);
        assert_eq!(ids.unwrap(), names);
    };
    run(["a.png", "b.png"]);
    std::fs::rename(folder.path().join("a.png"), folder.path().join("c.png")).unwrap();
    run(["b.png", "c.png"]);
    assert_eq!(encoder.0.get(), 2, "nothing was embedded again");
}

#[test]
fn a_damaged_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.png"), "no image").unwrap();
    let data = dataset(folder.path(), &["x.png"]);
    let files = CacheFiles::new(folder.path(), "val");
    let encoder = Colour(Cell::new(0), "a");
    let error = all(&data, &files, &encoder, &mut |_, error| Err(error));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("x.png could not be decoded")
    );
}

#[test]
fn what_is_passed_over_has_no_row_and_comes_back_when_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let paint = |name: &str, value: u8| {
        let image = RgbImage::from_pixel(2, 2, image::Rgb([value, 0, 0]));
        image.save(path(name)).unwrap();
    };
    paint("a.png", 1);
    std::fs::write(path("b.png"), "no image").unwrap();
    paint("d.png", 4);
    let data = dataset(folder.path(), &["a.png", "b.png", "c.png", "d.png"]);
    let files = CacheFiles::new(&path("cache"), "val");
    let encoder = Colour(Cell::new(0), "a");
    let run = || {
        let mut passed = Vec::new();
        let embedded = all(&data, &files, &encoder, &mut |id, _| {
            passed.push(id.index());
            Ok(())
        });
        let embedded = embedded.unwrap();
        let used: Vec<usize> = embedded.ids.iter().map(|id| id.index()).collect();
        (embedded, used, passed)
    };
    let (embedded, used, passed) = run();
    assert_eq!((passed, used), (vec![1, 2], vec![0, 3]));
    let (_, stored) = io::matrix::read_keyed(&files.matrix).unwrap();
    assert_eq!(stored.unwrap(), ["a.png", "d.png"]);
    assert_eq!(embedded.matrix.column(0).to_vec(), [1.0, 4.0]);
    assert_eq!(embedded.sha256.len(), 2);
    run();
    assert_eq!(encoder.0.get(), 2, "the good ones come from the cache");
    paint("b.png", 2);
    let (embedded, used, passed) = run();
    assert_eq!((passed, used), (vec![2], vec![0, 1, 3]));
    assert_eq!(embedded.matrix.column(0).to_vec(), [1.0, 2.0, 4.0]);
    assert_eq!(encoder.0.get(), 3);
}
