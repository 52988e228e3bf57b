//! What `run.json` holds: whose folder it is, and what its results follow from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::policy::Policy;
use crate::io::JsonFile;

/// What `run.json` holds. The file makes a folder a run folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// Version of this format.
    #[schemars(extend("const" = 3))]
    pub schema: u32,
    /// Version of hardlight that began the run.
    pub hardlight: String,
    /// A short name of the run, which follows from its identity alone: 16 hexadecimal digits.
    pub run_id: String,
    /// What results follow from, by content: hashes of data and models, and the settings that change an
    /// embedding, a direction, a caption or a pixel.
    pub identity: Value,
    /// How many images are wanted, and which are kept; another policy is the same run.
    pub policy: Policy,
    /// Settings as given, with paths.
    pub settings: Value,
    /// Facts that results do not follow from: the device, versions of libraries.
    #[serde(default)]
    pub facts: Map<String, Value>,
}

impl RunRecord {
    /// Takes another policy, which the settings say then too, as if they had been given so.
    pub(super) fn decide_by(&mut self, policy: &Policy) {
        self.policy = *policy;
        let filter = &policy.filter;
        for (key, value) in [
            ("/generate/quota", Value::from(policy.quota)),
            ("/filter/keep_rejected", policy.keep_rejected.into()),
            ("/filter/min_alignment", filter.min_alignment.into()),
            ("/filter/class_margin", filter.class_margin.into()),
        ] {
            if let Some(setting) = self.settings.pointer_mut(key) {
                *setting = value;
            }
        }
    }

    /// Whether another says the same, but for the version that wrote it.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        (&self.identity, &self.policy, &self.settings)
            == (&other.identity, &other.policy, &other.settings)
    }
}

impl JsonFile for RunRecord {
    const SCHEMA: u32 = 3;
    const WHAT: &'static str = "record of a run";
    const REMEDY: &'static str =
        "start anew with --force-new (embeddings stay) or choose another folder";
}
