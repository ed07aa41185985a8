//! What is kept of an incident while it goes on: as it was read, and bounded.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sensor_common::class::{ErrorKind, TcpEvent};
use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;

use super::Counts;
use super::record::{Party, Range, Summary};
use super::series::Series;
use crate::detect::history::Span;
use crate::detect::server::{NXDOMAIN, REFUSED, SERVFAIL};
use crate::host::facts::HostFacts;
use crate::measure::address::ip;
use crate::measure::clock::WallClock;
use crate::measure::samples::Names;
use crate::measure::sighting::{Role, Sighting};

/// Sampled packets from before an incident.
const PACKETS_BEFORE: usize = 64;
/// Sampled packets of an incident, those included.
const PACKETS: usize = 256;
/// Of them queries and responses: the others are for ICMP errors.
const MESSAGES: usize = 192;
/// Clients and senders that are counted.
const PARTIES: usize = 512;
/// Of those that are told.
const TOP: usize = 10;
/// Packets that are kept of all servers, for incidents to come.
const RECENT: usize = 512;

/// The last packets that were sampled, of all servers.
#[derive(Default)]
pub struct Recent {
    packets: VecDeque<(Sighting, Sample)>,
}

impl Recent {
    /// Adds one.
    pub fn add(&mut self, sighting: Sighting, sample: Sample) {
        if self.packets.len() == RECENT {
            self.packets.pop_front();
        }
        self.packets.push_back((sighting, sample));
    }

    /// Those of a server, or of all.
    fn of(&self, server: Option<ServerKey>) -> impl Iterator<Item = &(Sighting, Sample)> {
        let wanted = move |sighting: &Sighting| server.is_none_or(|s| sighting.server == s);
        self.packets.iter().filter(move |(s, _)| wanted(s))
    }
}

/// Counts of things of which only the first so many are told apart.
fn count<K: Ord>(counts: &mut Counts<K>, key: K) {
    if counts.len() < PARTIES || counts.contains_key(&key) {
        *counts.entry(key).or_default() += 1;
    }
}

/// See the module.
pub struct Evidence {
    server: Option<ServerKey>,
    /// The minute before the first sign.
    pub before: Span,
    /// From the first sign to the last.
    pub during: Span,
    /// Latency of before and during: median and 95th percentile, in seconds.
    pub latency: [Option<(f64, f64)>; 2],
    /// From a minute before the first sign on.
    pub series: Series,
    /// Sampled packets.
    pub packets: Vec<Sample>,
    /// Names in sampled queries.
    pub names: Names,
    /// Sampled queries by client.
    pub clients: Counts<ServerKey>,
    /// Sampled ICMP errors by sender and kind.
    pub senders: BTreeMap<(ServerKey, ErrorKind), u64>,
    /// Queries a second.
    pub rate: Range,
    /// Different sources a second, on the whole network.
    pub distinct_sources: Range,
    /// Different names a second, on the whole network.
    pub distinct_names: Range,
    /// The heaviest sources of the network when the rate was worst.
    pub sources: Vec<Party>,
    /// Client networks that are rejected, and how many are served.
    pub rejected: Vec<String>,
    /// See `rejected`.
    pub served: usize,
    /// Longest wait for an ICMP error.
    pub slowest_error: Option<Duration>,
    /// What the server's host says.
    pub host: Option<HostFacts>,
    /// The highest sampling shift.
    pub shift: u32,
    /// Samples lost.
    pub lost: u64,
}

impl Evidence {
    /// Begins with what is known from before.
    #[must_use]
    pub fn new(server: Option<ServerKey>, recent: &Recent, now: Duration) -> Self {
        let known: Vec<_> = recent.of(server).collect();
        let mut evidence = Self {
            server,
            before: Span::empty(now),
            during: Span::empty(now),
            latency: [None; 2],
            series: Series::default(),
            packets: Vec::new(),
            names: Names::default(),
            clients: Counts::new(),
            senders: BTreeMap::new(),
            rate: Range::default(),
            distinct_sources: Range::default(),
            distinct_names: Range::default(),
            sources: Vec::new(),
            rejected: Vec::new(),
            served: 0,
            slowest_error: None,
            host: None,
            shift: 0,
            lost: 0,
        };
        for (sighting, sample) in known
            .iter()
            .skip(known.len().saturating_sub(PACKETS_BEFORE))
        {
            evidence.add(sighting, sample);
        }
        evidence
    }

