use ndarray::{Array2, array};

use super::*;

fn direction() -> Direction {
    Direction {
        b: 0.5,
        ..Direction::made_up(ModeId::new(0, 0), array![-2.0, 0.0])
    }
}

#[test]
fn both_forms_are_the_papers() {
    // mean 1 and 2, deviation √2 and 2√2.
    let whitening = Whitening::fit(array![[0.0_f32, 0.0], [2.0, 4.0]].view()).unwrap();
    let references = References::new(array![[1.0_f32, 1.0], [-5.0, 1.0]]);
    let classes = ["cat".to_owned(), "dog".to_owned()];
    let captions = ["ref", "hard", "easy", "a dog"].map(ToOwned::to_owned);
    let embeddings: Array2<f32> = array![[1.0, 1.0], [4.0, 2.0], [0.5, 2.0], [-4.0, 1.0]];
    let words = [];
    let space = Space {
        whitening: &whitening,
        references: &references,
        classes: &classes,
        contradictions: &words,
        ends: 1,
        near_equal: 0.98,
        val: None,
        seed: 0,
    };
    let scores = score(&direction(), &captions, "ref", embeddings.view(), space).unwrap();
    let order: Vec<_> = scores
        .iter()
        .map(|s| (s.caption.as_str(), s.kind))
        .collect();
    assert_eq!(
        order,
        [
            ("hard", CaptionKind::Hard),
            ("ref", CaptionKind::Neutral),
            ("easy", CaptionKind::Easy),
            ("a dog", CaptionKind::Other)
        ]
    );
    // hard: (3, 1) − (1, 2) over (√2, 2√2) is (1.41421, −0.35355): unit (0.97014, −0.24254).
    let hard = &scores[0];
    assert!(
        (hard.alignment - (2.0 * 0.970_142_5 - 0.5) / 2.0).abs() < 1e-6,
        "{}",
        hard.alignment
    );
    // (3, 1)/σ = (2.12132, 0.35355): its cosine with (1, 0).
    assert!((hard.cosine - 0.986_393_9).abs() < 1e-6, "{}", hard.cosine);
    assert!(scores[1].cosine.abs() < 1e-12, "the reference itself");
    assert!(
        scores[3]
            .dropped
            .as_deref()
            .unwrap()
            .starts_with("nearer to dog")
    );
}

#[test]
fn contradictions_are_dropped_by_word() {
    let whitening = Whitening::fit(array![[0.0_f32, 0.0], [2.0, 4.0]].view()).unwrap();
    let references = References::new(array![[1.0_f32, 1.0]]);
    let words = ["young".to_owned()];
    let space = Space {
        whitening: &whitening,
        references: &references,
        classes: &[],
        contradictions: &words,
        ends: 1,
        near_equal: 0.98,
        val: None,
        seed: 0,
    };
    let captions = ["a young man".to_owned(), "a youngster".to_owned()];
    let embeddings = array![[4.0_f32, 2.0], [1.0, 2.0]];
    let scores = score(&direction(), &captions, "", embeddings.view(), space).unwrap();
    assert_eq!(scores[0].caption, "a youngster");
    assert!(scores[1].dropped.is_some());
    assert_eq!(of_kind(&scores, CaptionKind::Hard), ["a youngster"]);
}

/// Scores with the direction along the first dimension, all else equal; `near_equal` 0.98.
fn scored(captions: &[(&str, [f32; 3])]) -> Vec<CaptionScore> {
    let corners = array![[0.0_f32, 0.0, 0.0], [2.0, 2.0, 2.0]];
    let whitening = Whitening::fit(corners.view()).unwrap();
    let references = References::new(array![[0.0_f32, 0.0, 1.0], [0.0, 1.0, 0.0]]);
    let direction = Direction {
        w: array![-1.0, 0.0, 0.0],
        ..direction()
    };
    let classes = ["cat".to_owned(), "dog".to_owned()];
    let space = Space {
        whitening: &whitening,
        references: &references,
        classes: &classes,
        contradictions: &[],
        ends: 2,
        near_equal: 0.98,
        val: None,
        seed: 0,
    };
    let texts: Vec<String> = captions.iter().map(|c| c.0.to_owned()).collect();
    let rows = captions.iter().flat_map(|c| c.1).collect();
    let embeddings = Array2::from_shape_vec((captions.len(), 3), rows).unwrap();
    score(&direction, &texts, "a cat", embeddings.view(), space).unwrap()
}

