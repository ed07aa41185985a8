//! Queries of a server that fail, by the time of asking.

use std::time::Duration;

use super::askers::Askers;
use super::cohort::{Asked, Clock, Cohort};
use super::history::{float, share};
use super::interval;
use super::server::{Errors, ServerState, share_of};
use super::thresholds::Thresholds;
use super::visibility::{Seen, ask_again};
use crate::measure::dossier::{Dossier, End};

/// Failures are looked for over at least so long, if so many are known.
const SECOND: Duration = Duration::from_secs(1);
/// A failure that became known so lately is new.
const JUST_NOW: Duration = Duration::from_secs(5);
/// A server that pauses for less than this is slow.
const PAUSE: Duration = Duration::from_millis(500);
/// So large a part fails at least, surely.
const SURELY: f64 = 0.3;
const SURELY_AMONG_ANSWERS: f64 = 0.4;
/// Nearly all of the newest queries fail, and how many those are at least.
const NEARLY_ALL: f64 = 0.8;
const FEW: u64 = 3;
/// Queries after which their usual share of failures is known.
const KNOWN: f64 = 20.0;
/// Of a server that is well less than this fails.
const WELL: f64 = 0.15;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failing {
    /// The queries that were looked at.
    pub asked: Asked,
    /// Share of them that failed, without those of which only one direction is seen.
    pub share: f64,
    /// More than chance and more than usual.
    pub is_unusual: bool,
    /// Most fail, for longer than a pause.
    pub is_most: bool,
    /// For how long, by the time of asking.
    pub lasted: Duration,
    /// Of the failures that are told by their dossiers, the share that were answered, too late.
    pub late: f64,
}

/// What they are looked for in.
pub(super) struct Failures<'a> {
    pub clock: Clock,
    pub state: &'a ServerState,
    /// Its dossiers of the last ten seconds or a little more.
    pub recent: &'a [&'a Dossier],
    pub askers: &'a Askers,
    pub limits: &'a Thresholds,
    /// The sensor stands on neither end.
    pub on_the_path: bool,
}

