//! Sampled packets that are kept of all servers, for incidents to come.

use std::collections::VecDeque;

use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;

use crate::measure::sampled::Sampled;

/// Packets that are kept of all servers, for incidents to come.
const RECENT: usize = 512;

/// The last packets that were sampled, of all servers.
#[derive(Default)]
pub struct Recent {
    packets: VecDeque<(Sampled, Sample)>,
}

impl Recent {
    /// Adds one.
    pub fn add(&mut self, sampled: Sampled, sample: Sample) {
        if self.packets.len() == RECENT {
            self.packets.pop_front();
        }
        self.packets.push_back((sampled, sample));
    }

    /// Those of a server, or of all.
    pub fn of(&self, server: Option<ServerKey>) -> impl Iterator<Item = &(Sampled, Sample)> {
        let wanted = move |sampled: &Sampled| server.is_none_or(|s| sampled.server == s);
        self.packets.iter().filter(move |(s, _)| wanted(s))
    }
}