#[test]
fn near_equal_captions_merge_into_the_hardest() {
    let scores = scored(&[
        ("a cat", [0.0, 0.0, 1.0]),
        ("a small cat", [0.9, 0.1, 1.0]),
        ("a little cat", [0.91, 0.1, 1.0]),
        ("A little cat!", [0.0, -0.5, 1.0]),
        ("The cat", [2.0, 0.0, 1.0]),
        ("a cat at night", [-0.5, 0.3, 1.0]),
    ]);
    let dropped: Vec<_> = scores
        .iter()
        .map(|s| (s.caption.as_str(), s.dropped.as_deref()))
        .collect();
    assert_eq!(
        dropped,
        [
            ("a little cat", None),
            ("a cat", None),
            ("a cat at night", None),
            ("The cat", Some("says the same as \"a cat\"")),
            (
                "a small cat",
                Some("near-equal to \"a little cat\" (cosine 1.000)")
            ),
            ("A little cat!", Some("says the same as \"a little cat\"")),
        ]
    );
    let ranks: Vec<_> = scores.iter().map(|s| s.rank).collect();
    assert_eq!(ranks, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn equal_scores_keep_the_order_given_and_merge_into_the_first() {
    let scores = scored(&[
        ("b", [0.5, 0.2, 1.0]),
        ("a", [0.5, 0.2, 1.0]),
        ("c", [0.5, 0.2, 3.0]),
    ]);
    assert_eq!(
        (scores[0].caption.as_str(), scores[1].caption.as_str()),
        ("b", "c")
    );
    assert_eq!(scores[0].alignment, scores[1].alignment);
    let merged = &scores[2];
    assert_eq!(merged.caption, "a");
    assert_eq!(
        merged.dropped.as_deref(),
        Some("near-equal to \"b\" (cosine 1.000)")
    );
}

#[test]
fn a_caption_as_near_to_another_class_is_kept() {
    let scores = scored(&[("both", [0.1, 1.0, 1.0]), ("dog", [0.1, 1.01, 1.0])]);
    assert_eq!(
        (scores[0].caption.as_str(), &scores[0].dropped),
        ("both", &None)
    );
    let reason = scores[1].dropped.as_deref().unwrap();
    assert_eq!(
        reason,
        "nearer to dog (0.709) than to its own class (0.702)"
    );
}

#[test]
fn the_sum_of_two_ranks_decides_and_the_easy_end_is_its_other_end() {
    let whitening = Whitening::fit(array![[0.0_f32, 0.0], [2.0, 2.0]].view()).unwrap();
    // The reference lies apart from the images and the captions in one plane with them.
    let references = References::new(array![[0.0_f32, 1.0]]);
    let direction = Direction::made_up(ModeId::new(0, 0), array![-1.0, 0.0]);
    // 20 images on a quarter of a circle; wrong are those in its upper half.
    let angle = |i: usize| (i as f32 + 0.5) / 20.0 * std::f32::consts::FRAC_PI_2;
    let rows = Array2::from_shape_fn((20, 2), |(i, d)| match d {
        0 => angle(i).cos(),
        _ => angle(i).sin(),
    });
    let val = Images::new(rows.view(), (0..20).map(|i| i < 10).collect());
    let space = Space {
        whitening: &whitening,
        references: &references,
        classes: &[],
        contradictions: &[],
        ends: 1,
        near_equal: 1.1,
        val: Some(&val),
        seed: 0,
    };
    // By alignment: "between", "out", "up", "away". By the images nearest: "up" and "away", "between", "out".
    let captions = ["out", "between", "up", "away"].map(str::to_owned);
    let embeddings = array![[4.0_f32, 0.1], [3.0, 2.9], [0.5, 3.0], [-5.0, 0.5]];
    let scores = score(&direction, &captions, "", embeddings.view(), space).unwrap();
    let seen: Vec<_> = scores
        .iter()
        .map(|s| (s.caption.as_str(), s.rank_sum.unwrap(), s.kind))
        .collect();
    let errors = |caption: &str| {
        let score = scores.iter().find(|s| s.caption == caption).unwrap();
        score.nearest_error.unwrap()
    };
    assert_eq!(
        (errors("up"), errors("between"), errors("out")),
        (1.0, 0.5, 0.0)
    );
    let expected = [
        ("between", 4.0, CaptionKind::Hard),
        ("up", 4.5, CaptionKind::Other),
        ("away", 5.5, CaptionKind::Other),
        ("out", 6.0, CaptionKind::Easy),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn equals_share_the_mean_of_their_places() {
    assert_eq!(
        places(&[0.5, 2.0, 0.5, 0.5, 1.0]),
        [4.0, 1.0, 4.0, 4.0, 2.0]
    );
    assert_eq!(places(&[]), [0.0; 0]);
}
