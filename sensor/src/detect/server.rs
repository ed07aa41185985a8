//! What is kept of one server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::class::{ERROR_KINDS, ErrorKind, TcpEvent};
use sensor_common::server::ServerKey;

use super::again;
use super::baseline::{ADAPTS, Cusum, SLOW};
use super::cohort::{Asked, Clock, Cohorts};
use super::connections;
use super::crowd;
use super::history::{History, Span};
use super::interval;
use super::names::Names;
use super::pause;
use super::rcode::{NOERROR, REFUSED};
use super::reading::Reading;
use super::rule::Rule;
use super::thresholds::Thresholds;
use super::told::Told;
use super::usual::Usual;
use super::visibility::ByNetwork;
use crate::measure::dossier::Dossier;
use crate::measure::sketch::Prefix;
use crate::measure::window::{ServerWindow, Window};

/// What happened so long ago was judged healthy or not: a symptom that begins is noticed sooner.
pub const SETTLED: Duration = Duration::from_secs(6);
/// Queries after which a small part of failures has been noticed, and how long that may take at most.
const NOTICED: u64 = 150;
const MOST_LAG: Duration = Duration::from_secs(20);
/// Dossiers are learnt so often.
const DOSSIERS_EVERY: Duration = Duration::from_secs(2);
/// A tick of so long stands for several in which nothing happened.
const LONG_TICK: Duration = Duration::from_millis(500);
/// Labels of a zone, at most.
pub const ZONE_DEPTH: usize = 4;
/// Cohorts are of half so long.
const MOMENT: Duration = Duration::from_millis(500);
/// Pauses that come again within so long are a failure of their own.
const RECURS: Duration = Duration::from_secs(30);
/// Clients that were answered are remembered, so many of them.
pub const KNOWN: usize = 1_024;
/// Healthy queries after which ICMP errors of before tell nothing any more.
const HEALTHY: u64 = 5;
/// And the share of them that may fail.
const FEW: f64 = 0.2;

/// ICMP errors about queries to a server since it was last well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// By [`ErrorKind`], those whose query was seen.
    pub matched: [u64; ERROR_KINDS],
    /// And those whose query was not seen: a NAT may have left their quote as it was.
    pub unmatched: [u64; ERROR_KINDS],
    /// Those that the server's own address sent.
    pub from_server: u64,
}

impl Errors {
    /// How many of a kind.
    #[must_use]
    pub fn of(&self, kind: ErrorKind) -> u64 {
        self.matched[kind.index()] + self.unmatched[kind.index()]
    }

    /// How many of these kinds.
    #[must_use]
    pub fn sum(&self, kinds: &[ErrorKind]) -> u64 {
        kinds.iter().map(|kind| self.of(*kind)).sum()
    }
}

/// One server.
#[derive(Clone)]
pub struct ServerState {
    /// When it was first seen.
    pub begun: Duration,
    /// Its queries by the time of asking.
    pub cohorts: Cohorts,
    /// What else was counted, by the time at which it passed.
    pub history: History,
    /// What is usual.
    pub usual: Usual,
    /// Directions of its traffic.
    pub visibility: ByNetwork,
    /// Questions that it has answered.
    pub names: Names,
    /// What its clients are usually told.
    pub told: Told,
    /// Clients that it has answered, and when first.
    pub known: BTreeMap<ServerKey, Duration>,
    /// Whether a query of it was ever seen to be answered.
    pub has_answered: bool,
    /// Whether its failure was nobody's once, while it had never answered.
    pub was_minor: bool,
    /// Whether an address of this host ever asked it.
    pub asked_from_here: bool,
    /// ICMP errors about its queries since it was last well.
    pub errors: Errors,
    /// When what goes on began to fail, by the time of asking.
    pub failing_since: Option<Duration>,
    /// Queries that were asked up to then mostly failed.
    pub mostly_failed_to: Duration,
    /// When the newest pause ended that was over before it could be noticed, and whether there was one before it.
    pause: Option<(Duration, bool)>,
    /// When its queries last failed unusually often.
    pub failed_at: Option<Duration>,
    /// Ticks in which the CUSUM of the rate was above its alarm, the last one in the lowest bit.
    pub alarms: u8,
    cusum: Cusum,
    /// When a symptom was last noticed, and since when without a pause.
    noticed: Option<(Duration, Duration)>,
    /// What happened before this has been learnt, or left out.
    learnt_to: Duration,
    /// The same of failures: a small part of few queries is noticed later.
    failures_learnt_to: Duration,
    /// The same of dossiers, which are learnt now and then.
    dossiers_learnt_to: Duration,
    /// Nothing is kept of its last minutes and nothing fires: ticks in which nothing happens change nothing.
    pub(super) is_asleep: bool,
}

