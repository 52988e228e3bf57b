//! Rows of the table that `tests/oracle/full/table.py` prints.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;
use tch::{Kind, Tensor};

/// The folder of the case, as its Python script wrote it.
pub(crate) fn case() -> PathBuf {
    std::env::var_os("HARDLIGHT_ORACLE_CASE")
        .map(PathBuf::from)
        .expect("run me through tests/oracle/run.sh, which sets HARDLIGHT_ORACLE_CASE")
}

/// The name of the case: the folder's, after that of the suite.
pub(crate) fn name() -> String {
    let folder = case();
    let name = folder.file_name().unwrap().to_str().unwrap();
    name.split_once('-').unwrap().1.to_owned()
}

/// What is compared: the component, its configuration, and the element type it computed in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) component: &'a str,
    pub(crate) configuration: &'a str,
    pub(crate) dtype: &'a str,
}

impl Row<'_> {
    /// `max|a − b|/max|b|`, with `b` Python's.
    pub(crate) fn relative(self, got: &Tensor, want: &Tensor, allowed: f64) {
        assert_eq!(got.size(), want.size(), "{self:?}");
        let (got, want) = (got.to_kind(Kind::Double), want.to_kind(Kind::Double));
        let largest = (&got - &want).abs().max().double_value(&[]);
        let value = largest / want.abs().max().double_value(&[]);
        self.write(Some(largest), "relative", value, allowed, value / allowed);
    }

    /// The smallest cosine between rows of `[n, d]`; at least `least` is asked for.
    pub(crate) fn cosine(self, got: &Tensor, want: &Tensor, least: f64) {
        assert_eq!(got.size(), want.size(), "{self:?}");
        let (got, want) = (got.to_kind(Kind::Double), want.to_kind(Kind::Double));
        let value = Tensor::cosine_similarity(&got, &want, 1, 0.0)
            .min()
            .double_value(&[]);
        let largest = (&got - &want).abs().max().double_value(&[]);
        let share = (1.0 - value) / (1.0 - least);
        self.write(Some(largest), "cosine", value, least, share);
    }

    /// Any number that must not be above `allowed`, such as a count of differing captions.
    pub(crate) fn at_most(self, measure: &str, value: f64, allowed: f64) {
        let share = match (value, allowed) {
            (0.0, _) => 0.0,
            (_, 0.0) => f64::from(f32::MAX),
            _ => value / allowed,
        };
        self.write(None, measure, value, allowed, share);
    }

    fn write(self, max_abs: Option<f64>, measure: &str, value: f64, allowed: f64, share: f64) {
        // What is not a number is as wrong as can be.
        let finite = |x: f64| {
            if x.is_finite() {
                x
            } else {
                f64::from(f32::MAX)
            }
        };
        let line = json!({
            "component": self.component,
            "configuration": self.configuration,
            "dtype": self.dtype,
            "max_abs": max_abs.map(finite),
            "measure": measure,
            "value": finite(value),
            "allowed": allowed,
            "share": finite(share),
        });
        println!("{line}");
        if let Some(path) = std::env::var_os("HARDLIGHT_ORACLE_ROWS") {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap();
            writeln!(file, "{line}").unwrap();
        }
    }
}
