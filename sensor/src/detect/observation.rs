//! What the detector takes in at a tick.

use std::time::Duration;

use crate::measure::sampled::Sampled;
use crate::measure::window::{Sources, Window};

/// One tick.
pub struct Observation<'a> {
    /// When it ended.
    pub now: Duration,
    /// What was counted.
    pub window: &'a Window,
    /// Sources of the last seconds and how long those are, once a second.
    pub sources: Option<(&'a Sources, Duration)>,
    /// Packets that were sampled.
    pub sampled: &'a [Sampled],
}
