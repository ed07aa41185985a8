//! Shared by the integration tests.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod clsact;
pub mod drops;
pub mod exchange;
pub mod film;
pub mod frames;
pub mod lab;
pub mod outage;
pub mod outage_frames;
pub mod pcap;
pub mod traffic;

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Longest wait for something that must happen: far longer than it takes, also on an emulated machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `condition` holds.
///
/// # Panics
/// It does not come true.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Keeps this thread on one CPU: what it sends then arrives in order, and is counted by that one.
///
/// # Panics
/// If it is not allowed.
pub fn on_one_cpu() {
    let mut cpus = CpuSet::new();
    cpus.set(0).expect("there is a CPU 0");
    sched_setaffinity(Pid::from_raw(0), &cpus).expect("allowed");
}
