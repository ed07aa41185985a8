//! All counters at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use bytemuck::Zeroable;
use sensor_common::server::{ServerCounters, ServerKey, ServerTable};
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;

use crate::counters::Counters;

/// Counters of one hook of one interface, summed over CPUs.
#[derive(Clone)]
pub struct Lane {
    /// Name of the interface, or of the capture file.
    pub interface: String,
    /// Which way the packets crossed it.
    pub direction: Direction,
    /// What was counted.
    pub totals: Totals,
}

/// A server's place on one CPU.
#[derive(Clone, Copy)]
pub struct Place {
    /// Counters since the server has this place.
    pub counters: ServerCounters,
    /// Sender of the last ICMP error about it; family 0 when there was none.
    pub error_sender: ServerKey,
}

/// All counters at one moment. They only grow, except that a server which lost its place begins
/// anew; what it had is in `other`.
#[derive(Clone)]
pub struct Snapshot {
    /// Time since the engine started; of a capture, since its first packet.
    pub at: Duration,
    /// In the order of interfaces, ingress first.
    pub lanes: Vec<Lane>,
    /// By CPU and server.
    pub places: BTreeMap<(u32, ServerKey), Place>,
    /// Counters of servers that lost their places.
    pub other: ServerCounters,
    /// How many did.
    pub evicted: u64,
}

impl Snapshot {
    /// Nothing counted yet.
    #[must_use]
    pub fn empty(at: Duration) -> Self {
        Self {
            at,
            lanes: Vec::new(),
            places: BTreeMap::new(),
            other: Zeroable::zeroed(),
            evicted: 0,
        }
    }

    /// The sum of all lanes.
    #[must_use]
    pub fn totals(&self) -> Totals {
        sum(&self.lanes)
    }

    /// Adds the table of one CPU.
    pub fn add_table(&mut self, cpu: u32, table: &ServerTable) {
        self.other.add(&table.other);
        self.evicted += table.evicted;
        for set in &table.sets {
            for (tag, entry) in set.tags.iter().zip(&set.entries) {
                if *tag != 0 {
                    let place = Place {
                        counters: entry.counters,
                        error_sender: entry.error_sender,
                    };
                    self.places.insert((cpu, entry.key), place);
                }
            }
        }
    }

    /// Counters of each server, summed over CPUs.
    #[must_use]
    pub fn servers(&self) -> BTreeMap<ServerKey, ServerCounters> {
        let mut servers = BTreeMap::new();
        for ((_, key), place) in &self.places {
            servers
                .entry(*key)
                .or_insert_with(ServerCounters::zeroed)
                .add(&place.counters);
        }
        servers
    }
}

/// The sum of lanes.
#[must_use]
pub fn sum(lanes: &[Lane]) -> Totals {
    let mut sum = Totals::zeroed();
    for lane in lanes {
        sum.add(&lane.totals);
    }
    sum
}
