use std::path::Path;

use image::Rgb;
use ndarray::{Array2, array};

use super::*;
use crate::dataset::Split;
use crate::filter::class::ZeroShot;
use crate::filter::duplicate::{Against, Duplicates, Known};
use crate::filter::tests::{direction, policy, whitening};

/// A picture with a bright bar at `x`; nothing but gray for none.
fn bar(folder: &Path, name: &str, x: Option<u32>) {
    let picture = RgbImage::from_fn(32, 24, |at, _| match x {
        Some(x) if at.abs_diff(x) < 3 => Rgb([230; 3]),
        _ => Rgb([40; 3]),
    });
    std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    picture.save(folder.join(name)).unwrap();
}

/// Pool images of class 0 with an embedding and a bar each; the last one is of class 1.
const POOL: [([f32; 2], Option<u32>); 8] = [
    ([1.0, 0.2], Some(4)),
    // The hardest.
    ([1.0, 0.0], Some(9)),
    // Too easy.
    ([-1.0, 0.1], Some(12)),
    // Of one colour.
    ([1.0, 0.3], None),
    // The picture of the training image.
    ([1.0, 0.1], Some(14)),
    // The picture of the first, and easier than that.
    ([1.0, 0.25], Some(4)),
    ([1.0, 0.6], Some(6)),
    ([1.0, 0.0], Some(2)),
];

struct Set {
    folder: tempfile::TempDir,
    dataset: Dataset,
    ids: Vec<ExampleId>,
    matrix: Array2<f32>,
    of_train: Array2<f32>,
}

impl Set {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        bar(folder.path(), "train/a.png", Some(14));
        let mut examples = vec![Example::new("train/a.png".to_owned(), 0, Split::Train)];
        for (at, (_, x)) in POOL.iter().enumerate() {
            let name = format!("pool/{at}.png");
            bar(folder.path(), &name, *x);
            examples.push(Example::new(
                name,
                usize::from(at + 1 == POOL.len()),
                Split::Pool,
            ));
        }
        let classes = vec!["old".to_owned(), "young".to_owned()];
        let dataset = Dataset::new(folder.path().to_owned(), classes, examples).unwrap();
        let ids = dataset.of_split(Split::Pool).map(|(id, _)| id).collect();
        Self {
            folder,
            dataset,
            ids,
            matrix: Array2::from_shape_fn((POOL.len(), 2), |(row, column)| POOL[row].0[column]),
            of_train: array![[1.0, 0.1]],
        }
    }

    /// Picks for modes by class and number, among others by the classes' references.
    fn pick(&self, modes: &[ModeId], references: Option<Array2<f32>>, quota: usize) -> Vec<Picked> {
        let picked = self.picked(modes, references, quota, &|| false);
        picked.unwrap().unwrap().modes
    }

    fn picked(
        &self,
        modes: &[ModeId],
        references: Option<Array2<f32>>,
        quota: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<PoolRecord>, IoError> {
        let image = self.dataset.image(&self.dataset.examples()[0]);
        let known = Known::new(
            Against::Train,
            self.of_train.view(),
            vec![("train/a.png", Some(image))],
            Exif::Ignore,
        );
        let duplicates = Duplicates::new(policy().duplicate.similarity, vec![known]);
        let zero_shot = references.map(|references| ZeroShot::new(references.view()));
        let whitening = whitening();
        let directions: Vec<_> = modes
            .iter()
            .map(|id| direction(id.class, id.mode))
            .collect();
        let wanted = Policy {
            quota,
            budget: 0,
            controls: 0,
            keep_rejected: 0,
            filter: policy(),
        };
        let modes: Vec<Wanted<'_>> = directions
            .iter()
            .map(|direction| {
                let meter = Meter {
                    whitening: &whitening,
                    direction,
                    zero_shot: zero_shot.as_ref(),
                    duplicates: &duplicates,
                };
                Wanted::new(meter, &wanted)
            })
            .collect();
        let pool = Pool {
            dataset: &self.dataset,
            ids: &self.ids,
            matrix: self.matrix.view(),
            exif: Exif::Ignore,
        };
        pick(pool, &modes, &wanted, &mut KeptImages::default(), stop)
    }
}