impl Failures<'_> {
    /// What fails now.
    pub(super) fn find(&self) -> Failing {
        let limits = self.limits;
        let enough = |count| {
            self.state
                .cohorts
                .enough(count, SECOND, limits.failed_back, &self.clock)
        };
        let seen = Seen {
            networks: &self.state.visibility,
            clients: &self.state.known,
            begun: self.state.begun,
            was_well: self.was_well(),
            was_rejected: self.state.was_rejected,
            elsewhere: &|dossier| self.askers.was_answered(&dossier.client),
            now: self.clock.now,
            timeout: self.clock.timeout,
        };
        let one_way = if self.on_the_path {
            seen.one_way_share(self.recent)
        } else {
            0.0
        };
        // Errors came back, so those are seen.
        let without = |asked: &Asked| {
            let hidden = float(asked.unanswered + asked.overdue) * one_way;
            let failed = (float(asked.failed()) - hidden).max(0.0);
            (failed, (float(asked.decided()) - hidden).max(failed))
        };
        let few = enough(limits.failed_queries);
        let many = enough(limits.partial_queries);
        let part = |(failed, all): (f64, f64)| if all > 0.0 { failed / all } else { 0.0 };
        let quick = part(without(&few)) >= limits.failed_share.warning
            && few.decided() >= limits.failed_queries;
        let asked = if quick { few } else { many };
        let (failed, all) = without(&asked);
        let lower = interval::lower(failed, all);
        let usual = &self.state.usual.failed;
        let share = part((failed, all));
        let lasted = self.lasted(&asked);
        let told = asked.errored != 0 || self.state.errors != Errors::default();
        let surely = if asked.answered == 0 {
            SURELY
        } else {
            SURELY_AMONG_ANSWERS
        };
        // Of a server of which half fails all day, most of a few do by chance. Where most do all day, they do.
        let least = |mean: f64| interval::lower(mean * usual.count(), usual.count());
        let is_few = asked.decided() < limits.partial_queries && usual.count() >= KNOWN;
        let usually = usual
            .mean()
            .filter(|mean| is_few && least(*mean) < limits.failed_share.warning);
        let is_most = quick
            && lower > surely.max(usually.unwrap_or(0.0))
            && (told || asked.unanswered != 0 || lasted >= PAUSE);
        // What has not had its time-out may be slow: a part that waits is no failure yet. A small part shows among
        // many queries only; and where none of the newest fails, it is over.
        let closed = self.closed();
        let above = limits.partial_share.warning.max(usual.upper());
        let rise = limits.risen(usual.mean().unwrap_or(0.0));
        let goes_on =
            closed.first().is_some_and(|newest| newest.failed() != 0) && self.failed_just_now();
        // Where nothing is usual yet: a large part, the clients of which miss their answers.
        let nothing_known =
            usual.count() < KNOWN && ask_again(self.recent, self.clock.now, self.clock.timeout);
        let unusual = closed.iter().find(|closed| {
            let (failed, all) = without(closed);
            let lower = interval::lower(failed, all);
            closed.decided() >= limits.partial_queries
                && (lower > above && part((failed, all)) >= rise || nothing_known && lower > SURELY)
        });
        let unusual = unusual.filter(|_| goes_on && !self.is_about_to_fail());
        let is_unusual = is_most || unusual.is_some();
        let (asked, share) = match unusual {
            Some(closed) if !is_most => (*closed, part(without(closed))),
            _ => (asked, share),
        };
        let lasted = if is_most {
            lasted
        } else {
            self.lasted_in_part(&asked, share)
        };
        Failing {
            asked,
            share,
            is_unusual,
            is_most,
            lasted,
            late: self.late_share(),
        }
    }

    /// Whether nearly all of its queries were answered, as far as is known: usually, or else of the first that are known.
    fn was_well(&self) -> bool {
        if let Some(usual) = self.state.usual.failed.mean() {
            return usual < WELL;
        }
        let mut first = Asked::default();
        for cohort in self.state.cohorts.between(Duration::ZERO, self.clock.now) {
            if first.decided() >= self.limits.partial_queries {
                break;
            }
            first.add(&cohort.as_of(self.clock.now, self.clock.timeout, self.clock.overdue));
        }
        first.decided() >= self.limits.partial_queries && share_of(&first) < WELL
    }

    /// Whether the newest failure became known a moment ago. Only such a one can add to what is known: without it a
    /// share rises by what drops out of the span at its other end.
    fn failed_just_now(&self) -> bool {
        let known = |asked: &Asked| asked.to + self.clock.timeout + JUST_NOW >= self.clock.now;
        let as_of =
            |cohort: &Cohort| cohort.as_of(self.clock.now, self.clock.timeout, self.clock.timeout);
        let mut cohorts = self.state.cohorts.back().map(as_of).take_while(known);
        cohorts.any(|asked| asked.failed() != 0)
    }

    /// Whether nearly all fail that will have their time-out in a moment: then more than a part of them does.
    fn is_about_to_fail(&self) -> bool {
        let Clock {
            now,
            timeout,
            overdue,
            ..
        } = self.clock;
        let (from, to) = (now.saturating_sub(timeout), now.saturating_sub(overdue));
        let mut newest = Asked::default();
        for cohort in self.state.cohorts.between(from, to) {
            newest.add(&cohort.as_of(now, timeout, overdue));
        }
        newest.failed() >= FEW && share_of(&newest) >= NEARLY_ALL
    }

    /// The newest queries that have had their time-out: a few, and more and more.
    fn closed(&self) -> [Asked; 3] {
        let clock = Clock {
            overdue: self.clock.timeout,
            young: false,
            ..self.clock
        };
        let least = self.limits.partial_queries;
        // An outage that is over is not a part that fails.
        let since = self.clock.now.saturating_sub(self.state.mostly_failed_to);
        let back = since.min(Duration::from_mins(1));
        [1, 6, 30].map(|times| {
            let cohorts = &self.state.cohorts;
            cohorts.enough(times * least, SECOND, back, &clock)
        })
    }

    /// How long the newest cohorts have mostly failed, by the time of asking.
    fn lasted(&self, asked: &Asked) -> Duration {
        let mut begun: Option<Duration> = None;
        for cohort in self.state.cohorts.back() {
            if cohort.to > asked.to {
                continue;
            }
            let asked = cohort.as_of(self.clock.now, self.clock.timeout, self.clock.overdue);
            if asked.decided() == 0 {
                continue;
            }
            if share_of(&asked) < 0.3 {
                break;
            }
            // The first may have begun to fail somewhere in it.
            let failing = cohort
                .to
                .saturating_sub(cohort.from)
                .mul_f64(share_of(&asked));
            begun = Some(cohort.to.saturating_sub(failing));
        }
        begun.map_or(Duration::ZERO, |begun| asked.to.saturating_sub(begun))
    }

    /// The same of a part of them: since when this share fails.
    fn lasted_in_part(&self, asked: &Asked, share: f64) -> Duration {
        let begun = self.state.cohorts.rose(asked.to, share, &self.clock);
        asked.to.saturating_sub(begun)
    }

    /// Of the queries that have failed, the share that was answered after the time-out.
    fn late_share(&self) -> f64 {
        let (mut late, mut failed) = (0, 0);
        for dossier in self.recent {
            match dossier.end(self.clock.now, self.clock.timeout) {
                End::Late(_) => {
                    // A later copy that is answered at once was not answered late: the first one was lost.
                    let own = dossier.latency().unwrap_or_default();
                    if own * 2 > self.clock.timeout {
                        late += dossier.weight;
                    }
                    failed += dossier.weight;
                }
                End::Unanswered => failed += dossier.weight,
                _ => {}
            }
        }
        share(u64::from(late), u64::from(failed))
    }
}

/// From which age on a query that waits counts as failing for now.
pub(super) fn overdue(state: &ServerState, timeout: Duration, limits: &Thresholds) -> Duration {
    // Where no error says that queries fail, they may be answered late: a server that takes 1.5 s is slow.
    if state.errors == Errors::default() {
        return timeout.mul_f64(limits.silent_timeout_share);
    }
    let age = match state.usual.latency.quantile(0.99) {
        Some(p99) => Duration::try_from_secs_f64(limits.overdue_p99 * p99)
            .unwrap_or(timeout)
            .max(limits.overdue),
        None => limits.overdue_unknown,
    };
    age.min(timeout)
}
