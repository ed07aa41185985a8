//! Which client networks a server serves, fails or floods, from sampled packets: estimates wherever more
//! than a part of the packets is sampled.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sensor_common::class::ErrorKind;
use sensor_common::server::ServerKey;

use super::history::{float, share};
use crate::measure::sighting::{Role, Sighting};
use crate::measure::sketch::Prefix;

/// Networks that are kept of a server at once.
const NETWORKS: usize = 128;
/// Addresses that are kept of a server at once.
const ADDRESSES: usize = 256;
/// What is told is of the last one to two of these.
const PERIOD: Duration = Duration::from_secs(10);

/// Packets of one client network.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Queries in the sample.
    pub queries: u64,
    /// Of them of type ANY.
    pub any: u64,
    /// Responses in the sample.
    pub responses: u64,
    /// ICMP errors in the sample that reject: port unreachable, prohibited, host or network unreachable.
    pub errors: u64,
    /// Bytes of all its queries, estimated.
    pub query_bytes: f64,
    /// Bytes of all responses to it, estimated.
    pub response_bytes: f64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.any += other.any;
        self.responses += other.responses;
        self.errors += other.errors;
        self.query_bytes += other.query_bytes;
        self.response_bytes += other.response_bytes;
    }
}

#[derive(Clone, Default)]
struct Period {
    networks: BTreeMap<Prefix, Tally>,
    /// Queries in the sample, by address, and of all addresses.
    addresses: BTreeMap<ServerKey, u64>,
    queries: u64,
}

/// What a client network has had since its last answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Streak {
    /// Queries in the sample.
    queries: u64,
    /// ICMP errors in the sample that reject them.
    errors: u64,
    /// Responses in the sample, to any client, before the first of those errors, and before the last.
    answered_before: u64,
    answered_since: u64,
    /// When it was last seen.
    last: Duration,
}

/// The clients of one server.
#[derive(Clone, Default)]
pub struct Clients {
    now: Period,
    before: Period,
    begun: Duration,
    streaks: BTreeMap<Prefix, Streak>,
    /// Responses in the sample.
    answered: u64,
    /// The most addresses that a period had lately, and when.
    most: (usize, Duration),
    /// Ticks with ICMP errors of which the query was sampled too, and the longest wait in each.
    waits: VecDeque<(Duration, Duration)>,
    /// Queries that were sampled lately, to find theirs when an error comes.
    asked: BTreeMap<(ServerKey, u16, u16), u64>,
}

/// A network that was not seen for so long has no streak.
const FORGOTTEN: Duration = Duration::from_secs(130);
/// Streaks of errors that may be by chance are none of a rejected network.
const CHANCE: f64 = 1e-4;
/// A share of fewer queries is by chance.
const FEW: u64 = 50;
/// Ticks whose longest wait is kept.
const WAITS: usize = 64;
/// Queries that wait for an error.
const ASKED: usize = 1024;

impl Clients {
    /// Begins a new period where one is over.
    pub fn turn(&mut self, now: Duration) {
        if now.saturating_sub(self.begun) >= PERIOD {
            // After a silence both are over.
            let many = self.addresses();
            if many >= self.most.0 || now.saturating_sub(self.most.1) > FORGOTTEN {
                self.most = (many, now);
            }
            let both = now.saturating_sub(self.begun) >= 2 * PERIOD;
            self.before = std::mem::take(&mut self.now);
            if both {
                self.before = Period::default();
            }
            self.begun = now;
            let old = now.saturating_sub(FORGOTTEN);
            self.streaks.retain(|_, streak| streak.last > old);
        }
    }

    /// Adds a packet that stands for `weight` ones.
    pub fn add(&mut self, now: Duration, sighting: &Sighting, weight: f64) {
        let mut tally = Tally::default();
        let bytes = f64::from(sighting.length) * weight;
        match sighting.role {
            Role::Query { any } => {
                tally.queries = 1;
                tally.any = u64::from(any);
                tally.query_bytes = bytes;
                if self.asked.len() == ASKED {
                    self.asked.clear();
                }
                self.asked.insert(asked_by(sighting), sighting.time);
                self.count_address(sighting.client);
            }
            Role::Response => {
                tally.responses = 1;
                tally.response_bytes = bytes;
                self.asked.remove(&asked_by(sighting));
            }
            Role::Error { kind, .. } => {
                if let Some(asked) = self.asked.remove(&asked_by(sighting)) {
                    let after = Duration::from_nanos(sighting.time.saturating_sub(asked));
                    self.waited(now, after);
                }
                tally.errors = u64::from(is_rejection(kind));
            }
            Role::Backscatter => return,
        }
        self.answered += tally.responses;
        let network = Prefix::network(sighting.client);
        if self.streaks.len() < NETWORKS || self.streaks.contains_key(&network) {
            let streak = self.streaks.entry(network).or_default();
            if tally.responses != 0 {
                *streak = Streak::default();
            }
            if streak.errors == 0 {
                streak.answered_before = self.answered;
            }
            if tally.errors != 0 {
                streak.answered_since = self.answered;
            }
            streak.queries += tally.queries;
            streak.errors += tally.errors;
            streak.last = now;
        }
        let networks = &mut self.now.networks;
        let full = networks.len() == NETWORKS;
        match networks.entry(network) {
            Entry::Occupied(mut known) => known.get_mut().add(&tally),
            Entry::Vacant(new) if !full => {
                new.insert(tally);
            }
            Entry::Vacant(_) => {}
        }
    }