    /// Takes over what the history knows from before.
    pub fn look_back<'a>(
        &mut self,
        spans: impl Iterator<Item = &'a Span>,
        first: Duration,
        calendar: &WallClock,
    ) {
        for span in spans {
            self.series.push(calendar.ms(span.end), span);
            let side = if span.end < first {
                &mut self.before
            } else {
                &mut self.during
            };
            side.add(span);
        }
    }

    /// Adds a sampled packet, if it is of this server.
    pub fn add(&mut self, sighting: &Sighting, sample: &Sample) {
        if self.server.is_some_and(|server| sighting.server != server) {
            return;
        }
        let mut room = MESSAGES;
        match sighting.role {
            Role::Query { .. } => {
                count(&mut self.clients, sighting.client);
                self.names.add(sample);
            }
            Role::Response => {}
            Role::Error { kind, sender } => {
                count(&mut self.senders, (sender, kind));
                room = PACKETS;
            }
            Role::Backscatter => room = PACKETS,
        }
        if self.packets.len() < room {
            self.packets.push(*sample);
        }
    }

    /// The counts of one side in the form of the record.
    #[must_use]
    pub fn summary(span: &Span, latency: Option<(f64, f64)>) -> Summary {
        let counters = &span.counters;
        let transactions = &counters.transactions;
        let kinds = ErrorKind::ALL.iter();
        let icmp_errors = kinds
            .map(|kind| (kind.name().to_string(), counters.errors[kind.index()]))
            .filter(|(_, count)| *count != 0);
        let tcp = |event: TcpEvent| counters.tcp[event.index()];
        Summary {
            seconds: span.elapsed.as_secs_f64(),
            queries: counters.queries,
            responses: counters.responses,
            answered: transactions.answered,
            late: transactions.late,
            errored: transactions.errored,
            unanswered: span.unanswered,
            retransmitted: transactions.retransmitted,
            servfail: counters.rcode[SERVFAIL],
            nxdomain: counters.rcode[NXDOMAIN],
            refused: counters.rcode[REFUSED],
            truncated: counters.truncated,
            query_bytes: counters.query_bytes,
            response_bytes: counters.response_bytes,
            unmatched: transactions.unmatched,
            backscatter: counters.backscatter.iter().sum(),
            icmp_errors: icmp_errors.collect(),
            icmp_from_server: counters.errors_from_server,
            tcp: [
                tcp(TcpEvent::Syn),
                tcp(TcpEvent::SynAck),
                tcp(TcpEvent::Rst),
            ],
            p50_ms: latency.map(|(p50, _)| p50 * 1e3),
            p95_ms: latency.map(|(_, p95)| p95 * 1e3),
        }
    }

    /// The heaviest clients in the samples.
    #[must_use]
    pub fn heaviest_clients(&self) -> Vec<Party> {
        let clients = self.clients.iter();
        top(clients.map(|(client, count)| Party {
            who: ip(client).to_string(),
            count: *count,
            what: None,
        }))
    }

    /// Who sent ICMP errors.
    #[must_use]
    pub fn icmp_senders(&self) -> Vec<Party> {
        let senders = self.senders.iter();
        top(senders.map(|((sender, kind), count)| Party {
            who: ip(sender).to_string(),
            count: *count,
            what: Some(kind.name().into()),
        }))
    }

    /// Names that were asked for.
    #[must_use]
    pub fn top_names(&self) -> Vec<Party> {
        let names = self.names.names.top(TOP).into_iter();
        names
            .map(|(name, count)| Party {
                who: name.into(),
                count: count.at_most,
                what: None,
            })
            .collect()
    }
}

fn top(parties: impl Iterator<Item = Party>) -> Vec<Party> {
    let mut parties: Vec<Party> = parties.collect();
    parties.sort_by(|a, b| (b.count, &a.who).cmp(&(a.count, &b.who)));
    parties.truncate(TOP);
    parties
}
