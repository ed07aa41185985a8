//! The worst that the ticks of an incident said of how queries fail.

use std::time::Duration;

use sensor_common::server::ServerKey;

use super::super::chronology::MOMENT;
use super::super::copies::{self, Copies};
use crate::detect::again::Again;
use crate::detect::history::float;
use crate::detect::rules::one_source::{self, Source};
use crate::detect::rules::rcode_shift::{self, Shift};
use crate::detect::rules::{answers_lost, fragments, partial_rejection};
use crate::detect::{Facts, ServerState, interval, lost};
use crate::measure::address::prefix;
use crate::measure::dossier::{Dossier, End};

/// What came so lately is of one moment.
const LATELY: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Default)]
pub struct Worst {
    /// At its worst at least this share of the newest queries failed, surely.
    pub surely_failed: f64,
    /// Latency of before and during: median and 95th percentile, in seconds.
    pub latency: [Option<(f64, f64)>; 2],
    /// Client networks that are rejected, and how many are served.
    pub rejected: Vec<String>,
    /// See `rejected`.
    pub served: usize,
    /// Answers from elsewhere, and who sent the most of them.
    pub elsewhere: (u64, Option<ServerKey>),
    /// Queries of which a later copy was answered at once.
    pub copies_answered: u64,
    /// What became of second copies, and of first ones.
    pub copies: Copies,
    /// Late answers that came within seconds; the most.
    pub late: u64,
    /// The source that asked most, when it asked most.
    pub heaviest: Option<Source>,
    /// The worst shift of an rcode.
    pub shift_of_rcodes: Option<Shift>,
    /// What became of large answers, at the worst.
    pub lost_answers: fragments::Lost,
    /// Answered queries that were asked again, at the worst.
    pub again: Option<Again>,
    /// The same of those with a large answer.
    pub large_again: Option<Again>,
    /// Longest wait for an ICMP error, where that is seen or can be inferred.
    pub slowest_error: Option<Duration>,
    /// The same of those that quote their query as it was sent.
    pub slowest_matched: Option<Duration>,
    /// An ICMP error came.
    is_told: bool,
}

impl Worst {
    /// What was usual before it.
    pub fn set_usual(&mut self, state: Option<&ServerState>) {
        let latency = state.map(|state| &state.usual.latency);
        self.latency[0] =
            latency.and_then(|latency| Some((latency.quantile(0.5)?, latency.quantile(0.95)?)));
    }

