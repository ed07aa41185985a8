//! What happened between two readings of an engine, and in any number of them together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytemuck::Zeroable;
use sensor_common::server::{Cohorts, ServerCounters, ServerKey};
use sensor_common::totals::Totals;

pub use crate::measure::cohort::CohortChange;
use crate::measure::cohort::{self, Slots};
use crate::measure::counters::Counters;
use crate::measure::latency::Latency;
use crate::measure::reading::{Lane, OwnCost, Snapshot, Waiting, sum};
pub use crate::measure::second::Sources;
use crate::measure::second::{Second, Seconds};

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
    /// So much time passed between the snapshots that a slot may have been used again: the changes of all
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
#[derive(Clone)]
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

    /// Adds the window that follows.
    fn add(&mut self, next: &Self) {
        self.counters.add(&next.counters);
        self.error_sender = next.error_sender.or(self.error_sender);
        self.unanswered += next.unanswered;
        self.waiting = next.waiting;
        self.latency.merge(&next.latency);
    }
}

impl Window {
    /// What happened from `then` to `now`, two snapshots of one engine.
    #[must_use]
    pub fn between(then: &Snapshot, now: &Snapshot) -> Self {
        let lanes = now
            .lanes
            .iter()
            .enumerate()
            .map(|(at, lane)| Lane {
                totals: match then.lanes.get(at) {
                    Some(then) if !lane.totals.went_back(&then.totals) => {
                        lane.totals.since(&then.totals)
                    }
                    // A hook that is new, or whose counters began anew.
                    _ => lane.totals,
                },
                ..lane.clone()
            })
            .collect();
        let mut window = Self {
            elapsed: now.at.saturating_sub(then.at),
            lanes,
            servers: BTreeMap::new(),
            other: now.other.since(&then.other),
            other_cohorts: Vec::new(),
            other_unanswered: 0,
            slots: now.slots,
            gap: now.slots.gap_since(&then.slots),
            evicted: now.evicted.wrapping_sub(then.evicted),
            refused: now.refused.wrapping_sub(then.refused),
            sources: Sources::default(),
            names: 0,
            cost: OwnCost {
                followed: now.cost.followed - then.cost.followed,
                raised: now.cost.raised - then.cost.raised,
                sampled: now.cost.sampled - then.cost.sampled,
                samples_capped: now.cost.samples_capped - then.cost.samples_capped,
                samples_lost: now.cost.samples_lost - then.cost.samples_lost,
                ..now.cost
            },
        };
        window.add_servers(then, now);
        window.add_latency(then, now);
        window
    }

    fn add_servers(&mut self, then: &Snapshot, now: &Snapshot) {
        let mut other_unanswered = now.other_unanswered - then.other_unanswered;
        if then.places.is_empty() {
            // Else an earlier window has told it, with the server's address.
            other_unanswered += now.lost_unanswered;
        }
        let mut other_cohorts = now.other_cohorts;
        cohort::take(&mut other_cohorts, &then.other_cohorts);
        for (place, before) in &then.places {
            let kept = now
                .places
                .get(place)
                .is_some_and(|now| now.tenure == before.tenure);
            if !kept {
                // The server lost this place: all it ever counted there went to `other`, and what
                // earlier windows have reported of it does not belong to this one.
                // At least 0: an eviction during the reading may reach `other` in the next window.
                self.other = self.other.since_at_least_zero(&before.counters);
                cohort::take(&mut other_cohorts, &before.cohorts);
            }
        }
        self.other_cohorts = self.slots.changes(&other_cohorts, self.gap);
        self.other_unanswered = u64::try_from(other_unanswered).unwrap_or(0);
        let mut rings: BTreeMap<ServerKey, Cohorts> = BTreeMap::new();
        for (place, now) in &now.places {
            let (mut counters, mut unanswered) = (now.counters, now.unanswered);
            let mut ring = now.cohorts;
            // A lost place has shown what it had; a new one begins at 0.
            if let Some(then) = then.places.get(place)
                && then.tenure == now.tenure
            {
                counters = counters.since(&then.counters);
                unanswered -= then.unanswered;
                cohort::take(&mut ring, &then.cohorts);
            }
            // Not "none waits": one CPU's part may be negative, and belongs to the sum.
            let nothing = counters.is_zero() && unanswered == 0 && ring == Cohorts::default();
            if nothing && now.waiting == Waiting::default() {
                continue;
            }
            cohort::add(rings.entry(place.1).or_default(), &ring);
            let server = self
                .servers
                .entry(place.1)
                .or_insert_with(ServerWindow::empty);
            server.counters.add(&counters);
            // One CPU's part may be negative, where queries and their answers met different CPUs.
            server.unanswered = server.unanswered.wrapping_add_signed(unanswered);
            server.waiting.add(&now.waiting);
            if now.error_sender.family != 0 {
                server.error_sender = Some(now.error_sender);
            }
        }
        for (key, server) in &mut self.servers {
            if let Some(ring) = rings.get(key) {
                server.cohorts = self.slots.changes(ring, self.gap);
            }
        }
    }