impl ServerState {
    /// A server that was first seen just now.
    #[must_use]
    pub fn new(begun: Duration) -> Self {
        Self {
            begun,
            cohorts: Cohorts::default(),
            history: History::new(begun),
            usual: Usual::default(),
            visibility: ByNetwork::default(),
            names: Names::default(),
            told: Told::default(),
            known: BTreeMap::new(),
            has_answered: false,
            was_minor: false,
            asked_from_here: false,
            errors: Errors::default(),
            failing_since: None,
            mostly_failed_to: Duration::ZERO,
            pause: None,
            failed_at: None,
            alarms: 0,
            cusum: Cusum::default(),
            noticed: None,
            learnt_to: begun,
            failures_learnt_to: begun,
            dossiers_learnt_to: begun,
            is_asleep: false,
        }
    }

    /// Adds a tick in which something happened.
    pub(super) fn push(&mut self, span: &Span, server: &ServerWindow, window: &Window) {
        let transactions = &span.counters.transactions;
        self.has_answered |= transactions.answered + transactions.late != 0;
        self.cohorts.add(server, window);
        self.cohorts.pass(span.end);
        self.history.push(span);
        let counters = &span.counters;
        let errors = &mut self.errors;
        for kind in 0..ERROR_KINDS {
            let matched = counters.errors_matched[kind];
            errors.matched[kind] += matched;
            errors.unmatched[kind] += counters.errors[kind].saturating_sub(matched);
        }
        errors.from_server += counters.errors_from_server;
    }

    /// Adds a tick in which nothing did.
    pub(super) fn pass(&mut self, now: Duration, elapsed: Duration) {
        self.cohorts.pass(now);
        self.history.push(&Span {
            elapsed,
            ..Span::empty(now)
        });
    }

    /// Makes up for ticks in which nothing happened, up to `now`, that were left out.
    pub(super) fn wake(&mut self, now: Duration, limits: &Thresholds) {
        self.is_asleep = false;
        let slept = now.saturating_sub(self.history.now());
        if !slept.is_zero() {
            self.pass(now, slept);
            self.follow_rate(slept, limits);
        }
    }

    /// Whether nothing rises, falls or was noticed lately: then time alone changes nothing.
    pub(super) fn is_calm(&self, now: Duration, limits: &Thresholds) -> bool {
        let noticed = |(_, until)| now.saturating_sub(until) <= SETTLED + Duration::from_secs(2);
        !self.rises() && !self.noticed.is_some_and(noticed) && !self.is_low(limits)
    }

    /// See `is_asleep`.
    pub(super) fn fall_asleep(&mut self, now: Duration, limits: &Thresholds) {
        self.is_asleep = self.alarms == 0
            && !self.history.is_recent()
            && self.cohorts.is_empty()
            && self.is_calm(now, limits);
    }

    /// Adds a dossier whose time-out has passed.
    pub(super) fn look(&mut self, dossier: &Dossier, now: Duration) {
        self.visibility.add(dossier, now);
        self.names.look(dossier, now);
        if matches!(dossier.answer(), Some(answer) if usize::from(answer.rcode) != REFUSED)
            && self.known.len() < KNOWN
        {
            self.known.entry(dossier.client).or_insert(now);
        }
    }

