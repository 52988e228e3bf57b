//! A run whose process is stopped and started again ends with the same bytes. Every other moment to
//! stop in is tried without processes, beside the sampler (`src/run/sampling/tests.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use crate::common::{Hardlight, Running, Work, assert_same, files, lines, results, shared};
use serde_json::Value;

/// One data set for all runs of this file, because its path is part of a run's identity, and what a
/// run on it ends with that nobody disturbs.
struct Shared {
    work: Work,
    /// How that run exits.
    code: i32,
    whole: BTreeMap<String, Vec<u8>>,
    attempts: usize,
}

/// The folder of the undisturbed run.
const WHOLE: &str = "whole";

impl Shared {
    /// The one of this process; gone with the last test that uses it.
    fn get() -> Arc<Self> {
        static ONE: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
        shared(&ONE, Self::new)
    }

    fn new() -> Self {
        let work = Work::with_world();
        work.write(
            "captions.txt",
            "a photo of a {class} man\na photo of a {class} woman\n\
             a photo of a {class} person with grey hair\na photo of a {class} person with a hat\n",
        );
        let ran = command(&work, WHOLE).run();
        let code = ran.status.code().unwrap();
        assert!([0, 4].contains(&code), "{ran}");
        let whole = results(&work.path(WHOLE));
        for folder in [
            "images/",
            "controls/",
            "rejected/",
            "attempts/",
            "manifest/",
            "ledger.jsonl",
            "decisions.jsonl",
        ] {
            let there = whole.keys().any(|name| name.starts_with(folder));
            assert!(there, "the run must have {folder} to lose it: {ran}");
        }
        let attempts = lines(&work.path(WHOLE).join("ledger.jsonl"));
        assert!(
            attempts >= 16,
            "{attempts} attempts leave no room to stop in"
        );
        Self {
            work,
            code,
            whole,
            attempts,
        }
    }

    fn ledger(&self, out: &str) -> PathBuf {
        self.work.path(out).join("ledger.jsonl")
    }

    /// Starts a run and lets it go on until so many lines are in its ledger.
    fn started(&self, out: &str, count: usize) -> Running {
        assert!(count < self.attempts);
        let mut running = command(&self.work, out).start();
        let ledger = self.ledger(out);
        running.until(&format!("{count} lines"), || lines(&ledger) >= count);
        running
    }

    /// The interrupted run was not done yet; the same command ends it as if nothing had been.
    fn goes_on(&self, out: &str) {
        let path = self.work.path(out);
        assert!(
            lines(&self.ledger(out)) < self.attempts && !path.join("summary.json").exists(),
            "it was stopped too late to tell anything"
        );
        let before = readable(&self.ledger(out));
        let ran = command(&self.work, out).run().exits(self.code);
        assert!(ran.stderr.contains("going on where it was"), "{ran}");
        assert_same(&results(&path), &self.whole);
        let after = readable(&self.ledger(out));
        assert!(
            before.iter().all(|entry| after.contains(entry)),
            "what was noted stays"
        );
        let ids: BTreeSet<&str> = after.iter().map(|e| e["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), after.len(), "every attempt once: {after:?}");
        let left: Vec<String> = files(&path)
            .into_keys()
            .filter(|name| name.contains(".tmp-"))
            .collect();
        assert_eq!(left, [""; 0], "temporary files");
    }
}

/// A run with kept, rejected and control images, in small batches.
fn command(work: &Work, out: &str) -> Hardlight {
    work.on_world("run", out)
        .clip()
        .model()
        .args(["--grammar", "captions.txt"])
        .args(["--steps", "3", "--guidance", "3", "--batch", "2"])
        .args(["--quota", "4", "--budget", "10"])
        .args(["--set", "generate.controls=2"])
        .args(["--set", "filter.class_margin=0.05"])
}

/// The entries of a ledger's whole lines.
fn readable(ledger: &Path) -> Vec<Value> {
    let text = fs::read_to_string(ledger).unwrap_or_default();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn killed_twice_it_goes_on_to_the_same_bytes() {
    let shared = Shared::get();
    for count in [1, 8] {
        let ran = shared.started("twice", count).kill();
        assert_eq!(ran.status.code(), None, "a signal ended it: {ran}");
    }
    shared.goes_on("twice");
}

#[test]
fn killed_while_embedding_it_goes_on_to_the_same_bytes() {
    let shared = Shared::get();
    let out = shared.work.path("embedding");
    let mut running = command(&shared.work, "embedding").start();
    // Train is stored, val has begun.
    running.until("embeddings of train", || {
        out.join("embeddings/train.keys.json").exists()
    });
    running.kill();
    assert!(!out.join("directions.json").exists(), "killed too late");
    shared.goes_on("embedding");
}

/// A signal that asks to stop: the exit code says which, and what is said tells how to go on.
fn asked_to_stop(shared: &Shared, signal: &str, code: i32) {
    let running = shared.started(signal, 3);
    running.signal(signal);
    let ran = running.wait().exits(code);
    assert!(
        ran.stderr.contains("stopped; the same command goes on"),
        "{ran}"
    );
    let torn = fs::read(shared.ledger(signal)).unwrap();
    assert_eq!(torn.last(), Some(&b'\n'), "it stopped between two lines");
}

#[test]
fn ctrl_c_ends_it_with_130_and_it_goes_on_to_the_same_bytes() {
    let shared = Shared::get();
    asked_to_stop(&shared, "INT", 130);
    shared.goes_on("INT");
}

#[test]
fn sigterm_ends_it_with_143() {
    asked_to_stop(&Shared::get(), "TERM", 143);
}