    fn add_latency(&mut self, then: &Snapshot, now: &Snapshot) {
        for (place, now) in &now.histograms {
            let before = match then.histograms.get(place) {
                Some(then) if then.owners == now.owners => Some(&then.buckets),
                // From another owner on nobody knows where the new one began.
                _ if now.owners == 1 => None,
                _ => continue,
            };
            if let Some(server) = self.servers.get_mut(&now.key) {
                let buckets = now
                    .buckets
                    .iter()
                    .enumerate()
                    .map(|(at, now)| now.wrapping_sub(before.map_or(0, |buckets| buckets[at])));
                server.latency.add(buckets);
            }
        }
        for server in self.servers.values_mut() {
            // One negative part makes the sum wrap; it is a tick's disorder between CPUs.
            if server.unanswered.cast_signed() < 0 {
                server.unanswered = 0;
            }
            let coarse = Latency::coarse(&server.counters.latency);
            // A server that has had no fine histogram, or not for the whole of the window.
            if server.latency.count() < coarse.count() {
                server.latency = coarse;
            }
        }
    }

    /// When a slot of the cohorts ends, on the time line of the snapshots.
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

    /// Who asked, and for how many names, in these seconds.
    pub fn set_sources(&mut self, seconds: &Seconds) {
        self.sources = seconds.sources();
        self.names = seconds.names();
    }

    /// Adds the window that follows; who asked is left to [`Self::set_sources()`], and cohorts are of ticks alone.
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
            self.servers.insert(*key, next.clone());
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
    use crate::measure::reading::{Place, Waiting};

    fn key(last: u8) -> ServerKey {
        let mut address = [0; 16];
        address[3] = last;
        ServerKey {
            address,
            family: 4,
            reserved: [0; 7],
        }
    }

    fn snapshot(seconds: u64, queries: &[(u32, u8, u64)], other: u64) -> Snapshot {
        let mut snapshot = Snapshot::empty(Duration::from_secs(seconds));
        for (cpu, server, queries) in queries {
            let mut place = Place {
                counters: Zeroable::zeroed(),
                tenure: 1,
                cohorts: Cohorts::default(),
                error_sender: Zeroable::zeroed(),
                unanswered: 0,
                waiting: Waiting::default(),
            };
            place.counters.queries = *queries;
            snapshot.places.insert((*cpu, key(*server)), place);
        }
        snapshot.other.queries = other;
        snapshot
    }

    fn all_queries(window: &Window) -> u64 {
        let servers: u64 = window.servers.values().map(|s| s.counters.queries).sum();
        servers + window.other.queries
    }

