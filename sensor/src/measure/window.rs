//! What happened between two readings of an engine, and in any number of them together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytemuck::Zeroable;
use sensor_common::server::{ServerCounters, ServerKey};
use sensor_common::totals::Totals;

pub use crate::measure::cohort::CohortChange;
use crate::measure::cohort::Slots;
use crate::measure::counters::Counters;
use crate::measure::latency::Latency;
use crate::measure::reading::{Lane, OwnCost, Waiting, sum};
use crate::measure::second::Second;
pub use crate::measure::second::Sources;

/// Servers that a sum of windows tells apart; the rest is in `other`.
const SERVERS: usize = 4096;

/// What an engine has counted since it was last read.
pub struct Reading {
    /// When it was read: time since the engine started; of a capture, since its first packet.
    pub at: Duration,
    /// What was counted.
    pub window: Window,
    /// Who asked, where a second has ended.
    pub second: Option<Arc<Second>>,
}

/// What was counted in a while.
#[derive(Clone)]
pub struct Window {
    /// How long it was.
    pub elapsed: Duration,
    /// In the order of interfaces, ingress first.
    pub lanes: Vec<Lane>,
    /// Servers that had any traffic, and the sender of the last ICMP error about them.
    pub servers: BTreeMap<ServerKey, ServerWindow>,
    /// Of servers that lost their places or never had one.
    pub other: ServerCounters,
    /// Their transactions by the time of their query.
    pub other_cohorts: Vec<CohortChange>,
    /// Unanswered queries to those.
    pub other_unanswered: u64,
    /// Where the slots of the cohorts lie, at the end of the window.
    pub slots: Slots,
    /// So much time passed since the reading before that a slot may have been used again: the changes of all
    /// cohorts are told of the newest.
    pub gap: bool,
    /// Servers that lost their places.
    pub evicted: u64,
    /// Packets of servers that never had one.
    pub refused: u64,
    /// Who asked, in the seconds that ended in it.
    pub sources: Sources,
    /// Different names in questions, in those seconds.
    pub names: u64,
    /// What the sensor spent and lost.
    pub cost: OwnCost,
}

/// One server's part of a window.
#[derive(Clone, Debug)]
pub struct ServerWindow {
    /// What was counted.
    pub counters: ServerCounters,
    /// Sender of the last ICMP error ever seen about the server.
    pub error_sender: Option<ServerKey>,
    /// Its transactions by the time of their query: slots in which anything changed, the oldest first.
    pub cohorts: Vec<CohortChange>,
    /// Queries whose time-out passed in the window without an answer or error; as all transactions, an
    /// estimate.
    pub unanswered: u64,
    /// Queries that may yet be answered in time, at the end of the window.
    pub waiting: Waiting,
    /// Of its answers: fine if the server is among the busiest.
    pub latency: Latency,
}

impl ServerWindow {
    /// Nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            counters: Zeroable::zeroed(),
            error_sender: None,
            cohorts: Vec::new(),
            unanswered: 0,
            waiting: Waiting::default(),
            latency: Latency::fine(),
        }
    }

    /// Queries, responses and ICMP errors.
    #[must_use]
    pub fn packets(&self) -> u64 {
        let errors: u64 = self.counters.errors.iter().sum();
        self.counters.queries + self.counters.responses + errors
    }

    /// Adds the window that follows; cohorts are of ticks alone.
    pub fn add(&mut self, next: &Self) {
        self.counters.add(&next.counters);
        self.error_sender = next.error_sender.or(self.error_sender);
        self.unanswered += next.unanswered;
        self.waiting = next.waiting;
        self.latency.merge(&next.latency);
    }
}

impl Window {
    /// When a slot of the cohorts ends, on the time line of the readings.
    #[must_use]
    pub fn slot_end(&self, slot: u64) -> Duration {
        self.slots.end(slot)
    }

    /// How long a slot of the cohorts is.
    #[must_use]
    pub fn slot_length(&self) -> Duration {
        self.slots.length()
    }

