//! The policy of a run, as the settings have it.

use super::settings::CheckedSettings;
use crate::run::policy::Policy;

/// How many images are wanted, and which are kept.
pub fn policy(settings: &CheckedSettings) -> Policy {
    let (generate, filter) = (&settings.generate, &settings.filter);
    Policy {
        quota: generate.quota,
        budget: generate.budget,
        controls: generate.controls,
        keep_rejected: filter.keep_rejected,
        filter: filter.policy(),
    }
}
