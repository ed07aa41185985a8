//! What is lost in serving.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was lost in serving, since the start.
#[derive(Default)]
pub struct Losses {
    /// Connections that found all places taken.
    pub connections_refused: AtomicU64,
    /// Streams that were ended because their client did not read, or that found no place.
    pub streams_dropped: AtomicU64,
}

impl Losses {
    /// All of them, by their codes.
    pub fn list(&self) -> [(&'static str, u64); 2] {
        [
            (
                "connections_refused",
                self.connections_refused.load(Ordering::Relaxed),
            ),
            (
                "streams_dropped",
                self.streams_dropped.load(Ordering::Relaxed),
            ),
        ]
    }
}
