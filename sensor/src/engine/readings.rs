//! Readings as the differences of snapshots.

use std::sync::Arc;
use std::time::Duration;

use crate::measure::reading::Snapshot;
use crate::measure::second::{Second, Seconds};
use crate::measure::window::{Reading, Window};

/// What was read last.
pub(super) struct Readings {
    then: Snapshot,
    /// At the end of the last second.
    second: Snapshot,
}

impl Readings {
    /// Nothing has been read yet.
    pub(super) fn new() -> Self {
        Self {
            then: Snapshot::empty(Duration::ZERO),
            second: Snapshot::empty(Duration::ZERO),
        }
    }

    /// What has been counted by now, and was not read before.
    pub(super) fn next(&mut self, now: Snapshot) -> Reading {
        let mut window = Window::between(&self.then, &now);
        let second = self.second(&now);
        if let Some(second) = &second {
            let mut seconds = Seconds::default();
            seconds.add(second);
            window.set_sources(&seconds);
        }
        let at = now.at;
        self.then = now;
        Reading {
            at,
            window,
            second: second.map(Arc::new),
        }
    }

    fn second(&mut self, now: &Snapshot) -> Option<Second> {
        let seen = self.second.epochs.last().map_or(0, |epoch| epoch.number);
        let epoch = now.epochs.last().filter(|epoch| epoch.number > seen)?;
        let second = Second {
            elapsed: now.at.saturating_sub(self.second.at),
            epoch: epoch.clone(),
            addresses: now.addresses.since(&self.second.addresses),
            prefixes: now.prefixes.since(&self.second.prefixes),
            secret: now.secret,
        };
        self.second = now.sources_alone();
        Some(second)
    }
}
