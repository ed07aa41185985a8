//! What a host said in the time of an incident, about one server.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cgroups::Cgroups;
use super::counters::Counters;
use super::dropped::{DropKind, Dropped};
use super::events::event::Event;
use super::moment::Moment;
use super::sockets::Sockets;
use super::totals::HostTotals;

/// Moments that are kept for incidents to come: half a minute where they come twice a second.
const KEPT: usize = 60;
/// What changed so long before the onset, or so long behind it, may have brought it about.
const BEFORE: Duration = Duration::from_secs(5);
const BEHIND: Duration = Duration::from_secs(2);
/// Kinds of drops of a server that are told apart.
const KINDS: usize = 32;

/// What the host says at one time.
#[derive(Clone, Debug, Default)]
pub struct HostReading {
    /// What grew since the last reading, and how long ago that was read.
    pub moments: Vec<(Duration, Moment)>,
    /// Sockets on the DNS ports, where they were looked at.
    pub sockets: Option<Sockets>,
    /// Entries of the connection tracking table, and how many there may be.
    pub conntrack: Option<[u64; 2]>,
    /// Names of the cgroups, where they were looked at.
    pub cgroups: Option<Cgroups>,
    /// What changed in links, addresses and routes, and how long ago.
    pub events: Vec<(Duration, Event)>,
    /// Changes that are not known, because there were too many, since the last reading.
    pub events_missed: u64,
}

/// The last moments.
#[derive(Debug, Default)]
pub struct HostLog {
    /// With the time of their end.
    moments: VecDeque<(Duration, Moment)>,
    conntrack: Option<[u64; 2]>,
    cgroups: Cgroups,
    /// With the time of each.
    events: VecDeque<(Duration, Event)>,
    totals: Option<HostTotals>,
}

impl HostLog {
    /// Takes what was read at `now`.
    pub fn add(&mut self, now: Duration, reading: &HostReading) {
        for (ago, moment) in &reading.moments {
            if self.moments.len() == KEPT {
                self.moments.pop_front();
            }
            self.totals.get_or_insert_default().add(moment);
            let at = now.saturating_sub(*ago);
            self.moments.push_back((at, moment.clone()));
        }
        self.totals.get_or_insert_default().events_missed += reading.events_missed;
        for (ago, event) in &reading.events {
            if self.events.len() == KEPT {
                self.events.pop_front();
            }
            self.events
                .push_back((now.saturating_sub(*ago), event.clone()));
        }
        self.conntrack = reading.conntrack.or(self.conntrack);
        if let Some(cgroups) = &reading.cgroups {
            self.cgroups.clone_from(cgroups);
        }
    }

    /// All of it since the session began; none where the host is not read.
    #[must_use]
    pub fn totals(&self) -> Option<&HostTotals> {
        self.totals.as_ref()
    }

    /// What a cgroup is called, as far as that is known.
    #[must_use]
    pub fn cgroup(&self, id: u64) -> Option<&str> {
        self.cgroups.get(&id).map(String::as_str)
    }
}

