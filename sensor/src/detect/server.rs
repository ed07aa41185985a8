//! What is kept of one server.

use std::collections::BTreeMap;
use std::time::Duration;

use sensor_common::class::{ERROR_KINDS, ErrorKind};
use sensor_common::server::ServerKey;

use super::baseline::Cusum;
use super::cohort::{Asked, Clock, Cohorts};
use super::history::{History, Span};
use super::names::Names;
use super::pause;
use super::rcode::REFUSED;
use super::thresholds::Thresholds;
use super::told::Told;
use super::usual::Usual;
use super::visibility::ByNetwork;
use crate::measure::dossier::Dossier;
use crate::measure::window::{ServerWindow, Window};

mod learning;

/// What happened so long ago was judged healthy or not: a symptom that begins is noticed sooner.
pub const SETTLED: Duration = Duration::from_secs(6);
/// From the first packet of a server until its usual rates are believed: what is learnt is older than [`SETTLED`].
#[must_use]
pub fn believed_after(limits: &Thresholds) -> Duration {
    limits.learning + SETTLED
}

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
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about a server"
)]
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
    pub was_minor: Option<usize>,
    /// Some of its first queries brought errors.
    pub was_rejected: bool,
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
            was_minor: None,
            was_rejected: false,
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
        if recent.is_empty() {
            return;
        }
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
}

/// The share of queries that failed.
#[must_use]
pub fn share_of(asked: &Asked) -> f64 {
    super::history::share(asked.failed(), asked.decided())
}
