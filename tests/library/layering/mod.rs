//! Holds the imports of the rooms in `src/` to what their module docs promise: left or down, never up,
//! and libtorch only where it belongs.

mod circles;
mod paths;
mod source;

use self::source::sources;

/// Every room that stands above.
const ALL_ABOVE: &[&str] = &["*"];

/// What each room may import, besides itself: rooms that stand above it in this list.
const ALLOWED: [(&str, &[&str]); 20] = [
    ("io", &[]),
    ("image_file", &["io"]),
    ("hub", &["io"]),
    ("dataset", &["io"]),
    ("nn", &["io"]),
    ("embed", &["io", "dataset", "nn"]),
    ("direction", &["io", "dataset", "embed"]),
    ("caption", &["io", "dataset", "embed", "direction"]),
    ("diffusion", &["io", "nn"]),
    ("classifier", &["io", "dataset", "nn"]),
    (
        "generate",
        &[
            "io",
            "embed",
            "direction",
            "caption",
            "diffusion",
            "image_file",
        ],
    ),
    ("filter", &["io", "dataset", "embed", "direction"]),
    (
        "run",
        &[
            "io",
            "image_file",
            "dataset",
            "embed",
            "direction",
            "caption",
            "classifier",
            "generate",
            "filter",
        ],
    ),
    ("report", &["io", "dataset", "direction", "caption", "run"]),
    (
        "manifest",
        &[
            "io",
            "image_file",
            "dataset",
            "direction",
            "run",
            "generate",
        ],
    ),
    (
        "preview",
        &[
            "io",
            "dataset",
            "direction",
            "caption",
            "filter",
            "run",
            "report",
            "manifest",
            "generate",
        ],
    ),
    (
        "world",
        &[
            "io",
            "dataset",
            "classifier",
            "embed",
            "generate",
            "image_file",
        ],
    ),
    ("pipeline", ALL_ABOVE),
    ("cli", ALL_ABOVE),
    ("lib", &[]),
];

/// Files and folders in which `tch` may be named.
const TORCH: [&str; 11] = [
    "nn/",
    "embed/clip",
    "embed/mod.rs",
    "embed/safety.rs",
    "diffusion/",
    "generate/stable_diffusion.rs",
    "classifier/",
    "world/judge.rs",
    "world/retrain.rs",
    "pipeline/",
    "cli/",
];

fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The rooms that the text names.
fn imports(code: &str) -> Vec<String> {
    let rooms = paths::paths(code, &[]).into_iter();
    rooms
        .filter(|path| path[0] == "crate")
        .filter_map(|path| path.into_iter().nth(1))
        .collect()
}

#[test]
fn every_room_has_a_rule_and_every_rule_a_room() {
    let mut rooms: Vec<String> = sources()
        .iter()
        .map(|(file, _)| room(file).to_owned())
        .collect();
    rooms.sort();
    rooms.dedup();
    let mut ruled: Vec<&str> = ALLOWED.iter().map(|(room, _)| *room).collect();
    ruled.sort_unstable();
    assert_eq!(rooms, ruled);
}

/// Whether `room` may import `import`.
fn may(room: &str, import: &str) -> bool {
    let place = ALLOWED.iter().position(|(ruled, _)| *ruled == room);
    let place = place.unwrap_or_else(|| panic!("no rule for {room}"));
    let above = ALLOWED[..place].iter().any(|(ruled, _)| *ruled == import);
    let (_, allowed) = ALLOWED[place];
    room == import || above && (allowed == ALL_ABOVE || allowed.contains(&import))
}

#[test]
fn rules_name_rooms_that_stand_above() {
    for (room, allowed) in ALLOWED {
        for import in allowed.iter().filter(|_| allowed != ALL_ABOVE) {
            assert!(
                may(room, import),
                "{import} does not stand above {room} in the list"
            );
        }
    }
}

#[test]
fn imports_point_left_or_down() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        for import in imports(&code) {
            if !may(room(&file), &import) {
                wrong.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_path_climbs_out_of_its_room_by_super() {
    for (file, code) in sources() {
        // `src/run/x/y.rs` has two levels below the crate: `super::super::super` would leave `run`.
        let folders = file.matches('/').count() - usize::from(file.ends_with("/mod.rs"));
        let climb = "super::".repeat(folders + 1);
        assert!(!code.contains(&climb), "{file} leaves its room by {climb}");
    }
}

#[test]
fn libtorch_stays_where_it_belongs() {
    for (file, code) in sources() {
        let named = code.match_indices("tch::").any(|(at, _)| {
            // `batch::` and the like are other words.
            !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
        });
        let may = TORCH.iter().any(|place| file.starts_with(place));
        assert!(may || !named, "{file} names tch");
    }
}
