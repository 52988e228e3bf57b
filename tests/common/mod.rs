//! A temp folder with a small drawn world in it, and the `hardlight` command run there.
//!
//! A failed expectation prints the command, where it ran, how it ended and both streams.

#![allow(dead_code, reason = "each test crate uses its part")]

pub(crate) mod formula;
mod kept;
#[cfg(unix)]
pub(crate) mod preloaded;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::{self, Display, Write as _};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use hardlight::world::face::WorldConfig;
use hardlight::world::folder::write_dataset;
use hardlight::world::splits::SplitSizes;
use tempfile::TempDir;

pub(crate) use self::kept::Kept;

/// Faces of the small world.
pub(crate) const FACES: SplitSizes = SplitSizes {
    train: 60,
    val: 120,
    test: 60,
    pool: 0,
};

/// No command of a test takes longer, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a test looks whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What several tests of a process look at and none changes: made by the first that needs it, gone
/// with the last.
pub(crate) fn shared<T>(one: &Mutex<Weak<T>>, make: impl FnOnce() -> T) -> Arc<T> {
    // Where making it failed for one test, the next shows the failure again.
    let mut one = one.lock().unwrap_or_else(PoisonError::into_inner);
    one.upgrade().unwrap_or_else(|| {
        let new = Arc::new(make());
        *one = Arc::downgrade(&new);
        new
    })
}

/// A folder of the committed weights.
pub(crate) fn weights(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("weights/world")
        .join(part)
}

/// A temp folder of one test, gone with it.
pub(crate) struct Work {
    dir: TempDir,
}

impl Work {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    /// One with the small world as an `ImageFolder` `faces/` and a classifier's `predictions.csv` on
    /// val and test, which are mostly wrong for old women and young men and mostly right for others.
    pub(crate) fn with_world() -> Self {
        Self::with_world_of(&FACES)
    }

    /// The same with other numbers of faces.
    pub(crate) fn with_world_of(sizes: &SplitSizes) -> Self {
        static SMALL: Kept = Kept::new();
        if *sizes == FACES {
            return SMALL.copy(|| Self::drawn(sizes));
        }
        Self::drawn(sizes)
    }

    fn drawn(sizes: &SplitSizes) -> Self {
        let work = Self::empty();
        let faces = work.path("faces");
        write_dataset(&faces, &WorldConfig::default(), sizes, Some(0.95), 7).unwrap();
        // The user has a folder of images and no table; what is in it is known to the test alone.
        fs::rename(faces.join("table.csv"), work.path("truth.csv")).unwrap();
        let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut text = "path,prediction,confidence\n".to_owned();
        let mut truth = csv::Reader::from_path(work.path("truth.csv")).unwrap();
        for record in truth.records() {
            let record = record.unwrap();
            let (path, label, split, group) = (&record[0], &record[1], &record[2], &record[3]);
            if split == "train" {
                continue;
            }
            let minority = matches!((label, group), ("old", "woman") | ("young", "man"));
            let count = seen.entry((label.into(), group.into())).or_default();
            *count += 1;
            // 4 of 5 of the minority are wrong, 1 of 10 of the others.
            let wrong = if minority {
                !count.is_multiple_of(5)
            } else {
                count.is_multiple_of(10)
            };
            let other = if label == "old" { "young" } else { "old" };
            let said = if wrong { other } else { label };
            writeln!(text, "{path},{said},0.{}", 51 + *count * 7 % 49).unwrap();
        }
        work.write("predictions.csv", text);
        work
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// `hardlight ARGS`, in this folder.
    pub(crate) fn hardlight<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Hardlight {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardlight"));
        command
            .args(args)
            .current_dir(self.root())
            .env("HF_HUB_OFFLINE", "1")
            .env("OMP_NUM_THREADS", "1")
            .env("RAYON_NUM_THREADS", "2")
            .stdin(Stdio::null());
        Hardlight { command }
    }

    /// `hardlight COMMAND --out OUT` on the small world with CLIP, and few of everything random.
    pub(crate) fn on_world(&self, command: &str, out: &str) -> Hardlight {
        self.hardlight([command, "--out", out])
            .args(["--data", "faces", "--predictions", "predictions.csv"])
            .args(["--device", "cpu", "--force"])
            .args(["--set", "direction.permutations=19"])
            .args(["--set", "direction.bootstrap=0"])
    }
}

/// A command about to run.
pub(crate) struct Hardlight {
    command: Command,
}

impl Hardlight {
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn clip(self) -> Self {
        self.args([OsStr::new("--clip"), weights("clip").as_os_str()])
    }