    #[test]
    fn sums_over_cpus_and_makes_rates() {
        let then = snapshot(1, &[(0, 1, 10), (1, 1, 5)], 0);
        let now = snapshot(3, &[(0, 1, 14), (1, 1, 11)], 0);
        let window = Window::between(&then, &now);
        assert_eq!(window.servers[&key(1)].counters.queries, 10);
        assert!((window.rate(10) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_query_and_its_answer_on_two_cpus_leave_nothing_waiting_where_traffic_rests() {
        let then = snapshot(1, &[(0, 1, 10), (1, 1, 5)], 0);
        let mut now = snapshot(2, &[(0, 1, 10), (1, 1, 5)], 0);
        for (place, waiting) in now.places.values_mut().zip([14, -14]) {
            place.waiting.0[3] = waiting;
        }
        let window = Window::between(&then, &now);
        assert_eq!(window.servers[&key(1)].waiting.since(0), 0);
    }

    #[test]
    fn an_evicted_server_leaves_only_what_is_new_to_other() {
        // Server 1 had 10, got 3 more, and lost its place to server 2, which got 4.
        let then = snapshot(1, &[(0, 1, 10)], 100);
        let now = snapshot(2, &[(0, 2, 4)], 113);
        let window = Window::between(&then, &now);
        assert_eq!(window.other.queries, 3);
        assert_eq!(all_queries(&window), 7);
    }

    #[test]
    fn a_server_that_came_back_counts_from_its_return() {
        // It had 10, got 2 more, lost its place, came back and got 5.
        let then = snapshot(1, &[(0, 1, 10)], 0);
        let mut now = snapshot(2, &[(0, 1, 5)], 12);
        now.places.values_mut().for_each(|place| place.tenure += 2);
        let window = Window::between(&then, &now);
        assert_eq!(window.servers[&key(1)].counters.queries, 5);
        assert_eq!(all_queries(&window), 7);
    }

    #[test]
    fn an_eviction_that_other_has_not_yet_leaves_nothing_below_zero() {
        let then = snapshot(1, &[(0, 1, 10)], 100);
        let now = snapshot(2, &[], 100);
        assert_eq!(Window::between(&then, &now).other.queries, 0);
    }

    #[test]
    fn a_hook_that_began_anew_counts_from_there() {
        let lane = |seen| Lane {
            interface: "eth0".into(),
            direction: sensor_common::settings::Direction::Ingress,
            totals: Totals {
                seen,
                ..Zeroable::zeroed()
            },
        };
        let mut then = snapshot(1, &[], 0);
        then.lanes.push(lane(1_000));
        let mut now = snapshot(2, &[], 0);
        now.lanes.push(lane(7));
        assert_eq!(Window::between(&then, &now).totals().seen, 7);
        now.lanes[0].totals.seen = 1_007;
        assert_eq!(Window::between(&then, &now).totals().seen, 7);
    }

    #[test]
    fn a_sum_of_windows_is_the_window_over_all_of_them() {
        let ticks = [
            snapshot(0, &[], 0),
            snapshot(1, &[(0, 1, 10)], 1),
            snapshot(2, &[(0, 1, 13), (1, 2, 4)], 1),
            snapshot(3, &[(0, 1, 13), (1, 2, 9)], 6),
        ];
        let mut sum = Window::empty();
        for pair in ticks.windows(2) {
            sum.add(&Window::between(&pair[0], &pair[1]));
        }
        let whole = Window::between(&ticks[0], &ticks[3]);
        assert_eq!((sum.elapsed, sum.other), (whole.elapsed, whole.other));
        let queries = |window: &Window| -> Vec<(ServerKey, u64)> {
            let servers = window.servers.iter();
            servers.map(|(key, s)| (*key, s.counters.queries)).collect()
        };
        assert_eq!(queries(&sum), queries(&whole));
        assert_eq!(all_queries(&sum), 28);
    }

    #[test]
    fn a_sum_of_windows_knows_no_more_than_so_many_servers_and_loses_no_query() {
        let mut sum = Window::empty();
        for tick in 0..3_u32 {
            let mut window = Window::empty();
            for number in 0..SERVERS as u32 {
                let mut key = key(0);
                key.address[..4].copy_from_slice(&(tick << 24 | number).to_be_bytes());
                let mut server = ServerWindow::empty();
                server.counters.queries = 1;
                window.servers.insert(key, server);
            }
            sum.add(&window);
        }
        assert_eq!(sum.servers.len(), SERVERS);
        assert_eq!(all_queries(&sum), 3 * SERVERS as u64);
    }

    #[test]
    fn no_time_means_no_rate() {
        let at = snapshot(1, &[], 0);
        assert!(Window::between(&at, &at).rate(5).abs() < 1e-9);
    }
}