fn ids(picked: &Picked) -> Vec<&str> {
    picked.picks.iter().map(|pick| pick.id.as_str()).collect()
}

fn counts(picked: &Picked) -> Vec<(&str, usize)> {
    let counts = picked.rejected.iter();
    counts.map(|(reason, n)| (reason.as_str(), *n)).collect()
}

#[test]
fn the_hardest_come_first_and_the_rest_have_their_reasons() {
    let set = Set::new();
    let modes = set.pick(&[ModeId::new(0, 0)], None, 9);
    let picked = &modes[0];
    assert_eq!((picked.class.as_str(), picked.of_class), ("old", 7));
    assert_eq!(ids(picked), ["pool/1.png", "pool/0.png", "pool/6.png"]);
    assert_eq!(
        counts(picked),
        [
            ("alignment", 1),
            ("blank", 1),
            ("duplicate-kept", 1),
            ("duplicate-train", 1)
        ]
    );
    let duplicate = |id: &str, reason: &str, of: &str| Duplicate {
        id: id.to_owned(),
        reason: reason.to_owned(),
        of: of.to_owned(),
    };
    assert_eq!(
        picked.duplicates,
        [
            duplicate("pool/4.png", "duplicate-train", "train/a.png"),
            duplicate("pool/5.png", "duplicate-kept", "pool/0.png"),
        ]
    );
    let first = &picked.picks[0];
    assert!((first.alignment - 1.0).abs() < 1e-6, "{first:?}");
    assert_eq!(first.class_similarity, None);
    assert!((first.nearest_train_similarity.unwrap() - 1.0 / f64::sqrt(1.01)).abs() < 1e-6);
    assert_eq!((first.width, first.height), (32, 24));
    let bytes = std::fs::read(set.folder.path().join("pool/1.png")).unwrap();
    assert_eq!(first.sha256, io::sha256_hex(&bytes));
    assert_eq!(set.pick(&[ModeId::new(0, 0)], None, 9), modes, "and again");
}

#[test]
fn a_quota_ends_it_and_another_mode_gets_what_is_left() {
    let set = Set::new();
    let modes = [ModeId::new(0, 0), ModeId::new(0, 1), ModeId::new(1, 0)];
    let modes = set.pick(&modes, None, 1);
    assert_eq!(ids(&modes[0]), ["pool/1.png"]);
    assert_eq!(modes[0].left, 5);
    assert_eq!(ids(&modes[1]), ["pool/0.png"]);
    assert_eq!(modes[1].of_class, 6);
    assert_eq!(ids(&modes[2]), ["pool/7.png"]);
    assert_eq!((modes[2].left, counts(&modes[2]).len()), (0, 0));
}

#[test]
fn where_captions_are_known_an_image_must_be_of_its_class() {
    let set = Set::new();
    // The second class's reference is nearer to what leans to the second coordinate.
    let references = array![[1.0_f32, 0.0], [0.9, 0.5]];
    let modes = set.pick(&[ModeId::new(0, 0)], Some(references), 9);
    assert_eq!(ids(&modes[0]), ["pool/1.png", "pool/0.png"]);
    assert!(counts(&modes[0]).contains(&("class", 1)), "{modes:?}");
    assert!(modes[0].picks[0].class_similarity.unwrap() > 0.999);
}

#[test]
fn an_image_that_is_gone_is_named_and_a_stop_leaves_nothing_half_done() {
    let set = Set::new();
    std::fs::remove_file(set.folder.path().join("pool/6.png")).unwrap();
    let modes = [ModeId::new(0, 0)];
    let error = set.picked(&modes, None, 9, &|| false).unwrap_err();
    assert!(error.to_string().contains("6.png"), "{error}");
    assert_eq!(set.picked(&modes, None, 9, &|| true).unwrap(), None);
}
