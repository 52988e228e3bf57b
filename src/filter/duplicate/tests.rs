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

/// The twins of an image, and the cosine with the nearest of train.
fn look(duplicates: &Duplicates<'_>, image: &RgbImage, embedding: [f32; 3]) -> (f64, Vec<Twin>) {
    let embedding = array![embedding];
    let likeness = duplicates.likenesses(embedding.view()).remove(0);
    let pair = (embedding.row(0), &Thumbnail::of(image));
    let twins = duplicates.twins(&likeness, pair, None);
    (likeness.nearest_train.unwrap(), twins.unwrap())
}

#[test]
fn every_split_tells_its_most_similar_candidate() {
    let folder = tempfile::tempdir().unwrap();
    let train = saved(folder.path(), &[5, 12]);
    let test = saved(folder.path(), &[5, 20]);
    let of_train = array![[4.0_f32, 0.0, 0.0], [0.0, 2.0, 0.0]];
    let of_test = array![[0.0_f32, 0.1, 3.0], [1.0, 0.0, 0.1]];
    let sets = || {
        vec![
            known(Against::Test, &of_test, &test),
            known(Against::Train, &of_train, &train),
        ]
    };
    let duplicates = Duplicates::new(0.95, sets());
    let (nearest, twins) = look(&duplicates, &bar(5), [9.0, 0.0, 0.9]);
    assert!((nearest - 9.0 / f64::sqrt(81.81)).abs() < 1e-6, "{nearest}");
    let said: Vec<_> = twins.iter().map(|t| (t.against, t.id.as_str())).collect();
    assert_eq!(said, [(Against::Train, "bar 5"), (Against::Test, "bar 20")]);
    assert!((twins[0].similarity - nearest).abs() < 1e-12 && twins[0].correlation > 0.999);
    assert!(twins[1].correlation < 0.9, "its pixels are another's");
    let mirrored = imageops::flip_horizontal(&bar(5));
    assert!(look(&duplicates, &mirrored, [9.0, 0.0, 0.9]).1[0].correlation > 0.99);
    // Nothing of train or test is near this embedding.
    assert_eq!(look(&duplicates, &bar(5), [0.0, -1.0, -1.0]).1, []);
    // A cosine of −1 leaves it to the pixels.
    let by_pixels = Duplicates::new(-1.0, sets());
    let (_, twins) = look(&by_pixels, &bar(12), [0.0, -1.0, 0.0]);
    assert_eq!(twins[0].id, "bar 12");
}

#[test]
fn a_candidate_that_is_gone_is_named_and_others_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let train = saved(folder.path(), &[5, 12]);
    std::fs::remove_file(folder.path().join("12.png")).unwrap();
    let of_train = array![[1.0_f32, 0.0], [0.0, 1.0]];
    let duplicates = Duplicates::new(0.95, vec![known(Against::Train, &of_train, &train)]);
    let likenesses = duplicates.likenesses(of_train.view());
    let thumbnail = Thumbnail::of(&bar(20));
    let twins = |row: usize| {
        let pair = (of_train.row(row), &thumbnail);
        duplicates.twins(&likenesses[row], pair, None)
    };
    assert_eq!(twins(0).unwrap()[0].id, "bar 5");
    let error = twins(1).unwrap_err();
    assert!(error.to_string().contains("12.png"), "{error}");
}

#[test]
fn of_an_image_that_is_not_there_there_is_no_twin_but_a_cosine() {
    let of_train = array![[1.0_f32, 0.0]];
    let images = vec![("a", None)];
    let known = Known::new(Against::Train, of_train.view(), images, Exif::Ignore);
    let duplicates = Duplicates::new(0.95, vec![known]);
    let likeness = duplicates.likenesses(of_train.view()).remove(0);
    assert_eq!(likeness.nearest_train, Some(1.0));
    let pair = (of_train.row(0), &Thumbnail::of(&bar(5)));
    let twins = duplicates.twins(&likeness, pair, None);
    assert_eq!(twins.unwrap(), []);
}

#[test]
fn an_image_is_no_twin_of_its_own_start_which_is_measured_apart() {
    let folder = tempfile::tempdir().unwrap();
    let train = saved(folder.path(), &[5, 12]);
    let of_train = array![[4.0_f32, 0.0, 0.0], [3.9, 0.1, 0.0]];
    let of = || known(Against::Train, &of_train, &train);
    let duplicates = Duplicates::new(0.95, vec![of()]).with_starts(of());
    let embedding = array![[4.0_f32, 0.2, 0.0]];
    let likeness = duplicates.likenesses(embedding.view()).remove(0);
    let thumbnail = Thumbnail::of(&bar(5));
    let pair = (embedding.row(0), &thumbnail);
    let twin = |start| duplicates.twins(&likeness, pair, start).unwrap().remove(0);
    assert_eq!(twin(None).id, "bar 5");
    // The other is a candidate by its embedding, and its pixels are others.
    let other = twin(Some("bar 5"));
    assert!(other.id == "bar 12" && other.correlation < 0.9, "{other:?}");
    let start = duplicates.with_start("bar 5", pair).unwrap().unwrap();
    assert_eq!(start.id, "bar 5");
    assert!(
        start.similarity > 0.99 && start.correlation > 0.999,
        "{start:?}"
    );
    assert_eq!(duplicates.with_start("elsewhere", pair).unwrap(), None);
    let without = Duplicates::new(0.95, vec![of()]);
    assert_eq!(without.with_start("bar 5", pair).unwrap(), None);
}
