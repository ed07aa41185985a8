//! Opens, worsens, eases and closes incidents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::sample::Sample;
use sensor_common::server::ServerKey;

use super::change::Change;
use super::evidence::recent::Recent;
use super::gather::upstreams::failing_upstreams;
use super::open::subject::last_seen;
use super::open::{Before, Incident, Tick};
use super::past::Past;
use super::record::{About, Record, Stage};
use super::relation::{fail_in_the_same_moments, flooded_by_one, is_flood_alone};
use crate::detect::{Detector, Level, Reading, Rule, Subject, Vantage};
use crate::host::facts::HostLog;
use crate::measure::clock::WallClock;
use crate::measure::sampled::Sampled;

/// Incidents that are open at once; beyond them the least gives way, or the symptom is not followed.
const INCIDENTS: usize = 64;
/// Servers that fail for the same clients within so long are one incident: clients try one server after the other.
const TOGETHER: Duration = Duration::from_secs(6);
/// A failing upstream is told with the server that asks it, if that fails within so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// A rule that fires and opens no incident.
#[derive(Clone, Debug)]
pub struct Shadow {
    /// What it is about.
    pub subject: Subject,
    /// What it reads.
    pub reading: Reading,
}

/// All incidents that go on.
#[derive(Default)]
pub struct Tracker {
    open: BTreeMap<Subject, Incident>,
    /// Upstreams that fail, and since when: they wait for those that ask them to fail.
    held: BTreeMap<Subject, Duration>,
    recent: Recent,
    calendar: WallClock,
    about: About,
    past: Past,
    shadow: BTreeSet<Rule>,
    /// Those of them that fire.
    in_shadow: BTreeSet<(Subject, Rule)>,
    shadows: Vec<Shadow>,
    /// See [`Self::unfollowed()`].
    unfollowed: BTreeSet<Subject>,
}

impl Tracker {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(calendar: WallClock, about: About, shadow: BTreeSet<Rule>) -> Self {
        Self {
            calendar,
            about,
            shadow,
            ..Self::default()
        }
    }

    /// With what is known from before.
    pub fn set_past(&mut self, past: Past) {
        self.past = past;
    }

    /// What is known from before, for those that come after.
    pub fn take_past(&mut self) -> Past {
        std::mem::take(&mut self.past)
    }

    /// Adds sampled packets.
    pub fn look(&mut self, sampled: &[(Sampled, Sample)]) {
        for (sampled, sample) in sampled {
            for incident in self.open.values_mut().filter(|open| open.is_firing()) {
                incident.evidence.samples.add(sampled, sample);
            }
            self.recent.add(sampled.clone(), *sample);
        }
    }

    /// Takes the readings of a tick. Gives what has changed, with the records as they are now.
    pub fn update(
        &mut self,
        detector: &Detector,
        tick: &Tick,
        host: &HostLog,
    ) -> Vec<(Change, Record)> {
        let mut changes: Vec<(Change, Subject)> = Vec::new();
        for subject in &self.of_interest(detector) {
            let readings = detector.readings().get(subject);
            let mut readings = readings.cloned().unwrap_or_default();
            self.leave_in_shadow(*subject, &mut readings);
            let worst = readings.iter().filter_map(Reading::level).max();
            if let Some(incident) = self.open.get_mut(subject) {
                if incident.is_over() {
                    continue;
                }
                incident.tick(detector, tick, &self.calendar);
                let found = incident.update(&readings, detector, tick.now);
                changes.extend(found.into_iter().map(|change| (change, *subject)));
            } else if let Some(level) = worst {
                if self.belongs_elsewhere(*subject, &readings, detector, tick.now) {
                    continue;
                }
                if self.open.len() >= INCIDENTS {
                    let seen = last_seen(*subject, detector).unwrap_or_default();
                    let Some(other) = self.give_up(level, seen, tick.now) else {
                        self.unfollowed.insert(*subject);
                        continue;
                    };
                    changes.push((Change::Stale, other));
                }
                let (recent, calendar) = (&self.recent, &self.calendar);
                let before = Before {
                    recent,
                    host,
                    clock: calendar,
                };
                let past = &mut self.past;
                let incident =
                    Incident::open(*subject, &readings, detector, tick.now, &before, past);
                self.open.insert(*subject, incident);
                self.unfollowed.remove(subject);
                changes.push((Change::Opened, *subject));
            } else {
                self.unfollowed.remove(subject);
                self.held.remove(subject);
            }
        }
        let is_known = |subject: &Subject| {
            detector.readings().contains_key(subject) || self.open.contains_key(subject)
        };
        self.unfollowed.retain(is_known);
        self.in_shadow.retain(|(subject, _)| is_known(subject));
        let records: Vec<_> = changes
            .into_iter()
            .filter_map(|(change, subject)| {
                let incident = self.open.get(&subject)?;
                Some((
                    change,
                    incident.record(tick.now, &self.calendar, &self.about),
                ))
            })
            .collect();
        self.open.retain(|_, incident| !incident.is_over());
        records
    }

