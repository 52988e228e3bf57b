//! Numbers on the command line.

/// Reads any number but NaN and the infinities, which Rust's own reader takes.
pub(super) fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "expected a finite number".to_owned())
}
