//! What happened between two snapshots.

use std::collections::BTreeMap;
use std::time::Duration;

use bytemuck::Zeroable;
use sensor_common::server::{ServerCounters, ServerKey};
use sensor_common::totals::Totals;

use crate::counters::Counters;
use crate::snapshot::{Lane, Snapshot, sum};

/// The difference of two snapshots.
pub struct Window {
    /// Time between them.
    pub elapsed: Duration,
    /// As in the snapshots.
    pub lanes: Vec<Lane>,
    /// Servers that had any traffic, and the sender of the last ICMP error about them.
    pub servers: BTreeMap<ServerKey, ServerWindow>,
    /// Of servers that lost their places.
    pub other: ServerCounters,
    /// Servers that lost their places.
    pub evicted: u64,
}

/// One server's part of a window.
#[derive(Clone, Copy)]
pub struct ServerWindow {
    /// What was counted.
    pub counters: ServerCounters,
    /// Sender of the last ICMP error ever seen about the server.
    pub error_sender: Option<ServerKey>,
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
            evicted: now.evicted.wrapping_sub(then.evicted),
        };
        window.add_servers(then, now);
        window
    }

    fn add_servers(&mut self, then: &Snapshot, now: &Snapshot) {
        for (place, before) in &then.places {
            let kept = now
                .places
                .get(place)
                .is_some_and(|now| !now.counters.went_back(&before.counters));
            if !kept {
                // The server lost this place: all it ever counted there went to `other`, and what
                // earlier windows have reported of it does not belong to this one.
                // At least 0: an eviction during the reading may reach `other` in the next window.
                self.other = self.other.since_at_least_zero(&before.counters);
            }
        }
        for (place, now) in &now.places {
            let counters = match then.places.get(place) {
                Some(then) if !now.counters.went_back(&then.counters) => {
                    now.counters.since(&then.counters)
                }
                _ => now.counters,
            };
            if counters.is_zero() {
                continue;
            }
            let server = self.servers.entry(place.1).or_insert(ServerWindow {
                counters: Zeroable::zeroed(),
                error_sender: None,
            });
            server.counters.add(&counters);
            if now.error_sender.family != 0 {
                server.error_sender = Some(now.error_sender);
            }
        }
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
    use crate::snapshot::Place;

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
                error_sender: Zeroable::zeroed(),
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
        let now = snapshot(2, &[(0, 1, 5)], 12);
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
    fn no_time_means_no_rate() {
        let at = snapshot(1, &[], 0);
        assert!(Window::between(&at, &at).rate(5).abs() < 1e-9);
    }
}