    /// Of whom a rule fires, or something is known that could end: of incidents also where the detector has no readings any
    /// more, or they would never end.
    fn of_interest(&self, detector: &Detector) -> BTreeSet<Subject> {
        let in_shadow = self.in_shadow.iter().map(|(subject, _)| subject);
        let noted = self.held.keys().chain(&self.unfollowed).chain(in_shadow);
        let noted = noted.filter(|subject| detector.readings().contains_key(subject));
        let all = detector.firing().chain(noted).chain(self.open.keys());
        all.copied().collect()
    }

    /// Whether what a server suffers is part of another incident: of one that began in the same moment for the same
    /// clients, of its resolver's way to all servers, or of a server that asks it.
    fn belongs_elsewhere(
        &mut self,
        subject: Subject,
        readings: &[Reading],
        detector: &Detector,
        now: Duration,
    ) -> bool {
        let Subject::Server(key) = subject else {
            return false;
        };
        let fires = |reading: &&Reading| reading.level().is_some();
        let mut firing = readings.iter().filter(fires);
        let may_be_brought_about = |rule: Rule| {
            rule.is_failure() && rule != Rule::Collapse
                || matches!(rule, Rule::Slow | Rule::RcodeShift)
        };
        if !firing.all(|reading| may_be_brought_about(reading.rule)) {
            return self.joins_flood(key, readings, detector, now);
        }
        let askers = detector.askers();
        let path_is_gone = self
            .open
            .get(&Subject::Network)
            .is_some_and(|incident| incident.symptoms.fails());
        if path_is_gone && askers.resolver_of(&key).is_some() {
            return true;
        }
        // Upstreams are told with the server that asks them.
        if self
            .open
            .values()
            .any(|incident| incident.is_failed_by(&key))
        {
            return true;
        }
        let asks = |server: &ServerKey| failing_upstreams(server, detector, now).contains(&key);
        let resolvers: Vec<ServerKey> = detector
            .servers()
            .filter(|(server, state)| **server != key && state.has_answered && asks(server))
            .map(|(server, _)| *server)
            .collect();
        if resolvers
            .iter()
            .any(|server| self.open.contains_key(&Subject::Server(*server)))
        {
            return true;
        }
        let since = *self.held.entry(subject).or_insert(now);
        if !resolvers.is_empty() && now.saturating_sub(since) < PATIENCE {
            return true;
        }
        let failing_since = |server: &ServerKey| detector.server(server)?.failing_since;
        let Some(since) = failing_since(&key) else {
            return false;
        };
        // A program of its own that is down says nothing of others.
        if detector.vantage(&key) == Vantage::Server || firing_of_its_own(readings) {
            return false;
        }
        let clients = |server: &ServerKey| -> BTreeSet<ServerKey> {
            let asks = |(_, asker): &(&ServerKey, &crate::detect::askers::Asker)| {
                asker.servers.contains_key(server)
            };
            let found = askers.by_client.iter().filter(asks);
            found.map(|(client, _)| *client).collect()
        };
        let ours = clients(&key);
        let state = detector.server(&key);
        let timeout = detector.timeout();
        let in_the_same_moments = |server: &ServerKey| match (state, detector.server(server)) {
            (Some(one), Some(other)) => fail_in_the_same_moments(one, other, now, timeout),
            _ => false,
        };
        let other = self.open.iter_mut().find(|(other, incident)| {
            let Subject::Server(server) = other else {
                return false;
            };
            incident.symptoms.fails()
                && !incident.symptoms.is_of_its_own()
                && (incident.onset().abs_diff(since) <= TOGETHER || in_the_same_moments(server))
                && clients(server).intersection(&ours).next().is_some()
        });
        if let Some((_, incident)) = other {
            incident.add_server(key);
            return true;
        }
        false
    }

