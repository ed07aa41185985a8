//! How an incident goes from tick to tick, up to its end.

use std::mem;
use std::time::Duration;

use super::super::change::Change;
use super::super::diagnosis::Finding;
use super::super::evidence::outcomes::Known;
use super::super::gather::case::Case;
use super::super::gather::collect;
use super::super::record::Stage;
use super::incident::{Incident, SHORTEST};
use super::subject::{history, plain_clock, server_state};
use crate::detect::history::Span;
use crate::detect::server::share_of;
use crate::detect::{Detector, Level, Reading, Rule, Subject, Vantage};
use crate::host::facts::{HostLog, HostReading, HostSum};
use crate::host::sockets::Sockets;
use crate::measure::address::ip;
use crate::measure::clock::WallClock;

/// Without any traffic for so long it is stale.
const STALE: Duration = Duration::from_mins(10);
/// Late answers are looked for so far back.
const BEFORE: Duration = Duration::from_mins(1);
/// What happens so soon after the last symptom belongs to it.
const AFTERMATH: Duration = Duration::from_secs(5);

/// What is known of a tick beside the readings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tick {
    /// When it ended.
    pub now: Duration,
    /// How long it was.
    pub elapsed: Duration,
    /// One in 2^shift transactions was followed.
    pub shift: u32,
    /// Samples that were lost.
    pub lost: u64,
}

impl Incident {
    /// Adds what was counted and is known at a tick.
    pub fn tick(&mut self, detector: &Detector, tick: &Tick, clock: &WallClock) {
        self.evidence.shift = self.evidence.shift.max(tick.shift);
        self.evidence.lost += tick.lost;
        if let Some(history) = history(self.subject, detector) {
            let mut span = history.over(tick.elapsed);
            span.end = tick.now;
            span.elapsed = tick.elapsed;
            self.evidence.series.push(clock.ms(span.end), &span);
            self.since_then.add(&span);
            let own = self.is_probed(tick.now) && span.counters.queries <= 1;
            if !span.is_empty() && !own {
                self.last_active = tick.now;
            }
        }
        if let Some(state) = server_state(self.subject, detector) {
            let at = plain_clock(detector, tick.now);
            self.evidence
                .asked
                .count(&state.cohorts, self.onset, self.last_symptom, &at);
            self.evidence
                .series
                .note_asked(&state.cohorts, self.onset, &at, clock);
            if let Subject::Server(server) = self.subject {
                let rcode = self.evidence.worst.shift_of_rcodes.map(|shift| shift.rcode);
                let known = Known {
                    server,
                    state,
                    rcode,
                    span: [self.onset, self.last_symptom],
                    now: tick.now,
                    timeout: detector.timeout(),
                };
                self.evidence.outcomes.count(detector.dossiers(), &known);
            }
        }
    }

    /// Takes the readings; gives what has changed.
    pub fn update(
        &mut self,
        readings: &[Reading],
        detector: &Detector,
        now: Duration,
    ) -> Vec<Change> {
        let level_before = self.symptoms.level();
        let recovered = self.has_recovered(detector, now);
        let adapts = server_state(self.subject, detector).is_some_and(|state| state.adapts(now));
        let mut changes = self.symptoms.apply(readings, recovered, adapts, now);
        let fires = |reading: &&Reading| reading.level().is_some();
        let during = &self.evidence.during;
        self.phases.follow(
            self.subject,
            readings,
            &self.symptoms,
            during,
            detector,
            now,
        );
        let firing: Vec<&Reading> = readings.iter().filter(fires).collect();
        if firing
            .iter()
            .any(|reading| self.symptoms.is_of_it(reading.rule, self.phases.failure))
        {
            self.last_symptom = now;
            let since_then = mem::replace(&mut self.since_then, Span::empty(now));
            self.evidence.during.add(&since_then);
            if let Some(state) = server_state(self.subject, detector) {
                let clock = plain_clock(detector, now);
                self.evidence
                    .asked
                    .count(&state.cohorts, self.onset, now, &clock);
            }
            self.note(detector, now);
        }
        if !firing.is_empty() {
            self.weigh(detector, now, true);
        } else if now.saturating_sub(self.last_symptom) <= AFTERMATH {
            // How it ends tells as well: late answers come of a program that was stopped.
            self.note(detector, now);
            self.weigh(detector, now, false);
        }
        let level = self.symptoms.level();
        if level > level_before && level == Some(Level::Critical) {
            self.level = Level::Critical;
            self.stage = Stage::Open;
            changes.push(Change::Worsened);
        }
        if level < level_before && level.is_some() {
            self.stage = Stage::Eased;
            changes.push(Change::Eased);
        }
        if self.verdict.tell(now) {
            changes.push(Change::Cause);
        }
        let lasted = now.saturating_sub(self.opened);
        if level.is_none() && lasted >= SHORTEST {
            self.weigh(detector, now, false);
            self.end(Stage::Closed, now);
            changes.push(Change::Closed);
        } else if now.saturating_sub(self.last_active) >= STALE {
            self.end(Stage::Stale, now);
            changes.push(Change::Stale);
        }
        changes
    }

