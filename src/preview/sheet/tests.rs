use super::*;
use crate::preview::Mark;

fn sheet(count: usize, mark: Mark) -> Sheet {
    let cell = Tile {
        image: RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, 200])),
        lines: vec!["a cat".to_owned(), "alignment 1.25".to_owned()],
        mark,
    };
    Sheet {
        title: "cat".to_owned(),
        sentence: "Cats at night.".to_owned(),
        sections: vec![Section {
            title: "Kept".to_owned(),
            note: String::new(),
            cells: vec![cell; count],
        }],
    }
}

fn drawn(sheet: &Sheet) -> RgbImage {
    render(sheet, &SheetOptions::default())
}

#[test]
fn sheets_grow_downward_alone() {
    let size = |count| drawn(&sheet(count, Mark::Plain)).dimensions();
    let (width, empty) = size(0);
    assert_eq!(width, 2 * 24 + 6 * 168 + 5 * 16);
    // Frame and picture, space, two lines of text, gap.
    let row = 168 + 4 + 2 * 18 + 16;
    for (count, rows) in [(1, 1), (6, 1), (7, 2), (50, 9)] {
        assert_eq!(size(count), (width, empty + rows * row), "{count} cells");
    }
}

#[test]
fn kept_and_rejected_differ() {
    let (kept, rejected) = (
        drawn(&sheet(1, Mark::Kept)),
        drawn(&sheet(1, Mark::Rejected)),
    );
    let has = |image: &RgbImage, mark: Mark| image.pixels().any(|p| *p == mark.colour());
    assert!(has(&kept, Mark::Kept) && !has(&kept, Mark::Rejected));
    assert!(has(&rejected, Mark::Rejected) && !has(&rejected, Mark::Kept));
}

#[test]
fn an_empty_section_shows_its_note() {
    let silent = sheet(0, Mark::Plain);
    let mut noted = silent.clone();
    noted.sections[0].note = "nothing passed the filters".to_owned();
    assert_eq!(
        drawn(&noted).height(),
        drawn(&silent).height() + NOTE.height()
    );
    let inked = |image: &RgbImage| image.pixels().filter(|p| **p != PAPER).count();
    assert!(inked(&drawn(&noted)) > inked(&drawn(&silent)));
}

#[test]
fn odd_options_are_held_to_what_can_be_drawn() {
    let all = sheet(3, Mark::Kept);
    for (columns, cell) in [(0, 0), (1, 1), (u32::MAX, 0), (1, u32::MAX)] {
        let image = render(&all, &SheetOptions { columns, cell });
        assert!(
            image.width() >= 2 * MARGIN_PX + 88,
            "{columns} columns, {cell} px"
        );
    }
}

#[test]
fn a_written_sheet_reads_back_and_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("new/a.png"), folder.path().join("b.png"));
    let sheet = sheet(7, Mark::Rejected);
    for path in [&a, &b] {
        write(&sheet, &SheetOptions::default(), path).unwrap();
    }
    assert_eq!(io::read(&a).unwrap(), io::read(&b).unwrap());
    assert_eq!(
        io::image::read_rgb(&a, io::image::Exif::Ignore).unwrap(),
        drawn(&sheet)
    );
}

#[test]
fn a_folder_in_the_way_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = write(
        &sheet(1, Mark::Plain),
        &SheetOptions::default(),
        folder.path(),
    );
    assert!(matches!(error, Err(PreviewError::Io(_))), "{error:?}");
}