    /// Notes a pause that is over. One that comes again is none.
    pub(super) fn look_for_pause(&mut self, recent: &[&Dossier], now: Duration, timeout: Duration) {
        let slowest = self.usual.latency.quantile(0.95).unwrap_or(0.1);
        let slowest = Duration::from_secs_f64(slowest).min(timeout);
        let Some((from, to)) = pause::ended(recent, now, slowest, timeout) else {
            return;
        };
        let recurs = match self.pause {
            // More of it is known.
            Some((until, recurs)) if from <= until + MOMENT => recurs,
            Some((until, _)) => from <= until + RECURS,
            None => false,
        };
        if !recurs {
            self.mostly_failed_to = self.mostly_failed_to.max(to + MOMENT);
        }
        self.pause = Some((to, recurs));
    }

    /// ICMP errors of before tell nothing where the server is well again.
    pub(super) fn forget_errors(&mut self, clock: &Clock) {
        let lately = self.cohorts.enough(
            HEALTHY,
            Duration::from_secs(2),
            Duration::from_secs(130),
            clock,
        );
        if lately.decided() >= HEALTHY && share_of(&lately) < FEW {
            self.errors = Errors::default();
        }
    }

    /// Whether its rate has lately been above what is usual.
    #[must_use]
    pub fn rises(&self) -> bool {
        self.alarms & 7 != 0
    }

    /// The usual rate of queries, once it may be believed.
    #[must_use]
    pub fn usual_rate(&self, limits: &Thresholds) -> Option<f64> {
        self.usual.rate.after(limits.learning)
    }

    /// Notes a tick's verdict, and learns what happened some time before if all was well since.
    pub(super) fn learn(
        &mut self,
        now: Duration,
        elapsed: Duration,
        readings: &[Reading],
        recent: &[&Dossier],
        clock: &Clock,
        limits: &Thresholds,
    ) {
        self.follow_rate(elapsed, limits);
        let fires = |reading: &&Reading| reading.level().is_some();
        let failing = readings.iter().any(|reading| {
            reading.rule.is_failure() && reading.rule != Rule::Collapse && fires(&reading)
        });
        if readings.iter().any(|reading| fires(&reading)) {
            let since = match self.noticed {
                Some((since, until)) if now.saturating_sub(until) <= SETTLED => since,
                _ => now,
            };
            self.noticed = Some((since, now));
        }
        let adapts = !failing && self.adapts(now);
        let to = now.saturating_sub(SETTLED);
        let unhealthy = self
            .noticed
            .is_some_and(|(_, until)| until + Duration::from_secs(1) >= to)
            && !adapts;
        if unhealthy || (self.is_low(limits) && !adapts) {
            self.learnt_to = self.learnt_to.max(to);
            self.failures_learnt_to = self.failures_learnt_to.max(to);
            self.dossiers_learnt_to = self.dossiers_learnt_to.max(to);
            return;
        }
        self.learn_failures(now, clock, limits);
        if to <= self.learnt_to {
            return;
        }
        let slow = limits.slow_from(self.usual.latency.quantile(0.95));
        self.learn_between(self.learnt_to, to, adapts, recent, slow);
        self.learnt_to = to;
    }

    /// A symptom has gone on for so long that it counts as usual, unless queries fail.
    #[must_use]
    pub fn adapts(&self, now: Duration) -> bool {
        self.noticed
            .is_some_and(|(since, _)| now.saturating_sub(since) >= ADAPTS)
    }

    /// A rate that may become a collapse must not be learnt as usual before that.
    fn is_low(&self, limits: &Thresholds) -> bool {
        let usual = self.usual.rate_fast.mean();
        let lately = self.history.over(Duration::from_secs(1));
        usual >= limits.collapse_rate
            && lately.rate(lately.counters.queries) < limits.collapse_share * usual
    }

