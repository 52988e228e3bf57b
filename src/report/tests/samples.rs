//! A value of every file, with everything in it or with as little as may be.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::overview;
use crate::caption::{Accuracy, CaptionVerdict};
use crate::dataset::{ChosenBy, Split, Threshold};
use crate::direction::doubt::duplicates::Same;
use crate::direction::doubt::{Warning, WarningKind};
use crate::direction::evaluate::{self, ModeChange, Slice, SliceKind};
use crate::direction::report::{AtK, ClassReport, Figures, Histogram, SplitReport};
use crate::direction::{Admitted, Standing};
use crate::filter::duplicate::{Descriptor, Thumbnail};
use crate::io::JsonFile as _;
use crate::io::source::Member;
use crate::report::captions::{Caption, CaptionsReport, ModeCaptions};
use crate::report::detection::{
    DetectionReport, ModeReport, RankedExample, SkippedClass, SpaceMode, SpaceReport,
};
use crate::report::doubts::{Duplicate, Duplicates, LabelError, LabelErrors, Reference};
use crate::report::evaluation::{self, EvaluationReport};
use crate::report::mode::Mode;
use crate::report::retraining::{GroupMeasures, Judge, Measures, Paired, Retraining, Spread};
use crate::report::summary::{ModeSummary, PoolCounts, Summary, TopCaption};
use crate::report::{PoolRecord, RunRecord, captions, version};
use crate::run::pool::{self, Pick, Picked};

/// A third, which no short decimal is.
const THIRD: f64 = 1.0 / 3.0;

fn mode() -> Mode {
    Mode {
        class: "dog".to_owned(),
        class_index: 1,
        mode: 2,
        explains: 8,
        cv_score: 0.1 + 0.2,
        cv_interval_95: Some((0.2, THIRD)),
        val_examples: 120,
        val_units: 118,
        p_value: Some(5e-324),
        q_value: Some(THIRD),
        permutations: 199,
        standing: Standing::Finding,
        finding: true,
    }
}

fn admits() -> Admitted {
    Admitted {
        right: 9,
        of: 100,
        share: 0.09,
        interval: (0.05, THIRD),
    }
}

fn threshold() -> Threshold {
    Threshold {
        by: ChosenBy::F1,
        threshold: 0.7,
        class: "dog".to_owned(),
        positives: 4,
        predicted: 0,
        right: 0,
        precision: None,
        recall: Some(0.0),
        f1: Some(THIRD),
    }
}

fn figures(full: bool) -> Figures {
    let head = AtK {
        k: 10,
        direction: 0.7,
        interval: (0.4, THIRD + 0.5),
        least_confidence: full.then_some(THIRD),
        random: 0.1,
        lift: full.then_some(0.7 / 0.1),
        lift_interval: full.then_some((3.0, 9.5)),
        least_confidence_lift: None,
        minority: full.then_some(0.3),
        least_confidence_minority: None,
    };
    Figures {
        examples: 12,
        mistakes: 2,
        model_accuracy: 1.0 - 2.0 / 12.0,
        svm_accuracy: THIRD,
        svm_balanced_accuracy: 0.5,
        confusion: [1, 2, 3, 4],
        decile_accuracy: vec![0.1, THIRD, 1.0],
        decile_examples: vec![4; 3],
        decile_interval: vec![(0.0, 0.5), (0.1, 0.75), (0.5, 1.0)],
        auc: full.then_some(0.875),
        auc_interval: full.then_some((0.7, 0.9)),
        hardest: AtK { k: 2, ..head },
        at: vec![head],
        left_out: vec![25, 50, 100],
        at_minority: full.then_some(head),
        minority_base: full.then_some(0.25),
    }
}

fn class_report(full: bool) -> ClassReport {
    ClassReport {
        class: "dog".to_owned(),
        class_index: 1,
        mode: 2,
        figures: figures(full),
        sentence: "dog: „schräg“ \"quoted\"\nnext".to_owned(),
    }
}

