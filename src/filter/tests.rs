use image::{Rgb, RgbImage};
use ndarray::{Array2, array};

use super::duplicate::{Against, Duplicates, Thumbnail};
use super::*;
use crate::direction::{Direction, ModeId, Whitening};
use crate::filter::class::ZeroShot;

/// A policy that asks for nothing but what the defaults ask.
pub(crate) fn policy() -> Policy {
    Policy {
        min_alignment: None,
        class_margin: 0.0,
        min_deviation: 2.0,
        duplicate: DuplicateOptions::default(),
        copy: CopyOptions::default(),
    }
}

/// What is measured of an image that passes; without a descriptor, so that it is no duplicate.
pub(crate) fn measures() -> Measures {
    Measures {
        class_similarity: Some(0.5),
        ..Measures::of_pixels(&bars(9))
    }
}

/// A direction whose alignment is the first coordinate of the unit vector.
pub(crate) fn direction(class: usize, mode: u32) -> Direction {
    Direction {
        threshold: 0.5,
        ..Direction::made_up(ModeId::new(class, mode), array![-1.0, 0.0])
    }
}

/// A whitening that leaves directions as they are.
pub(crate) fn whitening() -> Whitening {
    Whitening::fit(array![[1.0_f32, 1.0], [-1.0, -1.0]].view()).unwrap()
}

fn bars(x: u32) -> RgbImage {
    RgbImage::from_fn(32, 32, |at, _| {
        Rgb([if at.abs_diff(x) < 4 { 220 } else { 30 }; 3])
    })
}

/// What is measured of one image of class 0, whose reference lies along the first axis.
fn measured(subject: Subject<'_>, embedding: [f32; 2]) -> Measures {
    let references: Array2<f32> = array![[1.0, 0.0], [0.0, 1.0]];
    let meter = Meter {
        whitening: &whitening(),
        direction: &direction(0, 0),
        zero_shot: Some(&ZeroShot::new(references.view())),
        duplicates: &Duplicates::new(0.95, Vec::new()),
    };
    let embeddings = array![embedding];
    meter
        .measure(&[subject], embeddings.view())
        .unwrap()
        .remove(0)
}

fn subject(image: &RgbImage) -> Subject<'_> {
    Subject {
        image,
        finite: true,
        flagged: false,
        start: None,
    }
}

fn reason(
    policy: &Policy,
    measures: &Measures,
    kept: &KeptImages,
    control: bool,
) -> Option<Reason> {
    first_reason(&filters(policy, 0.5), measures, kept, control)
}

#[test]
fn the_first_filter_that_fails_gives_the_reason_with_its_numbers() {
    let (image, blank) = (bars(9), RgbImage::new(32, 32));
    let of = |subject: Subject<'_>, embedding| {
        let measures = measured(subject, embedding);
        reason(&policy(), &measures, &KeptImages::default(), false)
    };
    assert_eq!(of(subject(&image), [1.0, 0.1]), None);
    let not_finite = Subject {
        finite: false,
        ..subject(&image)
    };
    assert_eq!(of(not_finite, [1.0, 0.1]), Some(Reason::NonFinite));
    assert_eq!(
        of(subject(&image), [f32::NAN, 0.1]),
        Some(Reason::NonFinite)
    );
    // Safety is asked before blankness: a checker often leaves black.
    let flagged = Subject {
        flagged: true,
        ..subject(&blank)
    };
    assert_eq!(of(flagged, [1.0, 0.1]), Some(Reason::Safety));
    let deviation = 0.0;
    let expected = Reason::Blank {
        deviation,
        least: 2.0,
    };
    assert_eq!(of(subject(&blank), [1.0, 0.1]), Some(expected));
    let Some(Reason::Alignment { alignment, least }) = of(subject(&image), [0.1, 1.0]) else {
        panic!("too easy comes before another class")
    };
    assert!(alignment < least && least == 0.5);
}

#[test]
fn another_policy_decides_anew_from_the_same_numbers() {
    let image = bars(9);
    let measures = measured(subject(&image), [1.0, 0.7]);
    let none = KeptImages::default();
    assert_eq!(reason(&policy(), &measures, &none, false), None);
    let strict = Policy {
        class_margin: 0.5,
        ..policy()
    };
    let found = reason(&strict, &measures, &none, false);
    assert!(
        matches!(found, Some(Reason::Class { least: 0.5, .. })),
        "{found:?}"
    );
    assert_eq!(
        reason(&strict, &measures, &none, true),
        None,
        "controls are not aimed"
    );
    let harder = Policy {
        min_alignment: Some(2.0),
        ..policy()
    };
    let found = reason(&harder, &measures, &none, false);
    assert!(
        matches!(found, Some(Reason::Alignment { least: 2.0, .. })),
        "{found:?}"
    );
    assert_eq!(reason(&harder, &measures, &none, true), None);
}

#[test]
fn what_nearly_equals_a_known_or_a_kept_image_is_a_duplicate_of_it() {
    let image = bars(9);
    let mut measures = measured(subject(&image), [1.0, 0.1]);
    let mut kept = KeptImages::default();
    kept.add("first", measures.descriptor.as_ref().unwrap());
    let found = reason(&policy(), &measures, &kept, true).unwrap();
    assert_eq!(
        (found.name(), found.duplicate_of()),
        ("duplicate-kept", Some("first"))
    );
    let off = |change: fn(&mut DuplicateOptions)| {
        let mut policy = policy();
        change(&mut policy.duplicate);
        policy
    };
    assert_eq!(
        reason(&off(|d| d.kept = false), &measures, &kept, false),
        None
    );
    for (against, correlation) in [(Against::Train, 0.995), (Against::Test, 0.98)] {
        measures.twins.push(Twin {
            against,
            id: against_name(against).to_owned(),
            similarity: 0.97,
            correlation,
        });
    }
    let found = reason(&policy(), &measures, &kept, false).unwrap();
    assert_eq!(found.name(), "duplicate-train", "known images come first");
    let no_train = off(|d| (d.train, d.kept) = (false, false));
    assert_eq!(reason(&no_train, &measures, &kept, false), None);
    let looser = off(|d| (d.train, d.kept, d.thumbnail) = (false, false, 0.97));
    let found = reason(&looser, &measures, &kept, false).unwrap();
    assert_eq!(found.duplicate_of(), Some("test"));
}

fn against_name(against: Against) -> &'static str {
    match against {
        Against::Train => "train",
        Against::Val => "val",
        Against::Test => "test",
        Against::Kept => "kept",
    }
}

#[test]
fn measures_come_back_from_json_and_numbers_without_a_form_are_named() {
    let image = bars(9);
    let mut measures = measured(subject(&image), [1.0, 0.1]);
    assert_eq!(Thumbnail::of(&image), Thumbnail::of(&image));
    let text = serde_json::to_string(&measures).unwrap();
    assert_eq!(serde_json::from_str::<Measures>(&text).unwrap(), measures);
    assert_eq!(measures.non_finite(), None);
    measures.class_margin = Some(f64::NAN);
    assert_eq!(measures.non_finite().unwrap().0, "class_margin");
}