    /// Nothing, in no time.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            elapsed: Duration::ZERO,
            lanes: Vec::new(),
            servers: BTreeMap::new(),
            other: Zeroable::zeroed(),
            other_cohorts: Vec::new(),
            other_unanswered: 0,
            slots: Slots::default(),
            gap: false,
            evicted: 0,
            refused: 0,
            sources: Sources::default(),
            names: 0,
            cost: OwnCost::default(),
        }
    }

    /// Adds the window that follows; who asked in both is not known of them, and cohorts are of ticks alone.
    pub fn add(&mut self, next: &Self) {
        self.elapsed += next.elapsed;
        for lane in &next.lanes {
            let same = |known: &&mut Lane| {
                known.interface == lane.interface && known.direction == lane.direction
            };
            match self.lanes.iter_mut().find(same) {
                Some(known) => known.totals.add(&lane.totals),
                None => self.lanes.push(lane.clone()),
            }
        }
        self.other.add(&next.other);
        self.other_unanswered += next.other_unanswered;
        self.slots = next.slots;
        self.gap |= next.gap;
        self.evicted += next.evicted;
        self.refused += next.refused;
        for (key, server) in &mut self.servers {
            if !next.servers.contains_key(key) {
                server.waiting = Waiting::default();
            }
        }
        for (key, server) in &next.servers {
            self.add_server(key, server);
        }
        let (before, now) = (self.cost, next.cost);
        self.cost = OwnCost {
            followed: before.followed + now.followed,
            raised: before.raised + now.raised,
            sampled: before.sampled + now.sampled,
            samples_lost: before.samples_lost + now.samples_lost,
            samples_capped: before.samples_capped + now.samples_capped,
            ..now
        };
    }

    fn add_server(&mut self, key: &ServerKey, next: &ServerWindow) {
        if let Some(server) = self.servers.get_mut(key) {
            server.add(next);
        } else if self.servers.len() < SERVERS {
            self.servers
                .entry(*key)
                .or_insert_with(ServerWindow::empty)
                .add(next);
        } else {
            self.other.add(&next.counters);
            self.other_unanswered += next.unanswered;
        }
    }

    /// Unanswered queries to any server.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        let servers: u64 = self.servers.values().map(|server| server.unanswered).sum();
        servers + self.other_unanswered
    }

    /// Servers, those with most packets first.
    #[must_use]
    pub fn busiest(&self) -> Vec<(&ServerKey, &ServerWindow)> {
        let mut servers: Vec<_> = self.servers.iter().collect();
        servers.sort_by_key(|(_, server)| std::cmp::Reverse(server.packets()));
        servers
    }

    /// The sum of all lanes.
    #[must_use]
    pub fn totals(&self) -> Totals {
        sum(&self.lanes)
    }

    /// A count as a rate, per second. 0 where no time passed.
    #[must_use]
    pub fn rate(&self, count: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            // A rate is shown with three digits; counts beyond 2^53 are not reached in a window.
            #[expect(clippy::cast_precision_loss, reason = "see above")]
            let count = count as f64;
            count / seconds
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> ServerKey {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&number.to_be_bytes());
        ServerKey {
            address,
            family: 4,
            reserved: [0; 7],
        }
    }

    fn window(seconds: u64, queries: &[(u32, u64)], other: u64) -> Window {
        let mut window = Window::empty();
        window.elapsed = Duration::from_secs(seconds);
        window.other.queries = other;
        for (number, queries) in queries {
            let mut server = ServerWindow::empty();
            server.counters.queries = *queries;
            window.servers.insert(key(*number), server);
        }
        window
    }

    fn all_queries(window: &Window) -> u64 {
        let servers: u64 = window.servers.values().map(|s| s.counters.queries).sum();
        servers + window.other.queries
    }

    #[test]
    fn a_sum_has_what_its_windows_have_and_makes_rates() {
        let mut sum = window(1, &[(1, 10)], 1);
        let mut last = window(3, &[(1, 3), (2, 4)], 5);
        last.servers.entry(key(2)).and_modify(|server| {
            server.waiting.0[0] = 4;
        });
        sum.add(&last);
        assert_eq!(sum.servers[&key(1)].counters.queries, 13);
        assert_eq!(sum.servers[&key(2)].waiting.since(0), 4);
        assert_eq!((all_queries(&sum), sum.other.queries), (23, 6));
        assert!((sum.rate(10) - 2.5).abs() < 1e-9);
        // What waited has its end.
        sum.add(&window(1, &[(1, 1)], 0));
        assert_eq!(sum.servers[&key(2)].waiting.since(0), 0);
    }

    #[test]
    fn a_sum_knows_no_more_than_so_many_servers_and_loses_no_query() {
        let mut sum = Window::empty();
        for tick in 0..3 {
            let servers = SERVERS as u32;
            let all: Vec<_> = (0..servers).map(|n| (tick * servers + n, 1)).collect();
            sum.add(&window(1, &all, 0));
        }
        assert_eq!(sum.servers.len(), SERVERS);
        assert_eq!(all_queries(&sum), 3 * SERVERS as u64);
    }

    #[test]
    fn no_time_means_no_rate() {
        assert!(Window::empty().rate(5).abs() < 1e-9);
    }
}