    /// Notes the worst of what the facts of a tick tell.
    pub fn note(&mut self, facts: &Facts<'_>, onset: Duration) {
        let since: Vec<&Dossier> = facts
            .recent
            .iter()
            .filter(|dossier| dossier.begun >= onset)
            .copied()
            .collect();
        self.note_latency(&since);
        let asked = &facts.failing.asked;
        let surely = interval::lower(float(asked.failed()), float(asked.decided()));
        self.surely_failed = self.surely_failed.max(surely);
        let elsewhere = since.iter().filter_map(|dossier| match facts.end(dossier) {
            End::Elsewhere(answer) => Some((dossier.weight, answer.from)),
            _ => None,
        });
        let (mut many, mut from) = (0, None);
        for (weight, sender) in elsewhere {
            many += u64::from(weight);
            from = Some(sender);
        }
        if many >= self.elsewhere.0 {
            self.elsewhere = (many, from);
        }
        let usual = facts.state.usual.latency.quantile(0.95).unwrap_or(0.1);
        let slowest = self.latency[1].map_or(0.0, |(_, p95)| p95);
        let (now, timeout) = (facts.now(), facts.clock.timeout);
        let goes_on = copies::goes_on(&since, slowest, now, timeout);
        let copies = since.iter().filter(|dossier| {
            let fast = Duration::from_secs_f64(3.0 * usual.max(0.02));
            let is_during = || {
                let answer = dossier.answer();
                let latency = dossier.latency().unwrap_or_default();
                answer.is_some_and(|answer| answer.at.saturating_sub(latency) <= goes_on)
            };
            lost::is_lost(dossier, fast, now, timeout) == Some(true) && is_during()
        });
        let copies: u64 = copies.map(|dossier| u64::from(dossier.weight)).sum();
        self.copies_answered = self.copies_answered.max(copies);
        let copies = Copies::of(&since, slowest, now, timeout);
        if copies.decided() >= self.copies.decided() {
            self.copies = copies;
        }
        if let Some(source) = one_source::heaviest(facts)
            && self
                .heaviest
                .is_none_or(|heaviest| source.rate >= heaviest.rate)
        {
            self.heaviest = Some(source);
        }
        let lost = fragments::lost(facts);
        self.lost_answers.too_big = self.lost_answers.too_big.max(lost.too_big);
        self.lost_answers.not_reassembled =
            self.lost_answers.not_reassembled.max(lost.not_reassembled);
        if lost.first > self.lost_answers.first {
            (self.lost_answers.first, self.lost_answers.later) = (lost.first, lost.later);
        }
        worse(&mut self.again, answers_lost::lost(facts));
        worse(&mut self.large_again, fragments::large_lost(facts));
        if let Some(shift) = rcode_shift::worst(facts).filter(|shift| shift.fires)
            && self
                .shift_of_rcodes
                .is_none_or(|worst| shift.share >= worst.share)
        {
            self.shift_of_rcodes = Some(shift);
        }
        let (rejected, served) = partial_rejection::networks(facts);
        if !rejected.is_empty() {
            self.rejected = rejected.iter().map(prefix).collect();
            self.served = served;
        }
        let waits = since.iter().filter_map(|dossier| {
            let error = dossier.errors.iter().find(|error| !error.about_answer)?;
            Some(error.at.saturating_sub(dossier.asked()?))
        });
        let slowest = waits.max();
        self.slowest_error = self.slowest_error.max(slowest);
        // Where none is matched, a NAT has changed what they quote, and they are laid beside any query.
        let matched: u64 = facts.long.counters.errors_matched.iter().sum();
        if matched != 0 {
            self.slowest_matched = self.slowest_matched.max(slowest);
        }
        // Where a NAT hides whose query an error is about, the first one tells, counted from the first failure.
        let counters = &facts.short.counters;
        let matched: u64 = counters.errors_matched.iter().sum();
        if counters.errors.iter().any(|errors| *errors != 0) && !self.is_told {
            self.is_told = true;
            if matched == 0 {
                let first = facts.now().saturating_sub(MOMENT);
                self.slowest_error = self.slowest_error.max(Some(first.saturating_sub(onset)));
            }
        }
    }

    /// Counts the late answers of the last seconds: the server took the queries, and could not answer in time.
    pub fn note_late<'a>(
        &mut self,
        dossiers: impl Iterator<Item = &'a Dossier>,
        now: Duration,
        timeout: Duration,
    ) {
        let late = dossiers.filter(|dossier| match dossier.end(now, timeout) {
            End::Late(answer) => {
                let own = dossier.latency().unwrap_or_default();
                answer.at + LATELY >= now && own * 2 > timeout
            }
            _ => false,
        });
        self.late = self.late.max(late.count() as u64);
    }

    fn note_latency(&mut self, since: &[&Dossier]) {
        let mut times: Vec<f64> = since
            .iter()
            .filter_map(|dossier| Some(dossier.latency()?.as_secs_f64()))
            .collect();
        if times.is_empty() {
            return;
        }
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
        let worst = self.latency[1].map_or(0.0, |(_, p95)| p95);
        if at(95) >= worst {
            self.latency[1] = Some((at(50), at(95)));
        }
    }
}

/// Keeps the worse one.
fn worse(worst: &mut Option<Again>, now: Option<Again>) {
    if let Some(now) = now
        && worst
            .as_ref()
            .is_none_or(|worst| now.share() >= worst.share())
    {
        *worst = Some(now);
    }
}