fn split_report(full: bool) -> SplitReport {
    SplitReport {
        split: Split::Val,
        out_of_fold: true,
        examples: 12,
        model_accuracy: THIRD,
        cv_score: full.then_some(0.75),
        unranked: 3,
        overall: full.then(|| figures(full)),
        classes: vec![class_report(full)],
    }
}

fn accuracy() -> Accuracy {
    Accuracy {
        images: 3,
        right: 1,
        accuracy: THIRD,
        interval: (0.061_490_7, 0.792_340_3),
    }
}

fn ranked(member: Option<Member>) -> RankedExample {
    let known = member.is_some();
    RankedExample {
        id: "a".to_owned(),
        path: "b/c.png".to_owned(),
        member,
        alignment: -THIRD,
        failure_probability: known.then_some(THIRD),
        prediction: known.then(|| "cat".to_owned()),
        confidence: known.then_some(0.1_f32 + 0.2_f32),
        group: known.then(|| "night".to_owned()),
    }
}

fn caption(full: bool) -> Caption {
    Caption {
        caption: "a photo of a dog at night".to_owned(),
        alignment: THIRD,
        cosine: -0.25,
        rank_sum: full.then_some(7.5),
        p_value: full.then_some(0.001),
        verdict: full.then_some(CaptionVerdict::NotConfirmed),
        val: full.then(accuracy),
        judged: full.then(accuracy),
    }
}

fn captions_report(full: bool) -> CaptionsReport {
    CaptionsReport {
        grammar: "world".to_owned(),
        nearest: captions::NEAREST.to_owned(),
        verdict_on: Split::Val,
        judged_on: Split::Test,
        modes: vec![ModeCaptions {
            class: "dog".to_owned(),
            class_index: 1,
            mode: 2,
            candidates: 40,
            dropped: 3,
            val: accuracy(),
            judged: accuracy(),
            hard: vec![caption(full)],
            neutral: vec![caption(full)],
            easy: vec![],
            sentence: full.then(|| "so it is".to_owned()),
        }],
    }
}

fn space(name: &str, full: bool) -> SpaceReport {
    SpaceReport {
        space: name.to_owned(),
        whitened_on: Split::Val,
        judged_on: Split::Val,
        classes: vec![SpaceMode {
            mode: mode(),
            judged: class_report(full),
        }],
        splits: vec![split_report(full)],
    }
}

#[allow(clippy::too_many_lines, reason = "every field of the report")]
pub(in crate::report) fn detection(full: bool) -> DetectionReport {
    let members = [
        Member::File {
            name: "x.png".to_owned(),
            offset: u64::MAX,
            length: 1,
        },
        Member::Record {
            row: 7,
            offset: 3072,
            side: 32,
        },
        Member::Row { row: 9, column: 0 },
    ];
    let pair = Duplicate {
        id: "a".to_owned(),
        split: Split::Test,
        label: "dog".to_owned(),
        also: "b".to_owned(),
        also_split: Split::Train,
        also_label: "cat".to_owned(),
        same: Same::Embedding,
    };
    let warning =
        Warning::barring(WarningKind::Chance, "dog", "no better".to_owned()).with("p", THIRD);
    DetectionReport {
        schema: DetectionReport::SCHEMA,
        version: version(),
        space: "clip".to_owned(),
        whitened_on: Split::Train,
        fitted_on: Split::Val,
        judged_on: Split::Test,
        root: "../data".to_owned(),
        exif: true,
        score_threshold: full.then(threshold),
        skipped_images: 3,
        overview: overview::sample(full),
        classes: vec![ModeReport {
            mode: mode(),
            barred: if full {
                vec![WarningKind::Chance]
            } else {
                vec![]
            },
            c: 0.1,
            threshold: -THIRD,
            admits: admits(),
            calibration_error: full.then_some(0.04),
            right: 100,
            wrong: 20,
            val_alignments: full.then(|| Histogram {
                low: -1.0,
                width: THIRD,
                right: vec![3, 1, 0],
                wrong: vec![0, 1, 2],
            }),
            judged: class_report(full),
            most_aligned_mistakes: members.into_iter().map(|m| ranked(Some(m))).collect(),
            most_aligned_right: vec![ranked(None)],
        }],
        skipped: vec![SkippedClass {
            class: "owl".to_owned(),
            class_index: 2,
            right: 3,
            wrong: 0,
            reason: "no mistakes".to_owned(),
        }],
        splits: vec![split_report(full)],
        spaces: if full {
            vec![space("clip", full), space("other", full)]
        } else {
            vec![]
        },
        label_errors: LabelErrors {
            neighbours: 15,
            votes_needed: 12,
            among: vec![Reference {
                split: Split::Train,
                examples: 60_000,
                used: 50_000,
            }],
            unchecked_mistakes: 4,
            examples: vec![LabelError {
                id: "a".to_owned(),
                path: "b.png".to_owned(),
                split: Split::Val,
                label: "dog".to_owned(),
                likely: "cat".to_owned(),
                confidence: full.then_some(0.51),
                votes: vec![12, 15],
                alignment: full.then_some(THIRD),
            }],
        },
        duplicates: Duplicates::of(&[pair]),
        warnings: vec![
            warning,
            Warning::general(WarningKind::NoTrain, "no train".to_owned()),
        ],
        captions: full.then(|| captions_report(full)),
    }
}