    fn waited(&mut self, now: Duration, after: Duration) {
        if let Some((_, longest)) = self.waits.back_mut().filter(|(at, _)| *at == now) {
            *longest = after.max(*longest);
            return;
        }
        if self.waits.len() == WAITS {
            self.waits.pop_front();
        }
        self.waits.push_back((now, after));
    }

    /// Longest time from a query to the ICMP error about it, of those that came since then and where both
    /// were sampled.
    #[must_use]
    pub fn slowest_error_since(&self, then: Duration) -> Option<Duration> {
        let waits = self.waits.iter().filter(|(at, _)| *at >= then);
        waits.map(|(_, after)| *after).max()
    }

    fn count_address(&mut self, client: ServerKey) {
        self.now.queries += 1;
        let addresses = &mut self.now.addresses;
        let full = addresses.len() == ADDRESSES;
        match addresses.entry(client) {
            Entry::Occupied(mut known) => *known.get_mut() += 1,
            Entry::Vacant(new) if !full => {
                new.insert(1);
            }
            Entry::Vacant(_) => {}
        }
    }

    /// Client networks of the last 10 to 20 seconds, at most 256.
    #[must_use]
    pub fn networks(&self) -> BTreeMap<Prefix, Tally> {
        let mut sum = self.before.networks.clone();
        for (prefix, tally) in &self.now.networks {
            sum.entry(*prefix).or_default().add(tally);
        }
        sum
    }

    /// Client networks that have had so many errors and no answer, while others have had so many answers
    /// between the first and the last of those errors. Where this share of all queries fails, so many in a
    /// row must not be by chance.
    pub fn rejected(&self, errors: u64, answers: u64, fails: f64) -> impl Iterator<Item = &Prefix> {
        let all = float(self.streaks.len() as u64);
        let by_chance = move |queries: u64| all * fails.powf(float(queries));
        self.streaks
            .iter()
            .filter(move |(_, streak)| {
                streak.errors >= errors
                    && by_chance(streak.queries) <= CHANCE
                    && streak.queries >= errors
                    && streak.answered_since - streak.answered_before >= answers
            })
            .map(|(network, _)| network)
    }

    /// Different client addresses of that time, at most 512.
    #[must_use]
    pub fn addresses(&self) -> usize {
        let new = self.now.addresses.keys();
        let new = new.filter(|address| !self.before.addresses.contains_key(address));
        new.count() + self.before.addresses.len()
    }

    /// The most different addresses that there were at once in the last two minutes.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most.0.max(self.addresses())
    }

    /// Whether an address may be among the clients of that time: it is, or there are too many to know.
    #[must_use]
    pub fn may_have(&self, client: &ServerKey) -> bool {
        [&self.now, &self.before].into_iter().any(|period| {
            period.addresses.contains_key(client) || period.addresses.len() == ADDRESSES
        })
    }

    /// An address' share of the queries of the last seconds, or of as much longer as there are few; 0 where
    /// these are few too, or it is not known among too many.
    #[must_use]
    pub fn part_of(&self, client: &ServerKey) -> f64 {
        let of = |period: &Period| period.addresses.get(client).copied().unwrap_or(0);
        let (mut some, mut all) = (of(&self.now), self.now.queries);
        if all < FEW {
            some += of(&self.before);
            all += self.before.queries;
        }
        if all < FEW { 0.0 } else { share(some, all) }
    }

    /// Keeps [`Self::most`] as it is: those who stay away now are not forgotten for that.
    pub fn keep_most(&mut self, now: Duration) {
        self.most.1 = now;
    }

    /// The only client, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<ServerKey> {
        let mut all = self
            .now
            .addresses
            .keys()
            .chain(self.before.addresses.keys());
        let first = all.next()?;
        all.all(|other| other == first).then_some(*first)
    }

    /// Seconds that the tallies are of.
    #[must_use]
    pub fn seconds(&self, now: Duration) -> f64 {
        let mut length = now.saturating_sub(self.begun);
        if !self.before.networks.is_empty() {
            length += PERIOD;
        }
        length.as_secs_f64().max(1.0)
    }
}

/// Who asked, from which port and by which id.
fn asked_by(sighting: &Sighting) -> (ServerKey, u16, u16) {
    let (port, id) = sighting.tuple;
    (sighting.client, port, id)
}

/// Whether an ICMP error says that a query was not let through or not taken.
#[must_use]
pub fn is_rejection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Port | ErrorKind::Prohibited | ErrorKind::Host | ErrorKind::Network
    )
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::measure::address::key;

    fn query(from: u8) -> Sighting {
        Sighting {
            time: 0,
            client: key(IpAddr::V4(Ipv4Addr::new(10, 0, 0, from))),
            server: key(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53))),
            tuple: (1, 1),
            length: 40,
            role: Role::Query { any: false },
        }
    }

    #[test]
    fn a_part_is_of_the_last_seconds_where_they_are_enough() {
        let mut clients = Clients::default();
        let (before, now) = (query(1), query(2));
        let at = PERIOD * 3 / 2;
        clients.turn(PERIOD);
        (0..60).for_each(|_| clients.add(at, &before, 1.0));
        clients.turn(2 * PERIOD);
        clients.add(2 * PERIOD, &now, 1.0);
        assert!(clients.part_of(&now.client) < 0.02, "one of 61");
        (1..FEW).for_each(|_| clients.add(2 * PERIOD, &now, 1.0));
        assert!(clients.part_of(&now.client) > 0.99, "all of 50");
        assert!(clients.part_of(&before.client) < 0.01);
        let mut clients = Clients::default();
        (1..FEW).for_each(|_| clients.add(PERIOD, &now, 1.0));
        assert!(clients.part_of(&now.client) < 0.01, "by chance");
    }
}
