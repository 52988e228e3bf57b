//! libtorch's threads, made to sleep while they wait.
//!
//! On the CPU libtorch's loops run on libgomp's threads. Between two loops these spin for three milliseconds before they
//! sleep, which on a machine that does anything else takes the cores from whoever has work: sampling ran four to
//! seven times slower there. `OMP_WAIT_POLICY=PASSIVE` forbids it, but libgomp reads that before `main`.
//!
//! It does not spin either while it manages more threads than there are processors (`do_spin` in
//! `libgomp/config/linux/wait.h`, `gomp_throttled_spin_count_var` in `libgomp/env.c`: 100 turns in place of
//! 300,000). A few teams that sleep for ever bring it there. Where libtorch runs on other threads than libgomp's nothing
//! is won, and nothing lost.

use std::sync::Once;
use std::sync::mpsc::channel;
use std::thread;

use tch::{Device, Kind, Tensor};

/// Teams beside that of the caller. With `n` threads each libgomp then manages `4 n - 3`, more than the processors where
/// libtorch took every processor, or every second for want of hyper-threads.
const TEAMS: usize = 3;

/// What the operating system calls them.
const NAME: &str = "asleep";

/// libtorch gives a thread no fewer numbers of an element-wise operation (`at::internal::GRAIN_SIZE`).
const GRAIN: i64 = 32_768;

/// Sees to it once that waiting threads sleep, unless the environment says how they wait.
pub fn sleep_while_waiting() {
    static ONCE: Once = Once::new();
    let said = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    let threads = i64::from(tch::get_num_threads());
    if said || threads < 2 {
        return;
    }
    ONCE.call_once(|| send_to_sleep(threads));
}

/// Starts the teams, of so many threads each; returns when all of them sleep.
fn send_to_sleep(threads: i64) {
    let (ready, all) = channel();
    for _ in 0..TEAMS {
        let ready = ready.clone();
        let team = move || {
            // A team belongs to the thread that first needs it, and ends with it.
            let _ = Tensor::zeros([2 * GRAIN * threads], (Kind::Float, Device::Cpu)) + 1.0;
            let _ = ready.send(());
            drop(ready);
            loop {
                thread::park();
            }
        };
        // Without the thread the machine is as it was.
        let _ = thread::Builder::new().name(NAME.to_owned()).spawn(team);
    }
    drop(ready);
    for () in all {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_teams_are_there_when_the_call_returns() {
        send_to_sleep(2);
        let named = |task: std::io::Result<std::fs::DirEntry>| {
            let name = std::fs::read_to_string(task.unwrap().path().join("comm"));
            name.is_ok_and(|name| name.trim() == NAME)
        };
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        assert!(tasks.map(named).filter(|is| *is).count() >= TEAMS);
    }
}