    fn follow_rate(&mut self, elapsed: Duration, limits: &Thresholds) {
        let tick = self.history.over(elapsed);
        let rate = tick.rate(tick.counters.queries);
        // Ticks that were left out because nothing happened in them.
        let ticks = elapsed.as_nanos() / LONG_TICK.as_nanos();
        let elapsed = elapsed / (2 * ticks as u32).max(1);
        for _ in 0..(2 * ticks).clamp(1, 64) {
            self.add_rate(rate, elapsed, limits);
        }
    }

    fn add_rate(&mut self, rate: f64, elapsed: Duration, limits: &Thresholds) {
        // The Poisson spread of a tick's count, where the rate has been steadier than that.
        let mean = self.usual.rate.mean();
        let least = (mean / elapsed.as_secs_f64().max(0.01)).sqrt().max(1.0);
        let spread = self.usual.rate.spread().max(least);
        let known = self.usual_rate(limits).is_some();
        let alarm = known && self.cusum.add(rate, mean, spread);
        self.alarms = self.alarms << 1 | u8::from(alarm);
    }

    fn learn_between(
        &mut self,
        from: Duration,
        to: Duration,
        adapts: bool,
        recent: &[&Dossier],
        slow: f64,
    ) {
        if to.saturating_sub(from) >= LONG_TICK {
            // Ticks were left out because nothing happened in them: a tick in which something did is one of many.
            let spans: Vec<Span> = self.history.between(from, to).collect();
            let mut at = from;
            for span in spans {
                let begun = span.end.saturating_sub(span.elapsed);
                self.learn_span(at, begun, adapts, &[]);
                at = at.max(begun);
                self.learn_span(at, span.end, adapts, &[span]);
                at = at.max(span.end);
            }
            self.learn_span(at, to, adapts, &[]);
        } else {
            let spans: Vec<Span> = self.history.between(from, to).collect();
            self.learn_span(from, to, adapts, &spans);
        }
        if to >= self.dossiers_learnt_to + DOSSIERS_EVERY {
            let begun = to.saturating_sub(MOST_LAG);
            if self.dossiers_learnt_to < begun {
                self.learn_dossiers(self.dossiers_learnt_to, begun, adapts, &[], slow);
            }
            self.learn_dossiers(self.dossiers_learnt_to.max(begun), to, adapts, recent, slow);
            self.dossiers_learnt_to = to;
        }
    }

    fn learn_span(&mut self, from: Duration, to: Duration, adapts: bool, spans: &[Span]) {
        let elapsed = to.saturating_sub(from);
        if elapsed.is_zero() {
            return;
        }
        let mut sum = Span::empty(to);
        for span in spans {
            sum.add(span);
        }
        sum.elapsed = elapsed;
        let usual = &mut self.usual;
        usual.learnt += elapsed;
        let counters = &sum.counters;
        usual.learn_rate(sum.rate(counters.queries), elapsed, false);
        let answers: u64 = counters.answers_by_rcode.iter().sum();
        for (usual, count) in usual.rcodes.iter_mut().zip(counters.answers_by_rcode) {
            usual.learn(count, answers);
        }
        let rate = |count| sum.rate(count);
        let learn = |usual: &mut super::baseline::Baseline, count| {
            usual.learn(rate(count), elapsed, SLOW, false);
        };
        learn(&mut usual.noerror, counters.answers_by_rcode[NOERROR]);
        learn(&mut usual.unmatched, counters.transactions.unmatched);
        learn(&mut usual.garbage, counters.garbage);
        let syns = counters.tcp[TcpEvent::Syn.index()];
        learn(&mut usual.syns, syns);
        let accepted = counters.tcp[TcpEvent::SynAck.index()];
        usual.truncated.learn(counters.answers_truncated, answers);
        // A server of few connections may have lost TCP without anybody having noticed it yet.
        if adapts || !connections::may_rise(&self.history, &usual.syns_failed) {
            usual.syns_failed.learn(syns.saturating_sub(accepted), syns);
        }
        let about_answers = |kind: ErrorKind| counters.backscatter[kind.index()];
        usual.answers_lost.learn(
            about_answers(ErrorKind::TooBig) + about_answers(ErrorKind::TimeExceeded),
            counters.responses,
        );
        usual
            .answers_unwanted
            .learn(about_answers(ErrorKind::Port), counters.responses);
    }

