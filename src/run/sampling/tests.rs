//! The loop on stand-ins: whatever interrupts it or changes in between, it ends with the same bytes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::array;

use super::*;
use crate::direction::{Direction, ModeId, Whitening};
use crate::filter;
use crate::filter::duplicate::{Duplicates, KeptImages};
use crate::filter::tests::{direction, policy as of_filters};
use crate::generate::recipe::Output;
use crate::generate::{Arm, GenerateError, GeneratedImage, MadeOn, Recipe};
use crate::image_file::{FileFormat, read_marks};
use crate::run::decide::decide;
use crate::run::gallery;
use crate::run::plan::PlannedArm;
use crate::run::policy::Policy;
use crate::world::stand_in::{ColourEncoder, Painter};

/// Pictures along a side, px.
const SIDE: u32 = 12;

/// A run folder with everything that sampling needs.
struct Bench {
    folder: tempfile::TempDir,
    layout: Layout,
    plan: Plan,
    direction: Direction,
    whitening: Whitening,
}

impl Bench {
    fn new() -> Self {
        Self::with(Output {
            width: SIDE,
            height: SIDE,
            format: FileFormat::Png,
        })
    }

    fn with(output: Output) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut template = Painter::new(SIDE, 1).template().clone();
        template.output = output;
        let arm = |arm, captions: &[&str]| PlannedArm {
            mode: ModeId::new(0, 0),
            class: "thing".to_owned(),
            arm,
            captions: captions.iter().map(|&caption| caption.to_owned()).collect(),
            starts: None,
            threshold: 0.5,
        };
        let hard = [
            "a red thing",
            "a broken red thing",
            "a green thing",
            "a yellow thing",
        ];
        let arms = vec![arm(Arm::Hard, &hard), arm(Arm::Neutral, &["a gray thing"])];
        Self {
            layout: Layout::new(folder.path()),
            folder,
            plan: Plan::new(3, template, arms),
            // Alignment is how red an image is, as a share of the length of its embedding.
            direction: Direction {
                w: array![-1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                ..direction(0, 0)
            },
            whitening: Whitening::fit(
                array![
                    [1.0_f32, 1.0, 1.0, 1.0, 1.0, 1.0],
                    [-1.0, -1.0, -1.0, -1.0, -1.0, -1.0]
                ]
                .view(),
            )
            .unwrap(),
        }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Works on the folder until the policy is met, or `stop` says so; gives the pictures painted.
    fn work(&self, policy: &Policy, batch: usize, stop: &dyn Fn() -> bool) -> (Ended, usize) {
        let mut painter = Painter::new(SIDE, batch);
        let ended = self.work_with(policy, &mut painter, stop).unwrap();
        (ended, painter.painted())
    }

    fn work_with(
        &self,
        policy: &Policy,
        generator: &mut dyn ImageGenerator,
        stop: &dyn Fn() -> bool,
    ) -> Result<Ended, SamplingError> {
        let goals = self.plan.goals(policy, &BTreeMap::new());
        let duplicates = Duplicates::new(0.95, Vec::new());
        let meter = Meter {
            whitening: &self.whitening,
            direction: &self.direction,
            zero_shot: None,
            duplicates: &duplicates,
        };
        let sampler = Sampler {
            layout: &self.layout,
            plan: &self.plan,
            goals: &goals,
            meters: &vec![meter; goals.len()],
            encoder: &ColourEncoder,
            pool: KeptImages::default(),
        };
        sampler.run(generator, stop, &mut |_| {})
    }

    /// Decides and lays out; gives what each outcome kept.
    fn lay_out(&self, policy: &Policy) -> Vec<usize> {
        let (lines, _) = ledger::read(&self.layout.ledger()).unwrap();
        let known = by_id(lines);
        let goals = self.plan.goals(policy, &BTreeMap::new());
        let decisions = decide(&self.plan, &goals, &known, KeptImages::default());
        gallery::lay_out(&self.layout, &decisions, policy.keep_rejected).unwrap();
        decisions
            .outcomes
            .iter()
            .map(|o| o.kept().count())
            .collect()
    }

    /// Every file by its path below the folder.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.root().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.root()).unwrap().to_owned();
                    found.insert(name, fs::read(path).unwrap());
                }
            }
        }
        found
    }

    fn lines(&self) -> usize {
        fs::read_to_string(self.layout.ledger())
            .unwrap_or_default()
            .lines()
            .count()
    }
}

fn policy(quota: usize) -> Policy {
    let filters = of_filters();
    Policy {
        quota,
        budget: 40,
        controls: 3,
        keep_rejected: 4,
        filter: filter::Policy {
            min_alignment: Some(0.6),
            ..filters
        },
    }
}

fn never() -> bool {
    false
}

/// The files of a run that nothing disturbed.
fn fresh(policy: &Policy, batch: usize) -> BTreeMap<PathBuf, Vec<u8>> {
    let bench = Bench::new();
    assert_eq!(bench.work(policy, batch, &never).0, Ended::Done);
    bench.lay_out(policy);
    bench.files()
}

