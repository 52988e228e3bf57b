//! What flags that override settings have in common.

/// Reads any number but NaN and the infinities, which Rust's own reader takes.
pub(crate) fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "expected a finite number".to_owned())
}

/// Puts a flag, where it was given, in place of a setting.
pub(super) fn put<T>(setting: &mut T, flag: Option<T>) {
    if let Some(value) = flag {
        *setting = value;
    }
}

/// The same for a setting that may be absent.
pub(super) fn put_some<T>(setting: &mut Option<T>, flag: Option<T>) {
    if flag.is_some() {
        *setting = flag;
    }
}
