//! What is usual of a server is learnt from what was judged healthy, some time later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::class::{ErrorKind, TcpEvent};
use sensor_common::server::ServerCounters;

use super::{SETTLED, ServerState, ZONE_DEPTH};
use crate::detect::baseline::{ADAPTS, Baseline, SLOW};
use crate::detect::cohort::{Asked, Clock};
use crate::detect::history::{self, Span};
use crate::detect::lost::{self, LOST};
use crate::detect::rcode::{NOERROR, NXDOMAIN};
use crate::detect::reading::Reading;
use crate::detect::rule::Rule;
use crate::detect::thresholds::Thresholds;
use crate::detect::{again, connections, crowd};
use crate::measure::dossier::Dossier;
use crate::measure::sketch::Prefix;

/// Queries after which a small part of failures has been noticed, and how long that may take at most.
const NOTICED: u64 = 150;
const MOST_LAG: Duration = Duration::from_secs(20);
/// Dossiers are learnt so often.
const DOSSIERS_EVERY: Duration = Duration::from_secs(2);
/// Answers that tell whether an rcode rises, over how long at least and at most, and from which share on: half of what
/// alarms.
const NOTICED_RCODES: u64 = 20;
const RCODES: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(1)];
const RCODE_RISES: f64 = 0.015;
/// A tick of so long stands for several in which nothing happened.
const LONG_TICK: Duration = Duration::from_millis(500);

impl ServerState {
    /// Notes a tick's verdict, and learns what happened some time before if all was well since.
    pub(in crate::detect) fn learn(
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
        self.learn_between(self.learnt_to, to, adapts, recent, limits, clock.timeout);
        self.learnt_to = to;
    }

    /// A symptom has gone on for so long that it counts as usual, unless queries fail.
    #[must_use]
    pub fn adapts(&self, now: Duration) -> bool {
        self.noticed
            .is_some_and(|(since, _)| now.saturating_sub(since) >= ADAPTS)
    }

    /// A rate that may become a collapse must not be learnt as usual before that.
    pub(super) fn is_low(&self, limits: &Thresholds) -> bool {
        let usual = self.usual.rate_fast.mean();
        let lately = || self.history.rate(Duration::from_secs(1), |c| c.queries);
        usual >= limits.collapse_rate && lately() < limits.collapse_share * usual
    }

    pub(super) fn follow_rate(&mut self, elapsed: Duration, limits: &Thresholds) {
        let rate = self.history.rate(elapsed, |counters| counters.queries);
        // Ticks that were left out because nothing happened in them.
        let ticks = elapsed.as_nanos() / LONG_TICK.as_nanos();
        let elapsed = elapsed / (2 * ticks as u32).max(1);
        // The Poisson spread of a tick's count, where the rate has been steadier than that.
        let mean = self.usual.rate.mean();
        let least = (mean / elapsed.as_secs_f64().max(0.01)).sqrt().max(1.0);
        let spread = self.usual.rate.spread().max(least);
        let known = self.usual_rate(limits).is_some();
        for _ in 0..(2 * ticks).clamp(1, 64) {
            let alarm = known && self.cusum.add(rate, mean, spread);
            self.alarms = self.alarms << 1 | u8::from(alarm);
        }
    }