#[test]
fn quotas_are_met_from_what_passes_and_every_attempt_is_noted() {
    let bench = Bench::new();
    let (ended, painted) = bench.work(&policy(5), 4, &never);
    assert_eq!(ended, Ended::Done);
    assert_eq!(bench.lay_out(&policy(5)), [5, 3]);
    let (lines, torn) = ledger::read(&bench.layout.ledger()).unwrap();
    assert_eq!((lines.len(), torn), (painted, None));
    // Blocks of 4 are finished: the controls need 3 and make 4.
    assert_eq!(lines.iter().filter(|l| l.arm == Arm::Neutral).count(), 4);
    for line in &lines {
        let bytes = fs::read(bench.layout.attempt(line)).unwrap();
        assert_eq!(crate::io::sha256_hex(&bytes), line.sha256);
        let marks = read_marks(&bytes).unwrap();
        assert_eq!(marks["id"], line.id.as_str());
        assert_eq!(marks["recipe"], serde_json::to_value(&line.recipe).unwrap());
        let broken = line.recipe.caption.contains("broken");
        assert_eq!(line.measures.finite, !broken);
        assert_eq!(line.measures.alignment.is_none(), broken);
    }
    let files = bench.files();
    let shown = |folder: &str| files.keys().filter(|name| name.starts_with(folder)).count();
    assert_eq!(
        (shown("images"), shown("controls"), shown("rejected")),
        (5, 3, 4)
    );
}

#[test]
fn the_same_call_again_paints_nothing_and_changes_no_byte() {
    let bench = Bench::new();
    bench.work(&policy(5), 4, &never);
    bench.lay_out(&policy(5));
    let before = bench.files();
    assert_eq!(bench.work(&policy(5), 4, &never), (Ended::Done, 0));
    bench.lay_out(&policy(5));
    assert_eq!(bench.files(), before);
}

#[test]
fn stopped_anywhere_it_goes_on_to_the_same_bytes() {
    let whole = fresh(&policy(5), 4);
    for after in 1..12 {
        let bench = Bench::new();
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > after
        };
        let (ended, painted) = bench.work(&policy(5), 4, &stop);
        if ended == Ended::Done {
            assert!(after > 4, "stopped too late to tell anything");
            continue;
        }
        let (_, rest) = bench.work(&policy(5), 4, &never);
        bench.lay_out(&policy(5));
        assert_eq!(bench.files(), whole, "stopped after {after}");
        let lines = bench.lines();
        assert_eq!(painted + rest, lines, "no attempt was painted twice");
    }
}