    pub(crate) fn model(self) -> Self {
        self.args([OsStr::new("--model"), weights("diffusion").as_os_str()])
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ran {
        #[cfg(unix)]
        return self.begin(Process::preloaded).wait();
        #[cfg(not(unix))]
        self.start().wait()
    }

    /// Starts the program itself.
    pub(crate) fn start(self) -> Running {
        self.begin(Process::start)
    }

    fn begin(mut self, start: impl FnOnce(&mut Command, &Path) -> Process) -> Running {
        // Files, not pipes: nobody has to empty them while the command works.
        let streams = tempfile::tempdir().unwrap();
        Running {
            text: format!("{:?}", self.command),
            process: start(&mut self.command, streams.path()),
            streams,
        }
    }
}

/// The process in which a command runs.
enum Process {
    /// The program itself.
    Own(Child),
    #[cfg(unix)]
    Forked(preloaded::Forked),
}

impl Process {
    fn start(command: &mut Command, streams: &Path) -> Self {
        let stream = |name| File::create(streams.join(name)).unwrap();
        let command = command.stdout(stream("stdout")).stderr(stream("stderr"));
        Self::Own(command.spawn().unwrap())
    }

    #[cfg(unix)]
    fn preloaded(command: &mut Command, streams: &Path) -> Self {
        Self::Forked(preloaded::start(command, streams))
    }

    /// How it ended, if it has.
    fn ended(&mut self) -> Option<ExitStatus> {
        match self {
            Self::Own(child) => child.try_wait().unwrap(),
            #[cfg(unix)]
            Self::Forked(forked) => forked.ended(),
        }
    }

    fn id(&self) -> u32 {
        match self {
            Self::Own(child) => child.id(),
            #[cfg(unix)]
            Self::Forked(forked) => forked.id(),
        }
    }
}

/// A command at work; killed if the test ends before it does.
pub(crate) struct Running {
    text: String,
    process: Process,
    streams: TempDir,
}

impl Running {
    /// Waits until it ends.
    pub(crate) fn wait(mut self) -> Ran {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.process.ended() {
                break status;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "still at work after {PATIENCE:?}: {self}"
            );
            thread::sleep(LOOK_EVERY);
        };
        Ran {
            text: self.text.clone(),
            status,
            stdout: self.stream("stdout"),
            stderr: self.stream("stderr"),
        }
    }

    /// Waits until something is so; fails if the command ends before.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            let ended = self.process.ended();
            assert!(ended.is_none(), "ended before {what}: {self}");
            assert!(
                begun.elapsed() < PATIENCE,
                "no {what} in {PATIENCE:?}: {self}"
            );
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until a text stands in its messages; fails if the command ends before.
    pub(crate) fn until_it_says(&mut self, text: &str) {
        let stderr = self.streams.path().join("stderr");
        let said = || fs::read_to_string(&stderr).is_ok_and(|all| all.contains(text));
        self.until(text, said);
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Ran {
        // Not by another process, which would have to start first.
        let Process::Own(child) = &mut self.process else {
            panic!("kill what was begun by `start`: {self}");
        };
        child.kill().unwrap();
        self.wait()
    }

    /// Sends it a signal by name, as in `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success(), "could not send {name} to {self}");
    }

    fn stream(&self, name: &str) -> String {
        let bytes = fs::read(self.streams.path().join(name)).unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        match &mut self.process {
            Process::Own(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            #[cfg(unix)]
            Process::Forked(forked) => forked.kill(),
        }
    }
}

impl Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stdout, stderr) = (self.stream("stdout"), self.stream("stderr"));
        write!(
            f,
            "\n$ {}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
            self.text
        )
    }
}

/// A command that ended.
pub(crate) struct Ran {
    text: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// It ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// All of these stand in its messages, and its results are empty.
    #[track_caller]
    pub(crate) fn complains(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {self}");
        }
        assert!(self.stderr.contains("error: "), "{self}");
        assert!(!self.stderr.contains("panicked"), "{self}");
        assert_eq!(self.stdout, "", "{self}");
        self
    }

    /// All of these stand in its results.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "no {part:?} in {self}");
        }
        self
    }
}

impl Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            text,
            status,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "\n$ {text}\n--- {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// Every file below a folder by its path with `/`; nothing if there is no folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    if folder.exists() {
        add(folder, folder, &mut found);
    }
    found
}

/// What a run folder holds that must be the same however often it was interrupted: everything but
/// the log, the lock, and the seconds of `summary.json`.
pub(crate) fn results(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = files(out);
    found.remove("run.log");
    found.remove(".lock");
    if let Some(summary) = found.get_mut("summary.json") {
        let mut json: serde_json::Value = serde_json::from_slice(summary).unwrap();
        json.as_object_mut().unwrap().remove("seconds").unwrap();
        *summary = json.to_string().into_bytes();
    }
    found
}

/// Fails naming the files that differ, not with their bytes.
#[track_caller]
pub(crate) fn assert_same(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) {
    let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let differing: Vec<_> = names
        .into_iter()
        .filter(|n| a.get(*n) != b.get(*n))
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert!(!a.is_empty());
}

/// What became of every attempt of a run: the rows of its `decisions.jsonl`.
pub(crate) fn decisions(out: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(out.join("decisions.jsonl")).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
    rows.collect()
}

/// Lines of a ledger that are written to their end.
pub(crate) fn lines(ledger: &Path) -> usize {
    fs::read(ledger).map_or(0, |bytes| bytes.iter().filter(|b| **b == b'\n').count())
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
