//! The page of a finished run, read back from its files.

use super::*;
use crate::direction::ModeId;
use crate::pipeline::page;
use crate::run::folder::Layout;

#[test]
fn the_page_has_what_the_run_found_made_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let mut settings: Settings = (*settings(dir.path(), 30)).clone();
    settings.data.pool = Some(crate::dataset::Split::Pool);
    // Enough for a finding among two classes.
    settings.direction.permutations = 199;
    let out = dir.path().join("run");
    drop(whole(&settings.check().unwrap(), &out));
    let layout = Layout::new(&out);
    let contents = page::contents(&layout).unwrap();
    let summary = contents.summary.as_ref().unwrap();
    let id = contents.report.overview.first_to_fix[0].id();
    let made = summary.mode(id).unwrap();
    assert!(made.kept > 0 && contents.quota == Some(30), "{made:?}");
    let attempts = &contents.attempts[&id];
    let kept = attempts.iter().filter(|kept| **kept).count();
    assert_eq!((attempts.len(), kept), (made.attempted, made.kept));
    let pictures = &contents.pictures[&id];
    let all = || {
        pictures
            .mistakes
            .iter()
            .chain(&pictures.pool)
            .chain(&pictures.kept)
    };
    assert!(
        !pictures.mistakes.is_empty() && !pictures.pool.is_empty() && !pictures.kept.is_empty()
    );
    assert!(all().all(|picture| picture.jpeg.is_some() && picture.size == (16, 16)));
    // Every right and every wrong image of val is in the histogram.
    let entry = contents.report.mode(ModeId::new(id.class, 0)).unwrap();
    let spread = entry.val_alignments.as_ref().unwrap();
    let counted = |of: &[usize]| of.iter().sum::<usize>();
    assert_eq!(
        (counted(&spread.right), counted(&spread.wrong)),
        (entry.right, entry.wrong)
    );
    let path = page::write(&layout).unwrap();
    let first = fs::read(&path).unwrap();
    assert!(first.len() < 500_000, "{}", first.len());
    fs::remove_dir_all(dir.path().join("squares")).unwrap();
    page::write(&layout).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("no longer where they were"),
        "the rest is still there"
    );
}

#[test]
fn a_folder_without_a_report_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = page::contents(&Layout::new(dir.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(
        error
            .to_string()
            .contains("holds no report: let `hardlight detect`"),
        "{error}"
    );
}