    /// Whether a flood is part of one that another server gets from the same client, since about the same moment.
    fn joins_flood(
        &mut self,
        key: ServerKey,
        readings: &[Reading],
        detector: &Detector,
        now: Duration,
    ) -> bool {
        if !is_flood_alone(readings) {
            return false;
        }
        let other = self.open.iter_mut().find(|(other, incident)| {
            let Subject::Server(server) = other else {
                return false;
            };
            incident.symptoms.is_flooded()
                && (incident.has_server(&key) || now.saturating_sub(incident.opened()) <= TOGETHER)
                && flooded_by_one(&key, server, detector, now)
        });
        if let Some((_, incident)) = other {
            incident.add_server(key);
            return true;
        }
        false
    }

    /// Takes out the readings of rules that open no incident, and notes those that begin to fire.
    fn leave_in_shadow(&mut self, subject: Subject, readings: &mut Vec<Reading>) {
        for reading in readings.extract_if(.., |reading| self.shadow.contains(&reading.rule)) {
            let this = (subject, reading.rule);
            if reading.level().is_none() {
                self.in_shadow.remove(&this);
            } else if self.in_shadow.insert(this) {
                self.shadows.push(Shadow { subject, reading });
            }
        }
    }

    /// Whether a rule opens no incident.
    #[must_use]
    pub fn is_in_shadow(&self, rule: Rule) -> bool {
        self.shadow.contains(&rule)
    }

    /// Rules that would have been signs, since this was last asked.
    pub fn take_shadows(&mut self) -> Vec<Shadow> {
        std::mem::take(&mut self.shadows)
    }

    /// Gives up the least of all incidents, if it is less than one of this level whose server was last seen
    /// then.
    fn give_up(&mut self, level: Level, seen: Duration, now: Duration) -> Option<Subject> {
        let going_on = self.open.iter_mut().filter(|(_, open)| !open.is_over());
        let (subject, incident) = going_on
            .filter(|(_, open)| open.gives_way_to(level, seen))
            .min_by_key(|(_, open)| open.rank())?;
        incident.end(Stage::Stale, now);
        Some(*subject)
    }

    /// Servers with a sign that is not followed now, because there are too many incidents.
    #[must_use]
    pub fn unfollowed(&self) -> usize {
        self.unfollowed.len()
    }

    /// Whether nothing goes on, or is about to.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.open.is_empty() && self.held.is_empty() && self.in_shadow.is_empty()
    }

    /// Records of what goes on: each `of`th, from number `part` on.
    #[must_use]
    pub fn records(&self, now: Duration, part: usize, of: usize) -> Vec<Record> {
        let open = self.open.values().skip(part).step_by(of);
        open.map(|incident| incident.record(now, &self.calendar, &self.about))
            .collect()
    }

    /// Ends all: the capture, or the sensor, has ended.
    pub fn finish(&mut self, now: Duration) -> Vec<(Record, Vec<Sample>)> {
        for incident in self.open.values_mut() {
            incident.is_unfinished();
        }
        let records = self.records(now, 0, 1);
        let open = std::mem::take(&mut self.open).into_values();
        let packets = open.map(|incident| incident.evidence.samples.packets);
        records.into_iter().zip(packets).collect()
    }

    /// An incident that goes on.
    pub fn incident(&mut self, subject: &Subject) -> Option<&mut Incident> {
        self.open.get_mut(subject)
    }

    /// Subjects of incidents.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.open.keys()
    }

    /// Packets of an incident that goes on, by its id.
    #[must_use]
    pub fn packets(&self, id: &str) -> Option<&[Sample]> {
        let incident = self.open.values().find(|open| open.id() == id)?;
        Some(&incident.evidence.samples.packets)
    }
}

/// ICMP port unreachable comes of the server itself, or of a filter before it alone.
fn firing_of_its_own(readings: &[Reading]) -> bool {
    readings
        .iter()
        .any(|reading| reading.rule == Rule::PortUnreachable && reading.level().is_some())
}