    /// Notes the worst of what only the detector knows.
    fn note(&mut self, detector: &Detector, now: Duration) {
        let state = server_state(self.subject, detector);
        self.evidence.peaks.note(state, detector);
        if state.is_none() {
            return;
        }
        let worst = &mut self.evidence.worst;
        let onset = self.onset;
        if let Subject::Server(key) = self.subject {
            detector.with_facts(&key, now, |facts| worst.note(facts, onset));
            let since = onset.max(now.saturating_sub(BEFORE));
            let dossiers = detector.dossiers().since(since);
            let timeout = detector.timeout();
            worst.note_late(
                dossiers.filter(|dossier| dossier.server == key),
                now,
                timeout,
            );
        }
    }

    /// Whether what is asked is answered again, however little that is.
    fn has_recovered(&self, detector: &Detector, now: Duration) -> bool {
        let limits = detector.thresholds();
        let clock = plain_clock(detector, now);
        server_state(self.subject, detector).is_some_and(|state| {
            let lately = state.cohorts.enough(
                limits.failed_queries,
                Duration::from_secs(1),
                limits.failed_back,
                &clock,
            );
            lately.answered != 0 && share_of(&lately) < limits.partial_share.warning
        })
    }

    fn weigh(&mut self, detector: &Detector, now: Duration, goes_on: bool) {
        self.vantage = match self.subject {
            Subject::Server(key) => detector.vantage(&key),
            Subject::Network => Vantage::Path,
        };
        let rules: Vec<Rule> = self
            .symptoms
            .iter()
            .map(|symptom| symptom.rule)
            .filter(|rule| self.symptoms.is_of_it(*rule, self.phases.failure))
            .filter(|rule| !self.symptoms.is_past(*rule, self.phases.failure))
            .collect();
        let fails = rules.iter().any(|rule| rule.is_failure());
        let flood_came = self
            .phases
            .flood_came(&self.symptoms, &self.evidence.during);
        let case = Case {
            subject: self.subject,
            rules: &rules,
            flood_came,
            vantage: self.vantage,
            onset: self.onset,
            now,
            last: self
                .phases
                .failure
                .filter(|_| fails)
                .map_or(self.last_symptom, |failure| failure.until),
            is_over: self.symptoms.level().is_none(),
            also: &self.also,
            evidence: &self.evidence,
            told: self.verdict.contrast(),
            upstreams: &self.upstreams,
            verified: self.verified.as_ref(),
        };
        let findings = collect::findings(&case, detector);
        for found in &findings {
            if let Finding::UpstreamFails { upstreams } = found {
                self.upstreams.extend(upstreams.iter().cloned());
            }
        }
        self.verdict.weigh(findings, goes_on);
    }

    /// What the host where the sensor runs says, while a rule fires; `here` where the server is its own.
    pub fn set_host(&mut self, log: &HostLog, reading: &HostReading, here: bool) {
        self.evidence.samples.name_cgroups(log);
        self.read_host(log, reading.sockets.as_ref(), here);
    }

    /// The same, without the names of cgroups.
    pub(super) fn read_host(&mut self, log: &HostLog, sockets: Option<&Sockets>, here: bool) {
        let Subject::Server(key) = self.subject else {
            return;
        };
        let onset = self.onset;
        let sum = self
            .host
            .get_or_insert_with(|| HostSum::new(ip(&key), onset, log));
        let sockets = sockets.filter(|_| here);
        sum.add(log, sockets, self.since_then.elapsed.is_zero());
        let facts = sum.facts();
        if here || facts.concerns() {
            self.evidence.host = Some(facts);
        }
    }
}