#[allow(clippy::too_many_lines, reason = "every field of the report")]
pub(in crate::report) fn summary(full: bool) -> Summary {
    let counts = BTreeMap::from([("blank".to_owned(), 1), ("class".to_owned(), 2)]);
    let spread = Spread::new(THIRD, 0.01);
    let measures = Measures {
        overall: spread,
        majority: spread,
        minority: Spread::new(f64::NAN, f64::NAN),
        worst_group: spread,
    };
    Summary {
        schema: Summary::SCHEMA,
        version: version(),
        overview: overview::sample(full),
        classes: vec![ModeSummary {
            mode: mode(),
            barred: vec![WarningKind::LabelErrors, WarningKind::Duplicates],
            c: 0.1,
            threshold: THIRD,
            admits: admits(),
            top_captions: vec![TopCaption {
                caption: "a dog".to_owned(),
                score: THIRD,
                verdict: full.then_some(CaptionVerdict::Confirmed),
            }],
            attempted: 9,
            kept: 6,
            quota_met: full.then_some(true),
            pool: full.then(|| PoolCounts {
                of_class: 5,
                kept: 1,
                rejected: counts.clone(),
                left: 1,
            }),
            rejected: counts,
            hardest: 2,
            minority_share_hardest: full.then_some(0.42),
            minority_share_base: full.then_some(THIRD),
            sentence: full.then(|| "dogs at night".to_owned()),
        }],
        score_threshold: full.then(threshold),
        skipped: 0,
        warnings: vec!["beware".to_owned()],
        seconds: BTreeMap::from([("embed".to_owned(), 1.25)]),
        judge: full.then_some(Judge {
            accuracy: 0.99,
            generated_right: THIRD,
            generated: 3,
            kept_right: 1.0,
            kept: 2,
        }),
        retraining: full.then_some(Retraining {
            seeds: 5,
            added: 120,
            none: measures,
            real: measures,
            neutral: measures,
            easy: measures,
            augmented: measures,
            mistakes: measures,
            failure_unfiltered: measures,
            failure: measures,
            groups: vec![GroupMeasures {
                class: "dog".to_owned(),
                group: "night".to_owned(),
                minority: true,
                images: 12,
                none: spread,
                neutral: spread,
                failure: spread,
                failure_less_none: spread,
                failure_less_neutral: spread,
            }],
            paired: Paired {
                failure_less_none: measures,
                failure_less_augmented: measures,
                failure_less_mistakes: measures,
                failure_less_neutral: measures,
            },
        }),
    }
}

