//! Predicted slices against true ones, as dcbench scores them.
//!
//! Of every true slice the predicted one of the largest average precision counts, or the complement of one;
//! then the share of the true slice among the 10 and the 25 images that it holds for likeliest.
//!
//! Source: dcbench (data-centric-ai/dcbench at 831ab23, `tasks/slice_discovery/metrics.py`).

/// How well one true slice was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Match {
    pub(crate) at_10: f64,
    pub(crate) at_25: f64,
}

impl Match {
    /// Of no predicted slice at all.
    const NONE: Self = Self {
        at_10: 0.0,
        at_25: 0.0,
    };

    /// Whether most of what was predicted for likeliest is of it.
    pub(crate) fn is_found(self) -> bool {
        self.at_10 >= 0.8
    }
}

/// The best of the predicted slices, `[n]` scores each, for a true one.
pub(crate) fn best(predicted: &[Vec<f64>], is_true: &[bool]) -> Match {
    let ranked = predicted.iter().flat_map(|scores| {
        let complement: Vec<f64> = scores.iter().map(|score| -score).collect();
        [order(scores), order(&complement)]
    });
    let scored = ranked.map(|order| (average_precision(&order, is_true), order));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(Match::NONE, |(_, order)| Match {
        at_10: precision(&order, is_true, 10),
        at_25: precision(&order, is_true, 25),
    })
}

/// Predicted slices of whose likeliest 10 images no true slice has half.
pub(crate) fn invented(predicted: &[Vec<f64>], truths: &[Vec<bool>]) -> usize {
    let ranked = predicted.iter().map(|scores| order(scores));
    let is_none = |order: &Vec<usize>| {
        let mut each = truths.iter().map(|is_true| precision(order, is_true, 10));
        each.all(|precision| precision < 0.5)
    };
    ranked.filter(is_none).count()
}

fn order(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
}

fn precision(order: &[usize], is_true: &[bool], k: usize) -> f64 {
    let head = &order[..k.min(order.len())];
    head.iter().filter(|&&i| is_true[i]).count() as f64 / head.len().max(1) as f64
}

/// The mean of the precisions at every image that is true.
fn average_precision(order: &[usize], is_true: &[bool]) -> f64 {
    let (mut hits, mut sum) = (0.0, 0.0);
    for (place, &i) in order.iter().enumerate() {
        if is_true[i] {
            hits += 1.0;
            sum += hits / (place + 1) as f64;
        }
    }
    if hits > 0.0 { sum / hits } else { 0.0 }
}
