use std::collections::BTreeMap;

use ndarray::array;

use super::*;
use crate::filter::duplicate::{Descriptor, Thumbnail};
use crate::filter::tests::{measures as of_image, policy as of_filters};
use crate::filter::{self, Measures};
use crate::generate::recipe::tests::recipe;
use crate::generate::{MadeOn, Recipe};
use crate::io::JsonFile as _;
use crate::run::plan::PlannedArm;
use crate::run::policy::Policy;

fn policy(quota: usize) -> Policy {
    Policy {
        quota,
        budget: 0,
        controls: 0,
        keep_rejected: 2,
        filter: filter::Policy {
            duplicate: filter::duplicate::DuplicateOptions {
                kept: false,
                ..of_filters().duplicate
            },
            ..of_filters()
        },
    }
}

fn template() -> Recipe {
    recipe(0)
}

/// A plan with the failure arm and a control of two classes.
fn plan() -> Plan {
    let arm = |class: usize, arm: Arm| PlannedArm {
        mode: ModeId::new(class, 0),
        class: ["old", "young"][class].to_owned(),
        arm,
        captions: vec![format!("{arm} a of {class}"), format!("{arm} b of {class}")],
        starts: None,
        threshold: 0.5,
    };
    let arms = [0, 1].map(|class| [arm(class, Arm::Hard), arm(class, Arm::Neutral)]);
    Plan::new(7, template(), arms.concat())
}

/// What is measured of attempt `j` of an arm: alignments 0.0, 0.1, …, 0.9, and again.
fn measured(plan: &Plan, of: &ModePlan, j: u64) -> Measured {
    let attempt = plan.attempt(of, j);
    Measured {
        id: attempt.id,
        class: of.class.clone(),
        mode: of.mode,
        arm: of.arm,
        index: attempt.index,
        recipe: attempt.recipe,
        made_on: MadeOn {
            device: "cpu".to_owned(),
            batch: 4,
        },
        sha256: "0".repeat(64),
        measures: Measures {
            alignment: Some((j % 10) as f64 / 10.0),
            class_margin: Some(if j.is_multiple_of(2) { 0.3 } else { 0.1 }),
            ..of_image()
        },
    }
}

/// The first `count` attempts of every goal.
fn known(plan: &Plan, goals: &[Goal], count: u64) -> Known {
    let each = goals
        .iter()
        .flat_map(|goal| (0..count).map(|j| measured(plan, &goal.plan, j)));
    each.map(|m| (m.id.clone(), Arc::new(m))).collect()
}

/// The alignments of what an outcome kept.
fn kept(outcome: &Outcome) -> Vec<f64> {
    let alignments = outcome.kept().map(|d| d.measured.measures.alignment);
    alignments.map(Option::unwrap).collect()
}

fn goals(plan: &Plan, policy: &Policy) -> Vec<Goal> {
    plan.goals(policy, &BTreeMap::new())
}

#[test]
fn attempts_are_kept_in_plan_order_until_the_quota_is_met() {
    let (plan, policy) = (plan(), policy(3));
    let goals = goals(&plan, &policy);
    assert_eq!(goals.len(), 2, "no controls were asked for");
    let known = known(&plan, &goals, 20);
    let decisions = decide(&plan, &goals, &known, KeptImages::default());
    let outcome = decisions.of_mode(ModeId::new(1, 0)).unwrap();
    assert_eq!(kept(outcome), [0.5, 0.6, 0.7]);
    // Attempts behind the one that met the quota do not count, though they are measured.
    assert_eq!(outcome.decided.len(), 8);
    assert!(outcome.met && !outcome.unfinished);
    assert_eq!(
        outcome.rejected(),
        BTreeMap::from([("alignment".to_owned(), 5)])
    );
    assert!(outcome.decided.iter().all(|d| d.threshold == Some(0.5)));
}

#[test]
fn another_policy_decides_on_the_same_measures_anew() {
    let plan = plan();
    let known = known(&plan, &goals(&plan, &policy(3)), 30);
    let under = |policy: &Policy| {
        let goals = goals(&plan, policy);
        let decisions = decide(&plan, &goals, &known, KeptImages::default());
        let outcome = decisions.of_mode(ModeId::new(0, 0)).unwrap().clone();
        (kept(&outcome), outcome.met, outcome.unfinished)
    };
    let more = [0.5, 0.6, 0.7, 0.8, 0.9, 0.5, 0.6];
    assert_eq!(under(&policy(7)), (more.to_vec(), true, false));
    let mut harder = policy(3);
    harder.filter.min_alignment = Some(0.85);
    assert_eq!(under(&harder), (vec![0.9; 3], true, false));
    let mut surer = policy(3);
    surer.filter.class_margin = 0.2;
    assert_eq!(under(&surer), (vec![0.6, 0.8, 0.6], true, false));
    // What lacks is told: 30 attempts hold 15 that pass.
    let (found, met, unfinished) = under(&policy(16));
    assert_eq!((found.len(), met, unfinished), (15, false, true));
    // A budget ends it before.
    let small = Policy {
        budget: 10,
        ..policy(16)
    };
    let (found, met, unfinished) = under(&small);
    assert_eq!((found.len(), met, unfinished), (5, false, false));
    assert_eq!(under(&policy(3)), under(&policy(3)));
}

