//! How many alerts were taken, and how many were not.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one way, kept by its thread.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    /// One was taken, or given up.
    pub fn note(&self, taken: bool) {
        let count = if taken { &self.sent } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Taken, and given up.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let [sent, failed] = [&self.sent, &self.failed].map(|count| count.load(Ordering::Relaxed));
        (sent, failed)
    }
}

/// Alerts of all receivers of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// `file`, `command`, `webhook` or `journal`.
    pub way: &'static str,
    /// Taken by the receiver.
    pub sent: u64,
    /// Given up, or lost in a full queue.
    pub failed: u64,
}
