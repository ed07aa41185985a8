//! Shared by the integration tests.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod frames;
pub mod lab;
pub mod traffic;

use std::time::{Duration, Instant};

/// Longest wait for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(10);

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
