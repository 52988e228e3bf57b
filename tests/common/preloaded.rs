//! Commands in processes that need not load libtorch: they are forked from one that has.
//!
//! Loading libtorch with CUDA takes most of a second of a core, which was two thirds of the time of all tests of
//! the command. What runs is the same: [`hardlight::cli::run`] in a process of its own, with its own arguments,
//! environment, folder and streams. Tests that send signals, or read while the command writes, start the program.
//!
//! ```text
//! test ─ a line of JSON ─▶ server: this test binary, asked for `serve` alone
//!                             └ fork ─▶ watcher ─ fork ─▶ hardlight::cli::run
//! test ◀──── file `status` ───────────────┘
//! ```
//!
//! The server has one thread that does anything, and never computes: what is forked from it finds no lock held and
//! no pool of threads that is not there.

#![allow(
    unsafe_code,
    reason = "fork, and what a process does to itself after it"
)]

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

/// Set where this test binary is to serve.
const SERVER: &str = "HARDLIGHT_TEST_SERVER";

/// What a command is to be run with.
#[derive(Serialize, Deserialize)]
struct Order {
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: PathBuf,
    /// Where `stdout`, `stderr`, `id` and, in the end, `status` are written.
    streams: PathBuf,
}

/// A command that the server has been asked for.
pub(crate) struct Forked {
    streams: PathBuf,
    ended: bool,
}

/// Asks for a command.
pub(super) fn start(command: &Command, streams: &Path) -> Forked {
    static ORDERS: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    let variables = command.get_envs();
    let order = Order {
        arguments: [command.get_program()]
            .into_iter()
            .chain(command.get_args())
            .map(ToOwned::to_owned)
            .collect(),
        variables: variables
            .map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()))
            .collect(),
        folder: command.get_current_dir().unwrap().to_owned(),
        streams: streams.to_owned(),
    };
    let line = serde_json::to_string(&order).unwrap() + "\n";
    let orders = ORDERS.get_or_init(|| Mutex::new(server()));
    let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
    orders.write_all(line.as_bytes()).unwrap();
    Forked {
        streams: streams.to_owned(),
        ended: false,
    }
}

/// Starts the server, which ends when the pipe that it reads does: with this process.
fn server() -> ChildStdin {
    let this = env::current_exe().unwrap();
    let mut server = Command::new(this);
    server
        .args(["--exact", "serve", "--ignored", "--nocapture"])
        .arg("--test-threads=1")
        .env(SERVER, "1")
        // Read when libgomp is loaded, so the same for all.
        .env("OMP_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    server.spawn().unwrap().stdin.take().unwrap()
}

impl Forked {
    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let status = fs::read_to_string(self.streams.join("status")).ok()?;
        self.ended = true;
        Some(ExitStatus::from_raw(status.parse().unwrap()))
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        let id = fs::read_to_string(self.streams.join("id")).unwrap();
        id.parse().unwrap()
    }

    /// Kills it if it has not ended.
    pub(super) fn kill(&mut self) {
        let id = fs::read_to_string(self.streams.join("id"));
        if self.ended().is_none()
            && let Some(id) = id.ok().and_then(|id| id.parse().ok())
        {
            // SAFETY: no memory is touched.
            unsafe { libc::kill(id, libc::SIGKILL) };
        }
    }
}

/// Runs commands until the orders end.
pub(crate) fn serve() {
    if env::var_os(SERVER).is_none() {
        return;
    }
    // SAFETY: no handler is installed; nobody waits for the watchers.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    // Not the standard library's handle, whose buffer and lock a command would find.
    let orders = BufReader::new(File::open("/dev/stdin").unwrap());
    for line in orders.lines() {
        let order: Order = serde_json::from_str(&line.unwrap()).unwrap();
        // SAFETY: see above, no other thread of this process holds anything.
        if unsafe { libc::fork() } == 0 {
            watch(&order);
        }
    }
}

/// Runs a command in a process of its own, and notes how it ended.
fn watch(order: &Order) -> ! {
    // SAFETY: no handler is installed, and this process has one thread.
    let id = unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::fork()
    };
    if id == 0 {
        let run = catch_unwind(AssertUnwindSafe(|| run(order)));
        // As a program ends whose main thread panicked.
        std::process::exit(run.map_or(101, i32::from));
    }
    let streams = &order.streams;
    let noted = fs::write(streams.join("id"), id.to_string());
    let mut status = 0;
    // SAFETY: `status` is there to be written.
    unsafe { libc::waitpid(id, &raw mut status, 0) };
    // Under its name when it is whole.
    let part = streams.join("status.part");
    let written = noted
        .and_then(|()| fs::write(&part, status.to_string()))
        .and_then(|()| fs::rename(&part, streams.join("status")));
    // SAFETY: it ends this process, and leaves to the server what is the server's.
    unsafe { libc::_exit(i32::from(written.is_err())) }
}

fn run(order: &Order) -> u8 {
    let Order {
        arguments,
        variables,
        folder,
        streams,
    } = order;
    let output = |name| File::create(streams.join(name)).unwrap();
    let files = [
        File::open("/dev/null").unwrap(),
        output("stdout"),
        output("stderr"),
    ];
    for (stream, file) in (0..).zip(&files) {
        // SAFETY: both are open; what the stream was is closed.
        assert!(unsafe { libc::dup2(file.as_raw_fd(), stream) } >= 0);
    }
    drop(files);
    for (name, value) in variables {
        // SAFETY: this process has one thread.
        unsafe { env::set_var(name, value) };
    }
    env::set_current_dir(folder).unwrap();
    hardlight::cli::run(arguments.iter().cloned())
}
