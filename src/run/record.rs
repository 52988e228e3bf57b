//! What `run.json` holds: whose folder it is, and what its results follow from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::io::JsonFile;

/// What `run.json` holds. The file makes a folder a run folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// Version of this format.
    #[schemars(extend("const" = 2))]
    pub schema: u32,
    /// Version of hardlight that began the run.
    pub hardlight: String,
    /// A short name of the run, which follows from its settings alone: 16 hexadecimal digits.
    pub run_id: String,
    /// Settings as resolved, with the fingerprints of data and models.
    pub settings: Value,
    /// What each stage's results follow from, by the stage's name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub identity: Map<String, Value>,
    /// How results are decided from what was measured; another policy is the same run.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub policy: Map<String, Value>,
    /// Facts that results do not follow from: the device, versions of libraries.
    #[serde(default)]
    pub facts: Map<String, Value>,
}

impl JsonFile for RunRecord {
    const SCHEMA: u32 = 2;
    const WHAT: &'static str = "record of a run";
    const REMEDY: &'static str = "start anew with --force-new, or choose another folder";
}
