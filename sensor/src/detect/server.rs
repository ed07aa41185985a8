//! What is kept of one server.

use std::collections::BTreeSet;
use std::time::Duration;

use sensor_common::class::{ERROR_KINDS, ErrorKind};

use super::baseline::{Baseline, Cusum, FAST, SLOW};
use super::clients::Clients;
use super::history::{History, KEPT, Span, share};
use super::{Reading, Rule, State, Thresholds};
use crate::measure::latency::Latency;
use crate::measure::reading::Waiting;
use crate::measure::sketch::Prefix;
use crate::measure::window::ServerWindow;

/// RCODE of SERVFAIL (RFC 1035, 4.1.1).
pub const SERVFAIL: usize = 2;
/// RCODE of NXDOMAIN.
pub const NXDOMAIN: usize = 3;
/// RCODE of REFUSED.
pub const REFUSED: usize = 5;

/// The rules about rcodes look back so far.
const MINUTE: Duration = Duration::from_mins(1);
/// An outage that began so long ago has become a sign.
const SETTLED: Duration = Duration::from_secs(12);
/// Queries of which a share is more than chance.
const ENOUGH: u64 = 10;
/// The longest time-out, and a second.
const FIRST: Duration = Duration::from_secs(6);
/// A reading of latency is made of so many answers, or of so long.
const ANSWERS: u64 = 20;
const LONGEST: Duration = Duration::from_secs(10);

/// What is usual for a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usual {
    /// Queries a second, over seconds.
    pub rate_fast: Baseline,
    /// Queries a second, over an hour.
    pub rate: Baseline,
    /// Answers a second, in time or late.
    pub answers: Baseline,
    /// 95th percentile of latency, in seconds.
    pub p95: Baseline,
    /// 99th percentile.
    pub p99: Baseline,
    /// Share of SERVFAIL.
    pub servfail: Baseline,
    /// Share of REFUSED.
    pub refused: Baseline,
    /// Share of NXDOMAIN.
    pub nxdomain: Baseline,
}

/// A reading of latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sees {
    /// When it was made.
    pub at: Duration,
    /// Median, in seconds.
    pub p50: f64,
    /// 95th percentile, in seconds.
    pub p95: f64,
    /// That of the reading before; 0 if there was none.
    pub p95_before: f64,
    /// 99th percentile, in seconds.
    pub p99: f64,
    /// Answers that it is made of.
    pub answers: u64,
}

/// One server.
#[derive(Clone)]
pub struct ServerState {
    /// Its last two minutes.
    pub history: History,
    /// Queries without an answer yet, by age.
    pub waiting: Waiting,
    /// Its clients.
    pub clients: Clients,
    /// What is usual.
    pub usual: Usual,
    /// The last reading of its latency.
    pub latency: Option<Sees>,
    /// Whether a response of it was ever seen.
    pub has_answered: bool,
    /// Whether an ICMP error about a query that was seen ever was.
    pub has_errors: bool,
    /// ICMP errors about queries that were seen, by [`ErrorKind`], since the last answer, and of this outage:
    /// not of one that was over for as long as the history is.
    errors_since_answer: [u64; ERROR_KINDS],
    /// Those before it, and when they tell no more: until then queries of that time fail.
    errors_before: ([u64; ERROR_KINDS], Option<Duration>),
    /// When the last of both came.
    error_at: Option<Duration>,
    /// Whether an address of this host ever asked it.
    pub asked_from_here: bool,
    /// Queries that failed, and those whose end is known, up to the last seconds and without failures that
    /// are signs.
    pub outcomes: (u64, u64),
    /// When it was last one of those that a stranger scans.
    pub scanned_at: Option<Duration>,
    /// When most of its queries last failed.
    pub failed_at: Option<Duration>,
    /// Ticks in which the CUSUM of the rate was above its alarm, the last one in the lowest bit.
    pub alarms: u8,
    cusum: Cusum,
    collected: Latency,
    collected_since: Duration,
}

