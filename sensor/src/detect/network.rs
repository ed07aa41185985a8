//! What is kept of the network as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::baseline::{Baseline, SLOW};
use super::clients::Clients;
use super::history::{History, Span, float, share};
use super::{Observation, Place, Reading, Rule, ServerState, Subject, Thresholds};
use crate::measure::counters::Counters;
use crate::measure::sighting::{Role, Sighting};
use crate::measure::sketch::{Heavy, Prefix};
use crate::measure::window::Sources;

/// Client networks of which an answer was seen.
const SERVED: usize = 1024;
/// Sources whose usual rate is known.
const KNOWN: usize = 256;
/// A source that was not among the heaviest for so long is no longer known.
const UNSEEN: Duration = Duration::from_mins(10);

/// The network that is watched.
pub struct Network {
    /// Of all servers together.
    pub history: History,
    /// Sources of the last seconds, and how many seconds.
    pub sources: Option<(Sources, Duration)>,
    /// Different sources a second, in the last second that is known.
    pub distinct_sources: f64,
    /// Queries for each of them.
    pub queries_a_source: f64,
    /// Different names a second, likewise.
    pub distinct_names: f64,
    /// What is usual of those.
    pub usual_sources: Baseline,
    /// See `usual_sources`.
    pub usual_names: Baseline,
    known: BTreeMap<ServerKey, (Baseline, Duration)>,
    /// For how long, and when last, the heaviest sources were read.
    known_for: Duration,
    known_at: Option<Duration>,
    served: BTreeSet<Prefix>,
    /// Queries, and time, since the last second that is known.
    queries: u64,
    passed: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            history: History::new(Duration::ZERO),
            sources: None,
            distinct_sources: 0.0,
            queries_a_source: 0.0,
            distinct_names: 0.0,
            usual_sources: Baseline::default(),
            usual_names: Baseline::default(),
            known: BTreeMap::new(),
            known_for: Duration::ZERO,
            known_at: None,
            served: BTreeSet::new(),
            queries: 0,
            passed: Duration::ZERO,
        }
    }
}

impl Network {
    pub(super) fn observe(
        &mut self,
        seen: &Observation<'_>,
        place: &Place,
        limits: &Thresholds,
        readings: &BTreeMap<Subject, Vec<Reading>>,
        rises: bool,
    ) {
        let window = seen.window;
        let mut sum = Span {
            end: seen.now,
            elapsed: window.elapsed,
            counters: window.other,
            unanswered: window.unanswered(),
        };
        for server in window.servers.values() {
            sum.counters.add(&server.counters);
        }
        self.queries += sum.counters.queries;
        self.passed += window.elapsed;
        self.history.push(sum);
        let fires = |rules: &[Rule]| {
            let fires =
                |reading: &Reading| rules.contains(&reading.rule) && reading.level().is_some();
            readings.values().flatten().any(fires)
        };
        if window.sources.distinct != 0 || window.names != 0 {
            let seconds = self.passed.as_secs_f64().max(0.001);
            self.distinct_sources = float(window.sources.distinct) / seconds.max(1.0);
            self.distinct_names = float(window.names) / seconds.max(1.0);
            self.queries_a_source = share(self.queries, window.sources.distinct);
            let flood = rises || fires(&[Rule::QueryFlood, Rule::Spoofed, Rule::OneSource]);
            let names = flood || fires(&[Rule::RandomNames]);
            let passed = self.passed;
            self.usual_sources
                .learn(self.distinct_sources, passed, SLOW, flood);
            self.usual_names
                .learn(self.distinct_names, passed, SLOW, names);
            (self.queries, self.passed) = (0, Duration::ZERO);
        }
        if let Some((sources, elapsed)) = seen.sources {
            self.sources = Some((sources.clone(), elapsed));
            let flood = fires(&[Rule::OneSource, Rule::QueryFlood]);
            self.know(seen.now, place, flood, limits);
        }
    }

    /// Learns what the heaviest sources usually ask.
    fn know(&mut self, now: Duration, place: &Place, flood: bool, limits: &Thresholds) {
        let Some((sources, elapsed)) = &self.sources else {
            return;
        };
        // Readings may lie more than a second apart.
        let passed = self
            .known_at
            .map_or(*elapsed, |last| now.saturating_sub(last));
        self.known_at = Some(now);
        self.known_for += passed;
        let seconds = elapsed.as_secs_f64().max(0.001);
        for heavy in &sources.addresses {
            let address = heavy.source.address;
            if place.is_trusted(&address)
                || (self.known.len() == KNOWN && !self.known.contains_key(&address))
            {
                continue;
            }
            let (baseline, seen) = self.known.entry(address).or_default();
            let rate = float(heavy.at_least) / seconds;
            // What is far above its own usual rate is on its way to be a sign.
            let rises = baseline
                .after(limits.learning)
                .is_some_and(|usual| rate > limits.flood_rise.warning * usual);
            baseline.learn(rate, passed, SLOW, flood || rises);
            *seen = now;
        }
        let old = now.saturating_sub(UNSEEN);
        self.known.retain(|_, (_, seen)| *seen >= old);
    }

