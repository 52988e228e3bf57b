//! Bring your own embeddings: directions from a matrix, labels and predictions, without any model.
//!
//! ```text
//! cargo run --release --example own_embeddings --no-default-features    # needs no libtorch
//! ```
//!
//! The numbers are made up: three classes in 64 dimensions, where half of class 0 has a hidden trait and
//! the classifier errs mostly on those; elsewhere it errs at random. So one class should be a finding,
//! and two not. For your own: `hardlight::io::matrix::read("val.npy")` gives such a matrix, and
//! `hardlight run --space FILE --table FILE` does all of this from files.

#![allow(clippy::print_stdout, reason = "a program's own output")]

use std::path::PathBuf;

use hardlight::dataset::{Dataset, Example, Split};
use hardlight::direction::report::{SplitView, class_report};
use hardlight::direction::{FitOptions, ValExamples, Whitening, fit};
use ndarray::{Array2, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const NAMES: [&str; 3] = ["cat", "dog", "fox"];
const DIMS: usize = 64;

/// A split: a row an example, its class, and what the classifier said.
struct Part {
    embeddings: Array2<f32>,
    labels: Vec<usize>,
    predictions: Vec<usize>,
}

fn main() -> anyhow::Result<()> {
    let (train, val, test) = (made_up(1500, 1), made_up(900, 2), made_up(900, 3));

    // Mean and deviation of train serve every split: scores compare only under the same whitening.
    let whitening = Whitening::fit(train.embeddings.view())?;

    // One SVM a class tells the right val examples from the wrong ones.
    let x = whitening.apply(val.embeddings.view())?;
    let options = FitOptions::default();
    let data = named(&val)?;
    let ids: Vec<_> = data.ids().collect();
    let examples = ValExamples {
        ids: &ids,
        x: x.view(),
        labels: &val.labels,
        predictions: &val.predictions,
        units: None,
    };
    let fitted = fit(examples, NAMES.len(), &options)?;
    for skipped in &fitted.skipped {
        println!("{}: {}", NAMES[skipped.class], skipped.reason);
    }

    // What was learned on val is judged on test.
    let x = whitening.apply(test.embeddings.view())?;
    for direction in &fitted.directions {
        let class = NAMES[direction.id.class];
        println!(
            "{}: {} right, {} wrong, CV score {:.3}, q {}: {}",
            direction.id.named(class),
            direction.right,
            direction.wrong,
            direction.cv_score,
            direction
                .q_value
                .map_or_else(|| "-".to_owned(), |q| format!("{q:.3}")),
            direction.standing().words()
        );
        let view = SplitView {
            x: x.view(),
            labels: &test.labels,
            predictions: &test.predictions,
            confidence: None,
            minority: None,
            units: None,
        };
        if let Some(report) = class_report(view, direction, class) {
            println!("  {}", report.sentence);
            for head in &report.figures.at {
                println!(
                    "  of the {:>3} most aligned {:.0} % are wrong, of {} at random {:.0} %",
                    head.k,
                    100.0 * head.direction,
                    head.k,
                    100.0 * head.random
                );
            }
        }
    }
    Ok(())
}

/// The val examples by name, in which results speak of them: paths of your images, or numbers as here.
fn named(val: &Part) -> anyhow::Result<Dataset> {
    let labels = val.labels.iter().enumerate();
    let examples = labels.map(|(i, &label)| Example::new(format!("val/{i}"), label, Split::Val));
    let classes = NAMES.map(str::to_owned).to_vec();
    Ok(Dataset::new(PathBuf::new(), classes, examples.collect())?)
}

/// `n` examples; a trait that lies along the last eight dimensions decides most mistakes of class 0.
fn made_up(n: usize, seed: u64) -> Part {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut embeddings = Array2::from_shape_fn((n, DIMS), |_| rng.gen_range(-1.0_f32..1.0));
    let labels: Vec<usize> = (0..n).map(|i| i % NAMES.len()).collect();
    let mut predictions = labels.clone();
    for (i, &label) in labels.iter().enumerate() {
        embeddings[[i, label]] += 3.0;
        let hidden = rng.gen_bool(0.5);
        if hidden {
            embeddings
                .slice_mut(s![i, DIMS - 8..])
                .mapv_inplace(|v| v + 0.8);
        }
        let p_wrong = if label == 0 && hidden { 0.6 } else { 0.15 };
        if rng.gen_bool(p_wrong) {
            predictions[i] = (label + 1) % NAMES.len();
        }
    }
    Part {
        embeddings,
        labels,
        predictions,
    }
}