impl ServerState {
    /// A server that was first seen just now.
    #[must_use]
    pub fn new(begun: Duration) -> Self {
        Self {
            history: History::new(begun),
            waiting: Waiting::default(),
            clients: Clients::default(),
            usual: Usual::default(),
            latency: None,
            has_answered: false,
            has_errors: false,
            errors_since_answer: [0; ERROR_KINDS],
            errors_before: ([0; ERROR_KINDS], None),
            error_at: None,
            asked_from_here: false,
            outcomes: (0, 0),
            scanned_at: None,
            failed_at: None,
            alarms: 0,
            cusum: Cusum::default(),
            collected: Latency::fine(),
            collected_since: begun,
        }
    }

    /// Adds a tick in which something happened.
    pub(super) fn push(&mut self, span: &Span, window: &ServerWindow, timeout: Duration) {
        self.has_answered |= span.counters.responses != 0;
        self.collect_errors(span, timeout);
        self.waiting = window.waiting;
        self.history.push(*span);
        self.collected.merge(&window.latency);
        self.read_latency(span.end);
    }

    fn collect_errors(&mut self, span: &Span, timeout: Duration) {
        let transactions = &span.counters.transactions;
        let is_recent = |at: &Duration| span.end.saturating_sub(*at) <= KEPT;
        let goes_on = [self.error_at, self.failed_at]
            .iter()
            .flatten()
            .any(is_recent);
        let (before, until) = &mut self.errors_before;
        if !goes_on || until.is_some_and(|until| until <= span.end) {
            (*before, *until) = ([0; ERROR_KINDS], None);
        }
        let since = std::mem::take(&mut self.errors_since_answer);
        if transactions.answered + transactions.late == 0 {
            self.errors_since_answer = if goes_on { since } else { [0; ERROR_KINDS] };
        } else if goes_on {
            add(before, &since);
            until.get_or_insert(span.end + timeout);
        }
        let errors = &span.counters.errors_matched;
        if errors.iter().any(|count| *count != 0) {
            self.has_errors = true;
            self.error_at = Some(span.end);
        }
        add(&mut self.errors_since_answer, errors);
    }

    /// ICMP errors of these kinds that tell why queries fail now: since the last answer, or before it while
    /// queries of that time fail.
    #[must_use]
    pub fn errors_that_tell(&self, kinds: &[ErrorKind]) -> u64 {
        let of = |kind: &ErrorKind| {
            self.errors_since_answer[kind.index()] + self.errors_before.0[kind.index()]
        };
        kinds.iter().map(of).sum()
    }

    /// Adds a tick in which nothing did.
    pub(super) fn pass(&mut self, now: Duration, elapsed: Duration) {
        self.waiting = Waiting::default();
        let span = Span {
            elapsed,
            ..Span::empty(now)
        };
        self.history.push(span);
        self.read_latency(now);
    }

    /// Whether its rate has lately been above what is usual.
    #[must_use]
    pub fn rises(&self) -> bool {
        self.alarms & 7 != 0
    }

    /// Client networks that are rejected while others are served, and not by the chance by which any query
    /// fails now.
    #[must_use]
    pub fn rejected(&self, limits: &Thresholds) -> BTreeSet<Prefix> {
        // The worst of the last seconds: at first most of a longer time is from before.
        let lately = [500, 2_000, 10_000].map(|ms| self.history.over(Duration::from_millis(ms)));
        let enough = lately.iter().filter(|span| span.decided() >= ENOUGH);
        let fails = enough
            .map(|span| share(span.failed(), span.decided()))
            .fold(0.0, f64::max);
        let (errors, answers) = (limits.rejected_errors, limits.served_answers);
        let rejected = self.clients.rejected(errors, answers, fails);
        rejected.copied().collect()
    }

    fn read_latency(&mut self, now: Duration) {
        let answers = self.collected.count();
        let age = now.saturating_sub(self.collected_since);
        let second = Duration::from_secs(1);
        if age < second || (answers < ANSWERS && age < LONGEST) {
            return;
        }
        let at = |share| {
            let quantile = self.collected.quantile(share);
            quantile.map(|quantile| quantile.as_secs_f64())
        };
        if let (Some(p50), Some(p95), Some(p99)) = (at(0.5), at(0.95), at(0.99)) {
            self.latency = Some(Sees {
                at: now,
                p50,
                p95,
                p95_before: self.latency.map_or(0.0, |latency| latency.p95),
                p99,
                answers,
            });
        }
        self.collected = Latency::fine();
        self.collected_since = now;
    }

