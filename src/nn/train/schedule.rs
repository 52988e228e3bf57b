//! Learning rates over a training run.

/// Rises linearly over the first tenth, then falls as a cosine to a hundredth of the peak.
pub fn one_cycle(step: usize, steps: usize, peak: f64) -> f64 {
    let at = (step as f64 + 0.5) / steps.max(1) as f64;
    if at < 0.1 {
        return peak * at / 0.1;
    }
    let fall = 0.5 * (1.0 + (std::f64::consts::PI * (at - 0.1) / 0.9).cos());
    peak * (0.01 + 0.99 * fall)
}