    /// The usual rate of a source: 0 where it was never among the heaviest, `None` before that is known.
    #[must_use]
    pub fn usual_of(&self, source: &ServerKey, limits: &Thresholds) -> Option<f64> {
        if self.known_for < limits.learning {
            return None;
        }
        let known = self.known.get(source);
        Some(known.map_or(0.0, |(baseline, _)| {
            baseline.after(limits.learning).unwrap_or(0.0)
        }))
    }

    /// The heaviest source that is not trusted, its queries a second, and its share of all.
    #[must_use]
    pub fn heaviest(&self, place: &Place) -> Option<(Heavy, f64, f64)> {
        let (sources, elapsed) = self.sources.as_ref()?;
        let heavy = sources
            .addresses
            .iter()
            .find(|heavy| !place.is_trusted(&heavy.source.address))?;
        let rate = float(heavy.at_least) / elapsed.as_secs_f64().max(0.001);
        Some((*heavy, rate, share(heavy.at_least, sources.queries)))
    }

    /// Queries a second of a source other than the heaviest, in the mean.
    #[must_use]
    pub fn mean_of_others(&self) -> f64 {
        let Some((sources, elapsed)) = &self.sources else {
            return 0.0;
        };
        let heaviest = sources.addresses.first();
        let rest = sources.queries - heaviest.map_or(0, |heavy| heavy.at_least);
        let others = float(sources.distinct.saturating_sub(1)).max(1.0);
        float(rest) / others / elapsed.as_secs_f64().max(0.001)
    }

    /// A client network to which an answer was sent.
    pub(super) fn served(&mut self, sighting: &Sighting) {
        if sighting.role == Role::Response && self.served.len() < SERVED {
            self.served.insert(Prefix::network(sighting.client));
        }
    }

    /// Whether answers of any server to the clients of one were seen: then its own would be seen too.
    #[must_use]
    pub fn serves_clients_of(&self, clients: &Clients) -> bool {
        let mut networks = clients.networks().into_keys();
        networks.any(|network| self.served.contains(&network))
    }

    /// A server's share of all queries of the last `length`, which its span is of too.
    #[must_use]
    pub fn share(&self, span: &Span, length: Duration) -> f64 {
        let all = self.history.over(length);
        share(span.counters.queries, all.counters.queries)
    }
}

/// What is asked in vain.
#[derive(Default)]
pub struct Vain {
    /// Servers that a stranger scans, by that stranger.
    pub scans: BTreeMap<ServerKey, BTreeSet<ServerKey>>,
    /// Servers that never answered, of whose queries none was sampled, while there is a scan: a scan comes in
    /// bursts, of which not all is sampled.
    pub unseen: BTreeSet<ServerKey>,
    /// Servers that were scanned lately: what failed then is still looked back on.
    lately: BTreeSet<ServerKey>,
    /// Servers that one of our own sources asks in vain: a resolver always knows some that are gone.
    own: BTreeSet<ServerKey>,
    /// Most of all that is asked fails, scans apart.
    pub all: bool,
}

impl Vain {
    /// Whether a stranger scans a server, and nobody else asks it.
    #[must_use]
    pub fn is_scanned(&self, server: &ServerKey) -> bool {
        self.lately.contains(server)
            || self.unseen.contains(server)
            || self.scans.values().any(|servers| servers.contains(server))
    }

    /// Whether a server does not answer, and that says nothing of it.
    #[must_use]
    pub fn has(&self, server: &ServerKey) -> bool {
        self.is_scanned(server) || (self.own.contains(server) && !self.all)
    }
}

/// How far back is looked for failures of the whole network.
const LATELY: Duration = Duration::from_secs(10);

/// Finds servers that never answered and that one source alone asks, where that one has many such.
pub(super) fn in_vain(
    servers: &BTreeMap<ServerKey, ServerState>,
    place: &Place,
    limits: &Thresholds,
    now: Duration,
) -> Vain {
    let mut vain = Vain::default();
    for (server, state) in servers {
        if state.has_answered {
            continue;
        }
        let lately = |at: Duration| now.saturating_sub(at) <= limits.failed_back + LATELY;
        if state.scanned_at.is_some_and(lately) && state.clients.addresses() < 2 {
            vain.lately.insert(*server);
        }
        if state.clients.addresses() == 0 {
            vain.unseen.insert(*server);
        }
        if let Some(source) = state.clients.only() {
            vain.scans.entry(source).or_default().insert(*server);
        }
    }
    vain.scans
        .retain(|_, servers| servers.len() >= limits.scan_destinations);
    vain.scans.retain(|source, servers| {
        let own = place.is_trusted(source);
        if own {
            vain.own.append(servers);
        }
        !own
    });
    if vain.scans.is_empty() {
        vain.unseen.clear();
    }
    let (mut failed, mut decided) = (0, 0);
    for (server, state) in servers {
        if vain.is_scanned(server) {
            continue;
        }
        for span in state.history.spans(LATELY) {
            failed += span.failed();
            decided += span.decided();
        }
    }
    vain.all =
        decided >= limits.partial_queries && share(failed, decided) >= limits.failed_share.warning;
    vain
}
