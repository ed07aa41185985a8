//! What is kept of the network as a whole: how much is asked, and by whom.

use std::collections::BTreeMap;
use std::time::Duration;

use sensor_common::class::Class;
use sensor_common::server::ServerKey;

use super::baseline::{Baseline, SLOW, Settling};
use super::history::{History, Span, float, share};
use super::observation::Observation;
use super::rule::Rule;
use super::server::{SETTLED, ServerState};
use super::thresholds::Thresholds;
use crate::measure::counters::Counters;
use crate::measure::sketch::Heavy;
use crate::measure::window::{Sources, Window};

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
    pub usual_sources: Settling,
    /// See `usual_sources`.
    pub usual_names: Settling,
    known: BTreeMap<ServerKey, (Baseline, Duration)>,
    /// For how long, and when last, the heaviest sources were read.
    known_for: Duration,
    known_at: Option<Duration>,
    /// Later fragments of IP packets in the last second, and what is usual.
    pub fragments: Fragments,
    /// Answers a second of each server.
    answers: BTreeMap<ServerKey, f64>,
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
            usual_sources: Settling::default(),
            usual_names: Settling::default(),
            known: BTreeMap::new(),
            known_for: Duration::ZERO,
            known_at: None,
            fragments: Fragments::default(),
            answers: BTreeMap::new(),
            queries: 0,
            passed: Duration::ZERO,
        }
    }
}

impl Network {
    pub(super) fn observe(
        &mut self,
        seen: &Observation<'_>,
        limits: &Thresholds,
        fires: impl Fn(&[Rule]) -> bool,
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
        self.history.push(&sum);
        self.fragments.observe(window);
        if window.sources.distinct != 0 || window.names != 0 {
            let seconds = self.passed.as_secs_f64().max(0.001);
            self.distinct_sources = float(window.sources.distinct) / seconds.max(1.0);
            self.distinct_names = float(window.names) / seconds.max(1.0);
            self.queries_a_source = share(self.queries, window.sources.distinct);
            let flood = rises || fires(&[Rule::QueryFlood, Rule::Spoofed, Rule::OneSource]);
            let names = flood || fires(&[Rule::RandomNames]);
            let passed = self.passed;
            let (now, lag) = (seen.now, SETTLED);
            self.usual_sources
                .learn(now, self.distinct_sources, passed, lag, flood);
            self.usual_names
                .learn(now, self.distinct_names, passed, lag, names);
            (self.queries, self.passed) = (0, Duration::ZERO);
        }
        if let Some((sources, elapsed)) = seen.sources {
            self.sources = Some((sources.clone(), elapsed));
            let flood = fires(&[Rule::OneSource, Rule::QueryFlood]);
            self.know(seen.now, flood, limits);
        }
    }

    /// Packets of all servers in the last `length`.
    pub(super) fn packets(&self, length: Duration) -> u64 {
        let lately = self.history.over(length).counters;
        let errors: u64 = lately.errors.iter().sum();
        let tcp: u64 = lately.tcp.iter().sum();
        lately.queries + lately.responses + errors + tcp + lately.garbage
    }

    /// Learns what the heaviest sources usually ask.
    fn know(&mut self, now: Duration, flood: bool, limits: &Thresholds) {
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
            if self.known.len() == KNOWN && !self.known.contains_key(&address) {
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

    /// The heaviest source, its queries a second, and its share of all.
    #[must_use]
    pub fn heaviest(&self) -> Option<(Heavy, f64, f64)> {
        let (sources, elapsed) = self.sources.as_ref()?;
        let heavy = sources.addresses.first()?;
        let rate = float(heavy.at_least) / elapsed.as_secs_f64().max(0.001);
        Some((*heavy, rate, share(heavy.at_least, sources.queries)))
    }

    /// Notes how many answers a second these servers give. Of those that are followed no longer nothing is known.
    pub(super) fn set_answers(
        &mut self,
        rates: Vec<(ServerKey, f64)>,
        followed: &BTreeMap<ServerKey, ServerState>,
    ) {
        self.answers.extend(rates);
        if self.answers.len() > followed.len() {
            self.answers
                .retain(|server, _| followed.contains_key(server));
        }
    }

    /// Answers a second that an address gives itself: lately, or usually where it fails now.
    #[must_use]
    pub fn answers_of(&self, address: &ServerKey) -> f64 {
        self.answers.get(address).copied().unwrap_or(0.0)
    }

    /// A server's share of all queries of the last `length`, which its span is of too.
    #[must_use]
    pub fn share(&self, span: &Span, length: Duration) -> f64 {
        let all = self.history.count(length, |counters| counters.queries);
        share(span.counters.queries, all)
    }
}

/// First fragments of DNS messages, and later fragments, which have no ports: whether the one brings the other.
#[derive(Clone, Debug, Default)]
pub struct Fragments {
    ticks: std::collections::VecDeque<(u64, u64, Duration)>,
    /// Later fragments for each first one.
    pub usual_rest: Baseline,
    /// Later fragments a second.
    pub usual_rate: Baseline,
}

/// Ticks that they are counted over: about ten seconds.
const FRAGMENT_TICKS: usize = 40;
const FRAGMENT_TIME: Duration = Duration::from_secs(10);
/// A tick beside which this is longer than two.
const LONG_TICK: Duration = Duration::from_millis(600);

impl Fragments {
    fn observe(&mut self, window: &Window) {
        let totals = window.totals();
        let later = totals.classes[Class::Fragment.index()];
        let mut kept: Duration = self.ticks.iter().map(|(_, _, elapsed)| *elapsed).sum();
        kept += window.elapsed;
        // Ticks in which nothing happened may be one long tick.
        while let Some((_, _, elapsed)) = self.ticks.front()
            && (self.ticks.len() >= FRAGMENT_TICKS
                || (*elapsed + window.elapsed > LONG_TICK && kept >= FRAGMENT_TIME + *elapsed))
            && let Some((first, later, elapsed)) = self.ticks.pop_front()
        {
            kept -= elapsed;
            self.usual_rate.learn(
                float(later) / elapsed.as_secs_f64().max(0.01),
                elapsed,
                SLOW,
                false,
            );
            if first != 0 {
                self.usual_rest
                    .learn(share(later, first), elapsed, SLOW, false);
            }
        }
        self.ticks
            .push_back((totals.first_fragment, later, window.elapsed));
    }

    /// First and later fragments of the last seconds, and how long those are.
    #[must_use]
    pub fn lately(&self) -> (u64, u64, Duration) {
        self.over(FRAGMENT_TICKS)
    }

    /// The same of the last second.
    #[must_use]
    pub fn newest(&self) -> (u64, u64, Duration) {
        self.over(4)
    }

    fn over(&self, ticks: usize) -> (u64, u64, Duration) {
        let mut sum = (0, 0, Duration::ZERO);
        for (first, later, elapsed) in self.ticks.iter().rev().take(ticks) {
            sum.0 += first;
            sum.1 += later;
            sum.2 += *elapsed;
        }
        sum
    }
}