pub(in crate::report) fn evaluation(full: bool) -> EvaluationReport {
    let slice = |part, examples: usize| Slice {
        part,
        name: full.then(|| "1".to_owned()),
        examples,
        wrong_before: 4.0,
        wrong_after: 2.5,
        mended: 2.5,
        new: 1.0,
        change: (examples > 0).then_some(-THIRD),
        interval: (examples > 0).then_some((-0.5, 0.1 + 0.2)),
        p_value: 0.625,
        p_corrected: THIRD,
        slices_of_kind: 2,
        between_models: full.then_some(0.02),
    };
    EvaluationReport {
        schema: EvaluationReport::SCHEMA,
        version: version(),
        judged_on: Split::Test,
        before: vec!["old.csv".to_owned()],
        after: vec!["new.csv".to_owned(), "other.csv".to_owned()],
        interval: evaluation::INTERVALS[1].to_owned(),
        p_value: evaluation::P_VALUES[1].to_owned(),
        correction: evaluation::CORRECTION.to_owned(),
        overall: vec![slice(SliceKind::All, 6), slice(SliceKind::Group, 0)],
        classes: vec![ModeChange {
            class: "dog".to_owned(),
            class_index: 1,
            mode: full.then_some(2),
            threshold: full.then_some(THIRD),
            finding: full,
            verdict: evaluate::Verdict::Undecided,
            slices: vec![slice(SliceKind::Failure, 6), slice(SliceKind::Elsewhere, 0)],
            sentence: "dog: no change".to_owned(),
        }],
    }
}

pub(in crate::report) fn run(full: bool) -> RunRecord {
    let mut tree = Map::new();
    if full {
        tree.insert("embed".to_owned(), json!({"model": "0123", "share": THIRD}));
    }
    RunRecord {
        schema: RunRecord::SCHEMA,
        hardlight: version(),
        run_id: "0123456789abcdef".to_owned(),
        settings: json!({"z": 1, "a": {"b": [0.1, null, true]}}),
        identity: json!({"data": {"fingerprint": "0123", "share": THIRD}}),
        policy: crate::run::policy::Policy {
            quota: 50,
            budget: 0,
            controls: 0,
            keep_rejected: 12,
            filter: crate::filter::tests::policy(),
        },
        facts: tree,
    }
}

pub(in crate::report) fn pool(full: bool) -> PoolRecord {
    let pick = Pick {
        id: "pool/dog/1.png".to_owned(),
        path: "pool.tar".to_owned(),
        member: full.then(|| Member::File {
            name: "dog/1.png".to_owned(),
            offset: 512,
            length: 9,
        }),
        alignment: THIRD,
        class_similarity: full.then_some(0.1 + 0.2),
        class_margin: full.then_some(-0.0),
        nearest_train_similarity: full.then_some(5e-324),
        width: 3,
        height: 2,
        sha256: "ab".repeat(32),
        descriptor: full.then(|| {
            let picture = image::RgbImage::from_fn(4, 4, |x, y| image::Rgb([(x * y) as u8; 3]));
            let embedding = ndarray::array![3.0, 4.0];
            Descriptor::new(embedding.view(), &Thumbnail::of(&picture))
        }),
    };
    let picked = Picked {
        class: "dog".to_owned(),
        class_index: 1,
        mode: 2,
        threshold: THIRD,
        of_class: 9,
        picks: vec![pick],
        rejected: BTreeMap::from([("alignment".to_owned(), 3)]),
        duplicates: vec![pool::Duplicate {
            id: "pool/dog/2.png".to_owned(),
            reason: "duplicate-train".to_owned(),
            of: "train/dog/1.png".to_owned(),
        }],
        left: 1,
    };
    PoolRecord {
        schema: PoolRecord::SCHEMA,
        version: version(),
        quota: 50,
        filter: crate::filter::tests::policy(),
        zero_shot: full,
        modes: full.then_some(picked).into_iter().collect(),
    }
}
