use image::{Rgb, RgbImage, imageops};
use ndarray::{Array2, array};

use super::*;

/// A picture with a bright bar at `x`.
fn bar(x: u32) -> RgbImage {
    RgbImage::from_fn(32, 32, |at, y| {
        let level = if at.abs_diff(x) < 4 { 220 } else { 30 };
        Rgb([level, level, (y * 3) as u8])
    })
}

/// A folder of pictures, and where they lie.
fn saved(folder: &std::path::Path, bars: &[u32]) -> Vec<(String, ImageSource)> {
    let save = |&x: &u32| {
        let path = folder.join(format!("{x}.png"));
        bar(x).save(&path).unwrap();
        (format!("bar {x}"), ImageSource::new(path, None))
    };
    bars.iter().map(save).collect()
}

fn known<'a>(
    against: Against,
    matrix: &'a Array2<f32>,
    images: &'a [(String, ImageSource)],
) -> Known<'a> {
    let images = images
        .iter()
        .map(|(id, at)| (id.as_str(), Some(at.clone())));
    Known::new(against, matrix.view(), images.collect(), Exif::Ignore)
}

#[test]
fn an_image_must_be_near_in_both_ways_and_the_order_of_splits_decides() {
    let folder = tempfile::tempdir().unwrap();
    let train = saved(folder.path(), &[5, 12]);
    let test = saved(folder.path(), &[5, 20]);
    let of_train = array![[4.0_f32, 0.0, 0.0], [0.0, 2.0, 0.0]];
    let of_test = array![[0.0_f32, 0.1, 3.0], [1.0, 0.0, 0.1]];
    let look = |options, image: &RgbImage, embedding: [f32; 3]| {
        let sets = vec![
            known(Against::Test, &of_test, &test),
            known(Against::Train, &of_train, &train),
        ];
        let duplicates = Duplicates::new(options, sets);
        let likeness = duplicates.likenesses(array![embedding].view()).remove(0);
        let found = duplicates.of_known(&likeness, &Thumbnail::of(image));
        let found = found.unwrap().map(|found| (found.against, found.id));
        (likeness.nearest_train.unwrap(), found)
    };
    let options = DuplicateOptions::default();
    let of = |against, id: &str| Some((against, id.to_owned()));
    // The same pixels, the same direction of embedding: of train and of test it is said of train.
    let (nearest, found) = look(options, &bar(5), [9.0, 0.0, 0.9]);
    assert!((nearest - 9.0 / f64::sqrt(81.81)).abs() < 1e-6, "{nearest}");
    assert_eq!(found, of(Against::Train, "bar 5"));
    let mirrored = imageops::flip_horizontal(&bar(5));
    let (_, found) = look(options, &mirrored, [9.0, 0.0, 0.9]);
    assert_eq!(found, of(Against::Train, "bar 5"));
    // Its pixels alone are another's, or its embedding alone is.
    assert_eq!(look(options, &bar(5), [0.0, 0.0, -1.0]).1, None);
    assert_eq!(look(options, &bar(9), [9.0, 0.0, 0.9]).1, None);
    // Without train it is one of test, but for the embedding; the nearest of train is told all the same.
    let no_train = DuplicateOptions {
        train: false,
        ..options
    };
    let (nearest, found) = look(no_train, &bar(20), [9.0, 0.0, 0.9]);
    assert!(nearest > 0.99);
    assert_eq!(found, of(Against::Test, "bar 20"));
    let neither = DuplicateOptions {
        test: false,
        ..no_train
    };
    assert_eq!(look(neither, &bar(20), [9.0, 0.0, 0.9]).1, None);
    // A threshold of −1 leaves it to the other.
    let by_pixels = DuplicateOptions {
        similarity: -1.0,
        ..options
    };
    let found = look(by_pixels, &bar(12), [0.0, -1.0, 0.0]).1;
    assert_eq!(found, of(Against::Train, "bar 12"));
    let by_embedding = DuplicateOptions {
        thumbnail: -1.0,
        ..options
    };
    let found = look(by_embedding, &bar(28), [0.0, 1.0, 0.0]).1;
    assert_eq!(found, of(Against::Train, "bar 12"));
}

#[test]
fn a_candidate_that_is_gone_is_named_and_others_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let train = saved(folder.path(), &[5, 12]);
    std::fs::remove_file(folder.path().join("12.png")).unwrap();
    let of_train = array![[1.0_f32, 0.0], [0.0, 1.0]];
    let sets = vec![known(Against::Train, &of_train, &train)];
    let duplicates = Duplicates::new(DuplicateOptions::default(), sets);
    let likenesses = duplicates.likenesses(array![[1.0_f32, 0.0], [0.0, 1.0]].view());
    let thumbnail = Thumbnail::of(&bar(20));
    assert_eq!(
        duplicates.of_known(&likenesses[0], &thumbnail).unwrap(),
        None
    );
    let error = duplicates.of_known(&likenesses[1], &thumbnail).unwrap_err();
    assert!(error.to_string().contains("12.png"), "{error}");
}

#[test]
fn of_an_image_that_is_not_there_there_is_no_duplicate_but_a_cosine() {
    let of_train = array![[1.0_f32, 0.0]];
    let images = vec![("a", None)];
    let known = Known::new(Against::Train, of_train.view(), images, Exif::Ignore);
    let duplicates = Duplicates::new(DuplicateOptions::default(), vec![known]);
    let likeness = duplicates.likenesses(of_train.view()).remove(0);
    assert_eq!(likeness.nearest_train, Some(1.0));
    let found = duplicates.of_known(&likeness, &Thumbnail::of(&bar(5)));
    assert_eq!(found.unwrap(), None);
}

#[test]
fn kept_images_are_compared_as_they_come() {
    let mut kept = Kept::default();
    let duplicates = Duplicates::new(DuplicateOptions::default(), Vec::new());
    let thumbnail = Thumbnail::of(&bar(5));
    let embedding = array![3.0_f32, 4.0];
    assert_eq!(
        duplicates.of_kept(embedding.view(), &thumbnail, &kept),
        None
    );
    kept.add("first".to_owned(), embedding.view(), thumbnail.clone());
    kept.add("second".to_owned(), embedding.view(), thumbnail.clone());
    let found = duplicates.of_kept(array![6.0_f32, 8.1].view(), &thumbnail, &kept);
    assert_eq!(found.unwrap().id, "first", "of equals the first");
    let other = Thumbnail::of(&bar(20));
    assert_eq!(duplicates.of_kept(embedding.view(), &other, &kept), None);
    let apart = array![4.0_f32, -3.0];
    assert_eq!(duplicates.of_kept(apart.view(), &thumbnail, &kept), None);
    let off = DuplicateOptions {
        kept: false,
        ..DuplicateOptions::default()
    };
    let off = Duplicates::new(off, Vec::new());
    assert_eq!(off.of_kept(embedding.view(), &thumbnail, &kept), None);
    assert_eq!(
        off.likenesses(array![[1.0_f32]].view())[0].nearest_train,
        None
    );
}