    fn learn_failures(&mut self, now: Duration, clock: &Clock, limits: &Thresholds) {
        let lately = self.history.over(SETTLED);
        let rate = lately.rate(lately.counters.queries).max(0.1);
        let lag =
            Duration::from_secs_f64(super::history::float(NOTICED) / rate).clamp(SETTLED, MOST_LAG);
        let (from, to) = (self.failures_learnt_to, now.saturating_sub(lag));
        if to <= from {
            return;
        }
        self.failures_learnt_to = to;
        // A small part of few queries may be on its way to be noticed.
        let lately = self.cohorts.enough(
            NOTICED,
            Duration::from_secs(1),
            Duration::from_mins(1),
            clock,
        );
        let (failed, decided) = (lately.failed(), lately.decided());
        let suspicious = (limits.partial_share.warning / 2.0).max(self.usual.failed.upper());
        if interval::lower_likely(failed, decided) > suspicious {
            return;
        }
        let mut asked = Asked::default();
        for cohort in self.cohorts.between(from, to) {
            asked.add(&cohort.as_of(clock.now, clock.timeout, clock.overdue));
        }
        self.usual.failed.learn(asked.failed(), asked.decided());
    }

    fn learn_dossiers(
        &mut self,
        from: Duration,
        to: Duration,
        adapts: bool,
        recent: &[&Dossier],
        slow: f64,
    ) {
        let elapsed = to.saturating_sub(from);
        let now = self.history.now();
        let usual = &mut self.usual;
        let learns_again = adapts || !again::may_rise(recent, now, &usual.asked_again);
        let mut bytes: BTreeMap<Prefix, u64> = usual.bytes.keys().map(|key| (*key, 0)).collect();
        let mut zones: BTreeMap<String, u64> =
            usual.zones.keys().map(|key| (key.clone(), 0)).collect();
        let clients: BTreeSet<_> = recent.iter().map(|dossier| dossier.client).collect();
        let is_of = |dossier: &&&Dossier| dossier.begun > from && dossier.begun <= to;
        for dossier in recent.iter().filter(is_of) {
            if let Some(latency) = dossier.latency() {
                usual.latency.learn(latency);
                let denied = self.names.is_denied(dossier);
                usual.denied.learn(u64::from(denied), 1);
                self.told.learn(dossier, latency.as_secs_f64() > slow);
            }
            if let Some(again) = again::is_again(dossier).filter(|_| learns_again) {
                usual.asked_again.learn(u64::from(again), 1);
                if again::is_large(dossier) {
                    usual.large_asked_again.learn(u64::from(again), 1);
                }
            }
            let weight = u64::from(dossier.weight);
            let answered: u64 = dossier.answers.iter().map(|a| u64::from(a.bytes)).sum();
            *bytes.entry(Prefix::network(dossier.client)).or_default() += weight * answered;
            if let Some(question) = &dossier.question {
                for labels in 1..=ZONE_DEPTH {
                    if let Some(zone) = question.zone(labels) {
                        *zones.entry(zone.into()).or_default() += weight;
                    }
                }
            }
        }
        let seconds = elapsed.as_secs_f64().max(0.001);
        let rate = |count: u64| super::history::float(count) / seconds;
        for (network, count) in bytes {
            usual.learn_bytes(network, rate(count), elapsed);
        }
        for (zone, count) in zones {
            usual.learn_zone(&zone, rate(count), elapsed);
        }
        if let Some(each) = crowd::each(recent, to) {
            usual.each.learn(each, elapsed, SLOW, false);
        }
        let clients = super::history::float(clients.len() as u64);
        usual.clients.learn(clients, elapsed, SLOW, false);
    }
}

/// The share of queries that failed.
#[must_use]
pub fn share_of(asked: &Asked) -> f64 {
    super::history::share(asked.failed(), asked.decided())
}
