//! What counts the frames of a capture.

use std::time::Duration;

use sensor_common::sample::Sample;

use crate::engine::kernel::load::LoadError;
use crate::engine::ledger::Ledger;
use crate::measure::window::Reading;

/// Counts frames by a clock that is set: in this process, or in the kernel.
pub trait Counting {
    /// The name used in output.
    const NAME: &'static str;

    /// Does what is due at a tick, at this time.
    fn maintain(&mut self, at: Duration);

    /// Whether the next tick brings what the sketches say of a second in which something was counted: that tick must
    /// not be left out.
    fn owes_second(&self) -> bool;

    /// The time of the frames that follow.
    fn set_clock(&mut self, now: Duration);

    /// Counts a frame with an Ethernet header.
    ///
    /// # Errors
    /// The kernel refuses it, for example because it is longer than it takes.
    fn count_frame(&mut self, frame: &[u8]) -> Result<(), LoadError>;

    /// Adds the samples that were taken since this was last asked.
    fn take_samples(&mut self, samples: &mut Vec<Sample>);

    /// Ends the second that is running: the next reading has all that was counted.
    fn flush(&mut self);

    /// What was counted since this was last asked. `at` is the time of the capture.
    fn reading(&mut self, at: Duration) -> Reading;

    /// What each server has counted, as of the last reading.
    fn ledger(&self) -> &Ledger;
}