#[test]
fn controls_pass_what_they_are_there_to_differ_in() {
    let plan = plan();
    let with_controls = Policy {
        controls: 4,
        ..policy(2)
    };
    let goals = goals(&plan, &with_controls);
    let arms: Vec<_> = goals
        .iter()
        .map(|g| (g.plan.mode.class, g.plan.arm))
        .collect();
    let expected = [
        (0, Arm::Hard),
        (0, Arm::Neutral),
        (1, Arm::Hard),
        (1, Arm::Neutral),
    ];
    assert_eq!(arms, expected);
    let decisions = decide(
        &plan,
        &goals,
        &known(&plan, &goals, 20),
        KeptImages::default(),
    );
    let control = decisions.of(Arm::Neutral).next().unwrap();
    assert_eq!(kept(control), [0.0, 0.1, 0.2, 0.3]);
    assert!(
        control
            .decided
            .iter()
            .all(|d| d.status == Status::Control && d.threshold.is_none())
    );
}

#[test]
fn what_the_pool_gave_is_not_asked_for_again() {
    let plan = plan();
    let with_controls = Policy {
        controls: 1,
        ..policy(5)
    };
    let found = BTreeMap::from([(ModeId::new(0, 0), 5), (ModeId::new(1, 0), 3)]);
    let goals = plan.goals(&with_controls, &found);
    let asked: Vec<_> = goals
        .iter()
        .map(|g| (g.plan.mode.class, g.plan.arm, g.plan.quota, g.plan.budget))
        .collect();
    assert_eq!(asked, [(1, Arm::Hard, 2, 20), (1, Arm::Neutral, 1, 2)]);
}

#[test]
fn an_image_that_nearly_equals_one_kept_before_in_its_arm_is_rejected() {
    let plan = plan();
    let mut policy = policy(4);
    policy.filter.duplicate.kept = true;
    policy.filter.min_alignment = Some(0.0);
    let goals = goals(&plan, &policy);
    let flat = Thumbnail::of(&image::RgbImage::from_fn(16, 16, |x, _| {
        image::Rgb([(x * 9) as u8; 3])
    }));
    let known: Known = known(&plan, &goals, 12)
        .into_iter()
        .map(|(id, measured)| {
            let mut measured = Arc::unwrap_or_clone(measured);
            // Every third attempt is the same picture.
            let angle = measured.index as f32 % 3.0;
            let embedding = array![angle.cos(), angle.sin()];
            measured.measures.descriptor = Some(Descriptor::new(embedding.view(), &flat));
            (id, Arc::new(measured))
        })
        .collect();
    let decisions = decide(&plan, &goals, &known, KeptImages::default());
    let outcome = &decisions.outcomes[0];
    assert_eq!(outcome.kept().count(), 3, "there are three pictures");
    assert_eq!(
        outcome.rejected().keys().collect::<Vec<_>>(),
        ["duplicate-kept"]
    );
    // The second class has the same pictures: all were kept before, in the same arm.
    assert_eq!(decisions.outcomes[1].kept().count(), 0);
}

#[test]
fn a_plan_comes_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    plan().write(&path).unwrap();
    assert_eq!(Plan::read(&path).unwrap(), plan());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"schema\": 2", "\"schema\": 9", 1)).unwrap();
    let error = Plan::read(&path).unwrap_err().to_string();
    assert!(
        error.contains("of schema 9") && error.contains("let `hardlight run` finish"),
        "{error}"
    );
}

#[test]
fn tables_have_a_row_an_attempt_with_the_same_columns() {
    use arrow::array::Array as _;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use crate::run::folder::Layout;
    use crate::run::gallery;

    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let (plan, policy) = (plan(), policy(2));
    let goals = goals(&plan, &policy);
    let known = known(&plan, &goals, 10);
    let decisions = decide(&plan, &goals, &known, KeptImages::default());
    let row = |d| Row::new(d, &layout, &gallery::path(&layout, d));
    let rows: Vec<Row> = decisions.all().map(row).collect();
    write(&layout.decisions(), &layout.ledger_table(), &rows).unwrap();
    let read: Vec<(usize, Row)> = crate::io::jsonl::read(&layout.decisions()).unwrap();
    assert!(read.iter().map(|(_, row)| row).eq(&rows));
    assert!(
        rows[0].file.starts_with("rejected/old/0/"),
        "{}",
        rows[0].file
    );
    let file = std::fs::File::open(layout.ledger_table()).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    assert_eq!(batch.num_rows(), rows.len());
    let json = serde_json::to_value(&rows[0]).unwrap();
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(
        names,
        json.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    );
    assert!(!batch.column_by_name("recipe").unwrap().is_null(0));
}