    /// Lets the baselines learn, those apart whose rule fires.
    pub(super) fn learn(&mut self, elapsed: Duration, readings: &[Reading], limits: &Thresholds) {
        let fires = |rule: Rule| {
            readings
                .iter()
                .any(|reading| reading.rule == rule && reading.level().is_some())
        };
        let tick = self.history.over(elapsed);
        let rate = tick.rate(tick.counters.queries);
        // The Poisson spread of a tick's count, where the rate has been steadier than that.
        let mean = self.usual.rate.mean();
        let least = (mean / elapsed.as_secs_f64().max(0.01)).sqrt().max(1.0);
        let spread = self.usual.rate.spread().max(least);
        let known = self.usual.rate.after(limits.learning).is_some();
        let alarm = known && self.cusum.add(rate, mean, spread);
        self.alarms = self.alarms << 1 | u8::from(alarm);
        let flood = fires(Rule::QueryFlood) || fires(Rule::OneSource) || self.rises();
        let collapse = fires(Rule::Collapse) || self.is_low(rate, limits);
        if fires(Rule::Collapse) {
            self.clients.keep_most(tick.end);
        }
        let usual = &mut self.usual;
        usual
            .rate_fast
            .learn(rate, elapsed, FAST, flood || collapse);
        usual.rate.learn(rate, elapsed, SLOW, flood || collapse);
        let fails = readings.iter().any(|reading| {
            reading.rule.is_failure() && matches!(reading.state, State::Fires(_) | State::Holds)
        });
        let failing = [
            Rule::PortUnreachable,
            Rule::Prohibited,
            Rule::HostUnreachable,
            Rule::Silent,
        ];
        if failing.into_iter().any(fires) {
            self.failed_at = Some(tick.end);
        }
        usual
            .answers
            .learn(tick.rate(tick.answers()), elapsed, SLOW, fails || collapse);
        // At first only answers are known: what is not answered is known a time-out later.
        let known = self.history.begun() + FIRST;
        if !fails
            && let Some(past) = self.history.tick_before(SETTLED, elapsed)
            && past.end >= known
        {
            self.outcomes.0 += past.failed();
            self.outcomes.1 += past.decided();
        }
        let of =
            |span: &Span, rcode: usize| share(span.counters.rcode[rcode], span.counters.responses);
        if tick.counters.responses != 0 {
            let part = of(&tick, NXDOMAIN);
            usual
                .nxdomain
                .learn(part, elapsed, SLOW, fires(Rule::RandomNames));
        }
        // The rules look at a minute. What they look at must not be learnt yet: a young baseline would follow
        // a storm before the minute is full of it.
        if let Some(past) = self.history.tick_before(MINUTE, elapsed)
            && past.counters.responses != 0
        {
            for (baseline, rcode, rule) in [
                (&mut usual.servfail, SERVFAIL, Rule::Servfail),
                (&mut usual.refused, REFUSED, Rule::Refused),
            ] {
                let part = of(&past, rcode);
                baseline.learn(part, past.elapsed, SLOW, fires(rule));
            }
        }
        if let Some(latency) = self.latency.filter(|latency| latency.at == tick.end) {
            let slow = fires(Rule::Slow);
            let second = Duration::from_secs(1);
            usual.p95.learn(latency.p95, second, SLOW, slow);
            usual.p99.learn(latency.p99, second, SLOW, slow);
        }
    }

    /// A rate that may become a collapse must not be learnt as usual before that.
    fn is_low(&self, rate: f64, limits: &Thresholds) -> bool {
        let usual = self.usual.rate_fast.mean();
        usual >= limits.collapse_rate && rate < limits.collapse_share * usual
    }
}

fn add(sums: &mut [u64; ERROR_KINDS], counts: &[u64; ERROR_KINDS]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}
