//! What counts: the packet program in the kernel, or over the packets of a capture, and its maintenance.

use sensor_common::sample::Sample;

use crate::measure::clock::WallClock;
use crate::measure::window::Reading;
use ledger::Ledger;
use status::Status;

pub mod kernel;
mod lanes;
pub mod ledger;
pub mod maintenance;
pub mod own_cost;
mod reader;
pub mod replay;
pub mod settings;
pub mod status;

/// What a session is told by a tick of its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Time begins, or the clock of a capture was set back: what was learnt before means nothing.
    Begin(WallClock),
    /// Time has passed.
    Next,
    /// Behind the end of a capture: what becomes known now is no sign of anything, because the answers may
    /// only be missing from the capture.
    Rest,
}

/// Counts packets, tick by tick.
pub trait Engine {
    /// Waits for the next tick, [`maintenance::TICK`] after the last, and does what is due at it. Ticks that
    /// were missed are not made up for. `None` where none comes any more.
    fn tick(&mut self) -> impl Future<Output = Option<Tick>>;

    /// Adds the samples that were taken since this was last asked.
    fn samples(&mut self, samples: &mut Vec<Sample>);

    /// What was counted since this was last asked.
    fn reading(&mut self) -> Reading;

    /// What each server has counted, as of the last reading.
    fn ledger(&self) -> &Ledger;

    /// Whether ticks in which nothing happens may be left out until something does. A live engine has none to leave out.
    fn rest(&mut self, _: bool) {}

    /// How it stands.
    fn status(&self) -> &Status;
}