    fn learn_between(
        &mut self,
        from: Duration,
        to: Duration,
        adapts: bool,
        recent: &[&Dossier],
        limits: &Thresholds,
        timeout: Duration,
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
            let slow = limits.slow_from(self.usual.latency.quantile(0.95));
            let begun = to.saturating_sub(MOST_LAG);
            if self.dossiers_learnt_to < begun {
                self.learn_dossiers(self.dossiers_learnt_to, begun, adapts, &[], slow, timeout);
            }
            self.learn_dossiers(
                self.dossiers_learnt_to.max(begun),
                to,
                adapts,
                recent,
                slow,
                timeout,
            );
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
        let told = |counters: &ServerCounters| counters.answers_by_rcode.iter().sum::<u64>();
        let now = self.history.now();
        let newest = self.history.newest(now, RCODES, NOTICED_RCODES, told);
        let newest = (newest.counters.answers_by_rcode, told(&newest.counters));
        for (rcode, usual) in usual.rcodes.iter_mut().enumerate() {
            // A small server may say so more often without anybody having noticed it yet. That names do not exist goes up
            // and down all day.
            let may_rise = !matches!(rcode, NOERROR | NXDOMAIN)
                && usual.may_rise(newest.0[rcode], newest.1, RCODE_RISES);
            if adapts || !may_rise {
                usual.learn(counters.answers_by_rcode[rcode], answers);
            }
        }
        let rate = |count| sum.rate(count);
        let learn = |usual: &mut Baseline, count| {
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
        let rate = self.history.rate(SETTLED, |c| c.queries).max(0.1);
        let lag = Duration::from_secs_f64(history::float(NOTICED) / rate).clamp(SETTLED, MOST_LAG);
        let from = self.failures_learnt_to;
        let mut to = now.saturating_sub(lag);
        if to <= from {
            return;
        }
        // A small part of few queries may be on its way to be noticed.
        let lately = self.cohorts.enough(
            NOTICED,
            Duration::from_secs(1),
            Duration::from_mins(1),
            clock,
        );
        let (failed, decided) = (lately.failed(), lately.decided());
        let least = limits.partial_share.warning / 2.0;
        if self.usual.failed.may_rise(failed, decided, least) {
            // What was before is known to be usual, all the sooner.
            let part = history::share(failed, decided);
            to = self.cohorts.rose(lately.to, part, clock);
        }
        self.failures_learnt_to = to.max(from);
        if to <= from {
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
        timeout: Duration,
    ) {
        let elapsed = to.saturating_sub(from);
        let now = self.history.now();
        let usual = &mut self.usual;
        let slowest = lost::slowest(usual);
        let lately = lost::look(recent, slowest, now, timeout);
        let learns_lost = adapts
            || !usual
                .copies_lost
                .may_rise(lately.lost, lately.answered, LOST / 2.0);
        let learns_again = adapts || !again::may_rise(recent, now, &usual.asked_again);
        let mut bytes: BTreeMap<Prefix, u64> = BTreeMap::new();
        let mut zones: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
        let clients: BTreeSet<_> = recent.iter().map(|dossier| dossier.client).collect();
        let is_of = |dossier: &&&Dossier| dossier.begun > from && dossier.begun <= to;
        for dossier in recent.iter().filter(is_of) {
            if let Some(latency) = dossier.latency() {
                usual.latency.learn(latency);
                let denied = self.names.is_denied(dossier);
                usual.denied.learn(u64::from(denied), 1);
                self.told.learn(dossier, latency.as_secs_f64() > slow);
            }
            if let Some(lost) =
                lost::is_lost(dossier, slowest, now, timeout).filter(|_| learns_lost)
            {
                usual.copies_lost.learn(u64::from(lost), 1);
            }
            if let Some(again) = again::is_again(dossier).filter(|_| learns_again) {
                usual.asked_again.learn(u64::from(again), 1);
                if again::is_large(dossier) {
                    usual.large_asked_again.learn(u64::from(again), 1);
                }
            }
            if let Some(answer) = dossier.answer()
                && matches!(usize::from(answer.rcode), NOERROR | NXDOMAIN)
            {
                usual
                    .authoritative
                    .learn(u64::from(answer.authoritative), 1);
            }
            let weight = u64::from(dossier.weight);
            let answered: u64 = dossier.answers.iter().map(|a| u64::from(a.bytes)).sum();
            *bytes.entry(Prefix::network(dossier.client)).or_default() += weight * answered;
            if let Some(question) = &dossier.question {
                let is_fine = dossier
                    .answer()
                    .is_some_and(|answer| usize::from(answer.rcode) == NOERROR);
                for labels in 1..=ZONE_DEPTH {
                    if let Some(zone) = question.zone(labels) {
                        let [asked, failing] = zones.entry(zone).or_default();
                        *asked += weight;
                        *failing += if is_fine { 0 } else { weight };
                    }
                }
            }
        }
        usual.learn_bytes(&bytes, elapsed);
        usual.learn_zones(&zones, elapsed);
        if let Some(each) = crowd::each(recent, to) {
            usual.each.learn(each, elapsed, SLOW, false);
        }
        let clients = history::float(clients.len() as u64);
        usual.clients.learn(clients, elapsed, SLOW, false);
    }
}
