//! An engine's maintenance and its ledger: what both engines do at each tick.

use std::sync::Arc;
use std::time::Duration;

use sensor_common::settings::{Direction, Settings};

use super::lanes::{Hooks, Lanes};
use super::ledger::Ledger;
use super::maintenance::{State, Upkeep};
use crate::measure::reading::Lane;
use crate::measure::window::Reading;

/// See the module.
pub(super) struct Reader {
    upkeep: Upkeep,
    ledger: Ledger,
    lanes: Lanes,
}

impl Reader {
    /// For an engine whose counters are all 0.
    pub(super) fn new(settings: &Settings, cpus: u32) -> Self {
        Self {
            upkeep: Upkeep::new(settings),
            ledger: Ledger::new(settings, cpus),
            lanes: Lanes::default(),
        }
    }

    /// Adds a hook, by its number.
    pub(super) fn add_lane(&mut self, hook: u32, interface: &str, direction: Direction) {
        self.lanes.add(hook, interface, direction);
    }

    /// Only one direction is seen: then nothing is unmatched, and nothing unanswered.
    pub(super) fn see_one_direction(&mut self) {
        self.upkeep.see_one_direction();
        self.ledger.see_one_direction();
    }

    /// See [`Upkeep::tick`].
    pub(super) fn maintain(&mut self, state: &mut impl State) {
        self.upkeep.tick(state);
    }

    /// See [`Upkeep::owes_second`].
    pub(super) fn owes_second(&self, state: &impl State) -> bool {
        self.upkeep.owes_second(state)
    }

    /// See [`Upkeep::flush`].
    pub(super) fn flush(&mut self, state: &mut impl State) {
        self.upkeep.flush(state);
    }

    /// What was counted since this was last called.
    pub(super) fn read<S: State + Hooks>(&mut self, state: &mut S, at: Duration) -> Reading {
        let mut window = self.ledger.read(state, at);
        window.lanes = self.lanes.read(state);
        self.upkeep.cost(state, &mut window.cost);
        let second = self.upkeep.second();
        if let Some(second) = second.as_ref().filter(|second| !second.is_empty()) {
            window.sources = second.sources();
            window.names = second.names.estimate();
        }
        Reading {
            at,
            window,
            second: second.map(Arc::new),
        }
    }

    /// What each server has counted.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What each hook has counted since the engine began.
    pub(super) fn totals(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.totals()
    }
}
