//! Times of an engine as times of the calendar.

use std::time::Duration;

use sensor_common::sample::Sample;

/// Where the engine's clock stands against the calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    /// Time since 1970 at the engine's 0.
    pub begun: Duration,
    /// The samples' clock at the engine's 0.
    pub samples: Duration,
}

impl WallClock {
    /// Milliseconds since 1970 at a time of the engine.
    #[must_use]
    pub fn ms(&self, at: Duration) -> u64 {
        u64::try_from((self.begun + at).as_millis()).unwrap_or(u64::MAX)
    }

    /// Time since 1970 of a sample.
    #[must_use]
    pub fn of_sample(&self, sample: &Sample) -> Duration {
        let at = Duration::from_nanos(sample.time).saturating_sub(self.samples);
        self.begun + at
    }
}
