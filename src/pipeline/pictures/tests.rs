use std::cell::Cell;

use super::*;
use crate::io::ErrorKind;
use crate::pipeline::Silent;
use crate::world::stand_in::Painter;

fn orders(folder: &std::path::Path, captions: &[&str]) -> Vec<Order> {
    let painter = Painter::new(10, 1);
    let each = captions.iter().enumerate();
    each.map(|(at, caption)| Order {
        recipe: painter.template().draw(caption, at as u64),
        path: folder.join(format!("{at:05}.png")),
    })
    .collect()
}

#[test]
fn pictures_are_made_once_and_another_in_their_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let orders = orders(
        folder.path(),
        &["a red thing", "a blue thing", "a green thing"],
    );
    let mut silent = Silent;
    let mut context = Context::new(&mut silent);
    let mut painter = Painter::new(10, 2);
    let options = Options::default();
    let mut go = |orders: &[Order], painter: &mut Painter, options: &Options| {
        draw(&mut context, painter, orders, options)
    };
    let drawn = go(&orders[..2], &mut painter, &options).unwrap();
    assert_eq!(
        drawn,
        Drawn {
            fresh: 2,
            broken: 0
        }
    );
    let drawn = go(&orders, &mut painter, &options).unwrap();
    assert_eq!((drawn.fresh, painter.painted()), (1, 3));
    let bytes = io::read(&orders[2].path).unwrap();
    let found = image_file::read_marks(&bytes).unwrap();
    assert_eq!(found["recipe"]["caption"], "a green thing");
    let mut other = orders.clone();
    other[1].recipe = other[1].recipe.draw("a gray thing", 1);
    let error = go(&other, &mut painter, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error
            .to_string()
            .contains("recipe.caption: \"a blue thing\" → \"a gray thing\""),
        "{error}"
    );
    // One that a checker was asked about is another picture.
    let checked = Options {
        safety_checker: true,
        latents: None,
    };
    assert!(go(&orders, &mut painter, &checked).is_err());
}

#[test]
fn what_is_flagged_is_black_and_what_is_broken_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let orders = orders(
        folder.path(),
        &["an unsafe red thing", "a broken thing", "a red thing"],
    );
    let mut recorder = crate::pipeline::Recorder::default();
    let mut context = Context::new(&mut recorder);
    let mut painter = Painter::new(10, 3);
    let drawn = draw(&mut context, &mut painter, &orders, &Options::default()).unwrap();
    assert_eq!(
        drawn,
        Drawn {
            fresh: 2,
            broken: 1
        }
    );
    let image = image::open(&orders[0].path).unwrap().to_rgb8();
    assert!(image.pixels().all(|p| p.0 == [0; 3]));
    assert!(!orders[1].path.exists() && orders[2].path.exists());
    let warnings = recorder.warnings().join("\n");
    assert!(
        warnings.contains("00000.png is black") && warnings.contains("00001.png would have"),
        "{warnings}"
    );
}

#[test]
fn an_attempt_is_found_by_its_id_in_any_case_or_by_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<_> = (0..4).map(crate::run::ledger::tests::entry).collect();
    let path = folder.path().join("ledger.jsonl");
    crate::run::ledger::write(&path, &lines.iter().collect::<Vec<_>>()).unwrap();
    let found = |ids: &[&str]| {
        let ids: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
        find(&path, &ids)
    };
    let (first, last) = (lines[0].id.as_str(), lines[3].id.as_str());
    let upper = last.to_ascii_uppercase();
    // In the order given, and one that is named twice once.
    let two = found(&[&upper, &first[..8], last]).unwrap();
    assert_eq!(two, [lines[3].clone(), lines[0].clone()]);
    for (id, kind) in [
        (&first[..7], ErrorKind::Usage),
        ("no id at all", ErrorKind::Usage),
        (&*format!("{first}0"), ErrorKind::Usage),
        ("00000000", ErrorKind::Input),
    ] {
        let error = found(&[id]).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(id), "{error}");
    }
}

#[test]
fn stopped_it_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let orders = orders(folder.path(), &["a red thing"; 6]);
    let mut painter = Painter::new(10, 2);
    let left = std::sync::atomic::AtomicUsize::new(3);
    let stop = || {
        let take = |n: usize| n.checked_sub(1);
        left.fetch_update(
            std::sync::atomic::Ordering::Relaxed,
            std::sync::atomic::Ordering::Relaxed,
            take,
        )
        .is_err()
    };
    let mut silent = Silent;
    let mut context = Context::stopped_by(&mut silent, &stop);
    let error = draw(&mut context, &mut painter, &orders, &Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    let first = Cell::new(painter.painted());
    assert!(first.get() > 0 && first.get() < 6);
    let mut silent = Silent;
    let mut context = Context::new(&mut silent);
    draw(&mut context, &mut painter, &orders, &Options::default()).unwrap();
    assert_eq!(painter.painted(), 6, "none was made twice");
}