/// What the host says of the server of an incident. Counts are from the onset on, less what was usual before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// A socket was bound to the server's address, or to all, and the DNS port (UDP) at each reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_bound: Option<bool>,
    /// The same for TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_bound: Option<bool>,
    /// Bytes that waited in those sockets to be read: the least of all readings.
    #[serde(default)]
    pub queued: u64,
    /// Datagrams that those UDP sockets had no room for, since the first reading.
    pub socket_drops: u64,
    /// Of the network stack.
    #[serde(flatten)]
    pub counters: Counters,
    /// DNS packets to or from the server that the kernel dropped, the most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drops: Vec<Dropped>,
    /// Drops were counted from before the onset on, and each was read: what is not here was not dropped.
    #[serde(default)]
    pub all_drops: bool,
    /// Dropped packets that were too many to be read.
    #[serde(default)]
    pub unparsed: u64,
    /// Milliseconds in which no drops were counted, because there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub paused_ms: u64,
    /// Entries of the connection tracking table, and how many there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conntrack: Option<[u64; 2]>,
    /// What changed in links, addresses and routes shortly before the onset, and concerns the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventSeen>,
    /// Seconds that were read.
    pub seconds: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A change, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSeen {
    /// Milliseconds before the onset; 0 behind it, which is known to a second.
    pub before_ms: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

impl HostFacts {
    /// Whether it is worth a word where the server is elsewhere.
    #[must_use]
    pub fn concerns(&self) -> bool {
        !self.drops.is_empty()
            || !self.events.is_empty()
            || self.counters.no_routes != 0
            || self.counters.conntrack_drops != 0
            || self.counters.conntrack_insert_failed != 0
    }
}

/// Adds up.
#[derive(Debug)]
pub struct HostSum {
    server: IpAddr,
    /// Moments up to then are in it.
    to: Duration,
    length: Duration,
    counters: Counters,
    kinds: BTreeMap<DropKind, u64>,
    unparsed: u64,
    paused: Duration,
    all_drops: bool,
    /// In the time before the onset.
    before: Duration,
    usual: Counters,
    usual_kinds: BTreeMap<DropKind, u64>,
    sockets: Option<SocketSum>,
    conntrack: Option<[u64; 2]>,
    onset: Duration,
    events: Vec<EventSeen>,
}

/// Of the sockets, from the first reading in the incident on.
#[derive(Debug)]
struct SocketSum {
    udp_bound: Option<bool>,
    tcp_bound: Option<bool>,
    queued: u64,
    first_drops: u64,
    drops: u64,
}

impl HostSum {
    /// Of an incident that began at `onset`.
    #[must_use]
    pub fn new(server: IpAddr, onset: Duration, log: &HostLog) -> Self {
        let mut sum = Self {
            server,
            to: onset,
            length: Duration::ZERO,
            counters: Counters::default(),
            kinds: BTreeMap::new(),
            unparsed: 0,
            paused: Duration::ZERO,
            all_drops: false,
            before: Duration::ZERO,
            usual: Counters::default(),
            usual_kinds: BTreeMap::new(),
            sockets: None,
            conntrack: None,
            onset,
            events: Vec::new(),
        };
        for (_, moment) in log.moments.iter().filter(|(at, _)| *at <= onset) {
            sum.before += moment.length;
            sum.usual += moment.counters;
            sum.all_drops = moment.drops.is_some();
            of_server(server, moment, &mut sum.usual_kinds);
        }
        sum
    }

    /// Adds what is new; where it does not count, since nothing fails now, that it is not new any more.
    pub fn add(&mut self, log: &HostLog, sockets: Option<&Sockets>, counts: bool) {
        for (at, moment) in &log.moments {
            if *at <= self.to {
                continue;
            }
            self.to = *at;
            if counts {
                self.length += moment.length;
                self.counters += moment.counters;
                self.unparsed += moment.unparsed;
                self.paused += moment.paused;
                self.all_drops &=
                    moment.drops.is_some() && moment.unparsed == 0 && moment.paused.is_zero();
                of_server(self.server, moment, &mut self.kinds);
            }
        }
        self.add_events(log);
        self.conntrack = log.conntrack.or(self.conntrack);
        if let Some(sockets) = sockets.filter(|_| counts) {
            self.look(sockets);
        }
    }

    /// That nothing listened is remembered: a service that was started again was down.
    fn look(&mut self, sockets: &Sockets) {
        let now = sockets.about(self.server);
        let sum = self.sockets.get_or_insert(SocketSum {
            udp_bound: now.udp_bound,
            tcp_bound: now.tcp_bound,
            queued: now.queued,
            first_drops: now.drops,
            drops: now.drops,
        });
        let both = |then: Option<bool>, now: Option<bool>| match (then, now) {
            (Some(then), Some(now)) => Some(then && now),
            (then, now) => then.or(now),
        };
        sum.udp_bound = both(sum.udp_bound, now.udp_bound);
        sum.tcp_bound = both(sum.tcp_bound, now.tcp_bound);
        sum.queued = sum.queued.min(now.queued);
        // A socket that was opened since begins at 0.
        sum.drops = sum.drops.max(now.drops);
    }

    fn add_events(&mut self, log: &HostLog) {
        let from = self.onset.saturating_sub(BEFORE);
        let to = self.onset + BEHIND;
        for (at, event) in &log.events {
            if (from..=to).contains(at) && event.concerns(self.server) {
                let before = self.onset.saturating_sub(*at);
                let seen = EventSeen {
                    before_ms: u64::try_from(before.as_millis()).unwrap_or(u64::MAX),
                    event: event.clone(),
                };
                if !self.events.contains(&seen) {
                    self.events.push(seen);
                }
            }
        }
    }

    /// What it all says.
    #[must_use]
    pub fn facts(&self) -> HostFacts {
        let factor = if self.before.is_zero() {
            0.0
        } else {
            self.length.as_secs_f64() / self.before.as_secs_f64()
        };
        let mut drops: Vec<Dropped> = self
            .kinds
            .iter()
            .filter_map(|(kind, packets)| {
                let usual = self.usual_kinds.get(kind).copied().unwrap_or(0);
                let packets = packets.saturating_sub(times(usual, factor));
                (packets != 0).then(|| Dropped {
                    packets,
                    kind: kind.clone(),
                })
            })
            .collect();
        drops.sort_by_key(|dropped| std::cmp::Reverse(dropped.packets));
        let sockets = self.sockets.as_ref();
        HostFacts {
            udp_bound: sockets.and_then(|sockets| sockets.udp_bound),
            tcp_bound: sockets.and_then(|sockets| sockets.tcp_bound),
            queued: sockets.map_or(0, |sockets| sockets.queued),
            socket_drops: sockets.map_or(0, |sockets| sockets.drops - sockets.first_drops),
            counters: self.counters - self.usual.times(factor),
            drops,
            all_drops: self.all_drops,
            unparsed: self.unparsed,
            paused_ms: u64::try_from(self.paused.as_millis()).unwrap_or(u64::MAX),
            conntrack: self.conntrack,
            events: self.events.clone(),
            seconds: self.length.as_secs(),
        }
    }
}

fn times(count: u64, factor: f64) -> u64 {
    let counters = Counters {
        no_ports: count,
        ..Counters::default()
    };
    counters.times(factor).no_ports
}

fn of_server(server: IpAddr, moment: &Moment, kinds: &mut BTreeMap<DropKind, u64>) {
    for (dropped, packets) in moment.drops.iter().flatten() {
        let known = kinds.len() < KINDS || kinds.contains_key(&dropped.kind);
        if dropped.server == server && known {
            *kinds.entry(dropped.kind.clone()).or_default() += packets;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dropped::{Drop, Stage, Way};
    use super::super::sockets::Socket;
    use super::*;

    const SERVER: &str = "192.0.2.53";

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn filtered(server: &str) -> Drop {
        Drop {
            server: ip(server),
            kind: DropKind {
                reason: "NETFILTER_DROP".into(),
                stage: Stage::Input,
                way: Way::ToServer,
                tcp: false,
                namespace: None,
                interface: None,
            },
        }
    }

    /// Half a second in which so many packets of each server were dropped.
    fn moment(drops: &[(&str, u64)], no_ports: u64) -> Moment {
        let drops = drops.iter().map(|(server, many)| (filtered(server), *many));
        Moment {
            length: Duration::from_millis(500),
            counters: Counters {
                no_ports,
                ..Counters::default()
            },
            drops: Some(drops.collect()),
            ..Moment::default()
        }
    }

    fn log(moments: impl IntoIterator<Item = Moment>) -> HostLog {
        let mut log = HostLog::default();
        for (number, moment) in (1..).zip(moments) {
            let reading = HostReading {
                moments: vec![(Duration::ZERO, moment)],
                ..HostReading::default()
            };
            log.add(Duration::from_millis(500 * number), &reading);
        }
        log
    }

    #[test]
    fn what_was_usual_before_the_onset_is_no_part_of_the_incident() {
        let usual = (0..8).map(|_| moment(&[(SERVER, 2)], 10));
        let worse = (0..4).map(|_| moment(&[(SERVER, 22), ("192.0.2.54", 9)], 15));
        let log = log(usual.chain(worse));
        let mut sum = HostSum::new(ip(SERVER), Duration::from_secs(4), &log);
        sum.add(&log, None, true);
        let facts = sum.facts();
        assert_eq!(facts.drops.len(), 1);
        assert_eq!(facts.drops[0].packets, 80);
        assert_eq!(facts.counters.no_ports, 20);
        assert_eq!(facts.seconds, 2);
        assert!(facts.all_drops);
        // The same again is not new.
        sum.add(&log, None, true);
        assert_eq!(sum.facts(), facts);
    }

    #[test]
    fn drops_are_all_known_only_if_they_were_counted_before_the_onset_and_each_was_read() {
        let begun = log([moment(&[], 0), moment(&[], 0)]);
        let from = |onset: u64| {
            let mut sum = HostSum::new(ip(SERVER), Duration::from_millis(onset), &begun);
            sum.add(&begun, None, true);
            sum.facts().all_drops
        };
        assert!(from(500));
        assert!(!from(499));
        let mut too_many = moment(&[], 0);
        too_many.unparsed = 1;
        let log = log([moment(&[], 0), too_many]);
        let mut sum = HostSum::new(ip(SERVER), Duration::from_millis(500), &log);
        sum.add(&log, None, true);
        assert_eq!((sum.facts().all_drops, sum.facts().unparsed), (false, 1));
    }

    #[test]
    fn what_comes_while_nothing_fails_is_not_counted_later() {
        let log = log([moment(&[], 0), moment(&[(SERVER, 5)], 0)]);
        let mut sum = HostSum::new(ip(SERVER), Duration::from_millis(500), &log);
        sum.add(&log, None, false);
        sum.add(&log, None, true);
        assert!(sum.facts().drops.is_empty());
    }

    #[test]
    fn a_service_that_was_down_once_was_down() {
        let log = log([]);
        let mut sum = HostSum::new(ip(SERVER), Duration::ZERO, &log);
        let sockets = |udp: Vec<Socket>| Sockets {
            udp: Some(udp),
            tcp: None,
        };
        let open = |queued, drops| Socket {
            address: ip("0.0.0.0"),
            queued,
            drops,
        };
        sum.add(&log, Some(&sockets(vec![open(900, 3)])), true);
        assert_eq!(sum.facts().udp_bound, Some(true));
        sum.add(&log, Some(&sockets(Vec::new())), true);
        sum.add(&log, Some(&sockets(vec![open(700, 8)])), true);
        let facts = sum.facts();
        assert_eq!((facts.udp_bound, facts.tcp_bound), (Some(false), None));
        assert_eq!((facts.queued, facts.socket_drops), (0, 5));
    }
}