#[test]
fn a_ledger_cut_anywhere_is_filled_up_to_the_same_bytes() {
    let whole = fresh(&policy(5), 4);
    let text = whole[Path::new("ledger.jsonl")].clone();
    for cut in (0..text.len()).step_by(text.len() / 9) {
        let bench = Bench::new();
        for (name, bytes) in &whole {
            let path = bench.root().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        fs::write(bench.layout.ledger(), &text[..cut]).unwrap();
        bench.work(&policy(5), 4, &never);
        bench.lay_out(&policy(5));
        assert_eq!(bench.files(), whole, "cut at {cut}");
    }
}

#[test]
fn a_larger_quota_goes_on_to_the_bytes_of_a_fresh_run() {
    for (first, then) in [(2, 9), (5, 6), (1, 10)] {
        let bench = Bench::new();
        let (_, begun) = bench.work(&policy(first), 4, &never);
        bench.lay_out(&policy(first));
        let (_, rest) = bench.work(&policy(then), 4, &never);
        assert_eq!(bench.lay_out(&policy(then)), [then, 3]);
        let whole = fresh(&policy(then), 4);
        assert_eq!(bench.files(), whole, "{first}, then {then}");
        assert_eq!(begun + rest, bench.lines(), "nothing was painted twice");
    }
}

#[test]
fn another_threshold_paints_what_lacks_and_a_smaller_quota_nothing() {
    let bench = Bench::new();
    bench.work(&policy(6), 4, &never);
    bench.lay_out(&policy(6));
    let shown = |files: &BTreeMap<PathBuf, Vec<u8>>| {
        let shown = |name: &&PathBuf| {
            gallery::FOLDERS
                .iter()
                .any(|folder| name.starts_with(folder))
        };
        files.keys().filter(shown).cloned().collect::<Vec<_>>()
    };
    for other in [
        policy(2),
        Policy {
            filter: filter::Policy {
                min_alignment: Some(-1.0),
                ..policy(6).filter
            },
            ..policy(6)
        },
        Policy {
            keep_rejected: 1,
            ..policy(6)
        },
    ] {
        assert_eq!(bench.work(&other, 4, &never), (Ended::Done, 0));
        bench.lay_out(&other);
        assert_eq!(shown(&bench.files()), shown(&fresh(&other, 4)));
    }
    let harder = Policy {
        filter: filter::Policy {
            min_alignment: Some(0.8),
            ..policy(6).filter
        },
        ..policy(6)
    };
    bench.work(&harder, 4, &never);
    bench.lay_out(&harder);
    assert_eq!(shown(&bench.files()), shown(&fresh(&harder, 4)));
}

#[test]
fn another_batch_goes_on_and_is_noted_a_line() {
    let bench = Bench::new();
    bench.work(&policy(2), 4, &never);
    bench.work(&policy(7), 3, &never);
    assert_eq!(bench.lay_out(&policy(7)), [7, 3]);
    let (lines, _) = ledger::read(&bench.layout.ledger()).unwrap();
    let with = |batch| lines.iter().filter(|l| l.made_on.batch == batch).count();
    assert!(with(4) > 0 && with(3) > 0);
    let images = |files: &BTreeMap<PathBuf, Vec<u8>>| {
        let images = files.keys().filter(|name| name.starts_with("images"));
        images.cloned().collect::<Vec<_>>()
    };
    assert_eq!(images(&bench.files()), images(&fresh(&policy(7), 4)));
}

#[test]
fn another_batch_paints_nothing_where_the_quotas_are_met() {
    let bench = Bench::new();
    bench.work(&policy(4), 2, &never);
    let before = bench.files();
    let (ended, painted) = bench.work(&policy(4), 5, &never);
    assert_eq!((ended, painted), (Ended::Done, 0));
    assert!(bench.files() == before);
}

#[test]
fn an_image_that_is_gone_is_made_again_with_the_same_bytes() {
    let bench = Bench::new();
    bench.work(&policy(5), 4, &never);
    bench.lay_out(&policy(5));
    let whole = bench.files();
    let (lines, _) = ledger::read(&bench.layout.ledger()).unwrap();
    for line in [&lines[0], &lines[3]] {
        fs::remove_file(bench.layout.attempt(line)).unwrap();
    }
    assert_eq!(bench.work(&policy(5), 4, &never), (Ended::Done, 2));
    bench.lay_out(&policy(5));
    assert_eq!(bench.files(), whole);
}

#[test]
fn a_damaged_image_is_made_again_and_its_link_too() {
    let bench = Bench::new();
    bench.work(&policy(5), 4, &never);
    bench.lay_out(&policy(5));
    let whole = bench.files();
    let (lines, _) = ledger::read(&bench.layout.ledger()).unwrap();
    // Through the link, so both names have the bytes.
    fs::write(bench.layout.attempt(&lines[0]), "no image").unwrap();
    assert!(bench.files() != whole);
    assert_eq!(bench.work(&policy(5), 4, &never), (Ended::Done, 1));
    bench.lay_out(&policy(5));
    assert!(bench.files() == whole);
}

#[test]
fn images_leave_at_the_output_size_and_encoding_and_are_measured_so() {
    let bench = Bench::with(Output {
        width: 8,
        height: 6,
        format: FileFormat::Jpeg,
    });
    bench.work(&policy(2), 4, &never);
    bench.lay_out(&policy(2));
    let (lines, _) = ledger::read(&bench.layout.ledger()).unwrap();
    let path = bench.layout.attempt(&lines[0]);
    assert_eq!(path.extension().unwrap(), "jpg");
    let image = crate::io::image::read_rgb(&path, crate::io::image::Exif::Ignore).unwrap();
    assert_eq!(image.dimensions(), (8, 6));
    let deviation = filter::blank::deviation(&image);
    assert_eq!(lines[0].measures.deviation, deviation);
}

/// Paints, and fails at a call.
struct Failing {
    painter: Painter,
    calls: usize,
}

impl ImageGenerator for Failing {
    fn template(&self) -> &Recipe {
        self.painter.template()
    }

    fn generate(
        &mut self,
        recipes: &[Recipe],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<GeneratedImage>>, GenerateError> {
        self.calls -= 1;
        if self.calls == 0 {
            return Err(GenerateError::Count { asked: 1, given: 0 });
        }
        self.painter.generate(recipes, stop)
    }

    fn made_on(&self) -> MadeOn {
        self.painter.made_on()
    }
}

#[test]
fn a_generator_that_fails_loses_nothing_that_was_made() {
    let bench = Bench::new();
    let mut failing = Failing {
        painter: Painter::new(SIDE, 4),
        calls: 3,
    };
    let error = bench
        .work_with(&policy(5), &mut failing, &never)
        .unwrap_err();
    assert!(matches!(error, SamplingError::Generate(_)), "{error:?}");
    assert_eq!(bench.lines(), 8, "two blocks were measured");
    bench.work(&policy(5), 4, &never);
    bench.lay_out(&policy(5));
    assert_eq!(bench.files(), fresh(&policy(5), 4));
}

#[test]
fn a_file_that_is_no_attempt_is_never_taken_away() {
    let bench = Bench::new();
    bench.work(&policy(3), 4, &never);
    bench.lay_out(&policy(3));
    let mine = bench.root().join("images/thing/0/notes.txt");
    fs::write(&mine, "mine").unwrap();
    bench.lay_out(&policy(1));
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    let folder = mine.parent().unwrap();
    assert_eq!(
        fs::read_dir(folder).unwrap().count(),
        2,
        "one image and the notes"
    );
}
