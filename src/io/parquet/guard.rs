//! Damaged files make the decoder panic in places; here that is an error like others.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside [`guarded`].
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Nobody needs the decoder's panics on the screen beside our error.
static HOOK: Once = Once::new();

/// Runs the decoder on a file that may be damaged. What it worked on must not be used after an error.
///
/// # Errors
///
/// Those of `work`, and one that says that the file is damaged in place of a panic.
pub(crate) fn guarded<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E>
where
    E: From<Damaged>,
{
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |facts| {
            if !INSIDE.get() {
                before(facts);
            }
        }));
    });
    let outer = INSIDE.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(outer);
    done.unwrap_or_else(|_panic| Err(Damaged.into()))
}

/// The decoder gave up.
#[derive(Debug, thiserror::Error)]
#[error("the decoder gave up: the file is damaged")]
pub(crate) struct Damaged;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_what_is_no_panic_is_as_it_was() {
        type Cause = Box<dyn std::error::Error + Send + Sync>;
        let sound: Result<i32, Cause> = guarded(|| Ok(3));
        assert_eq!(sound.unwrap(), 3);
        let wrong: Result<i32, Cause> = guarded(|| Err("wrong".into()));
        assert_eq!(wrong.unwrap_err().to_string(), "wrong");
        let damaged: Result<usize, Cause> =
            guarded(|| Ok([1, 2, 3][1..][std::env::args().count() + 2]));
        assert!(damaged.unwrap_err().is::<Damaged>());
        assert!(!INSIDE.get());
    }
}
