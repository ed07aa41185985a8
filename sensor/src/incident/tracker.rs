//! Opens, worsens, eases and closes incidents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sensor_common::sample::Sample;

use super::case::{Case, Tick, last_seen};
use super::evidence::Recent;
use super::record::{Record, Stage};
use crate::detect::{Detector, Level, Reading, Rule, Subject};
use crate::measure::clock::WallClock;
use crate::measure::sighting::Sighting;

/// Incidents that are open at once; beyond them the least gives way, or the sign is not followed.
const INCIDENTS: usize = 64;

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It began.
    Opened,
    /// It became critical.
    Worsened,
    /// It has another sign.
    Sign,
    /// Another cause is likely now.
    Cause,
    /// It is critical no more.
    Eased,
    /// It is over.
    Closed,
    /// Nobody asks any more.
    Stale,
}

impl Change {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worsened => "worsened",
            Self::Sign => "sign",
            Self::Cause => "cause",
            Self::Eased => "eased",
            Self::Closed => "closed",
            Self::Stale => "stale",
        }
    }
}

/// What the sensor says of itself in a record.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// DNS ports.
    pub ports: Vec<u16>,
    /// Interfaces, or the capture.
    pub watched: Vec<String>,
}

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
    cases: BTreeMap<Subject, Case>,
    recent: Recent,
    calendar: WallClock,
    about: About,
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

    /// Adds sampled packets.
    pub fn look(&mut self, sightings: &[(Sighting, Sample)]) {
        for (sighting, sample) in sightings {
            self.recent.add(*sighting, *sample);
            for case in self.cases.values_mut().filter(|case| case.is_firing()) {
                case.evidence.add(sighting, sample);
            }
        }
    }

    /// Takes the readings of a tick. Gives what has changed, with the records as they are now.
    pub fn update(&mut self, detector: &Detector, tick: &Tick) -> Vec<(Change, Record)> {
        let mut changes: Vec<(Change, Subject)> = Vec::new();
        // Also those of which the detector has no readings any more, or they would never end.
        let known = detector.readings().keys().chain(self.cases.keys());
        let subjects: BTreeSet<Subject> = known.copied().collect();
        for subject in &subjects {
            let readings = detector.readings().get(subject);
            let mut readings: Vec<Reading> = readings.cloned().unwrap_or_default();
            self.leave_in_shadow(*subject, &mut readings);
            let worst = readings.iter().filter_map(Reading::level).max();
            if let Some(case) = self.cases.get_mut(subject) {
                if case.is_over() {
                    continue;
                }
                case.tick(detector, tick, &self.calendar);
                let found = case.update(&readings, detector, tick.now);
                changes.extend(found.into_iter().map(|change| (change, *subject)));
            } else if let Some(level) = worst {
                if self.cases.len() >= INCIDENTS {
                    let seen = last_seen(*subject, detector).unwrap_or_default();
                    let Some(other) = self.give_up(level, seen, tick.now) else {
                        self.unfollowed.insert(*subject);
                        continue;
                    };
                    changes.push((Change::Stale, other));
                }
                let (recent, calendar) = (&self.recent, &self.calendar);
                let case = Case::open(*subject, &readings, detector, tick.now, recent, calendar);
                self.cases.insert(*subject, case);
                self.unfollowed.remove(subject);
                changes.push((Change::Opened, *subject));
            } else {
                self.unfollowed.remove(subject);
            }
        }
        self.unfollowed.retain(|subject| subjects.contains(subject));
        self.in_shadow
            .retain(|(subject, _)| subjects.contains(subject));
        let records: Vec<_> = changes
            .into_iter()
            .filter_map(|(change, subject)| {
                let case = self.cases.get(&subject)?;
                Some((change, case.record(tick.now, &self.calendar, &self.about)))
            })
            .collect();
        self.cases.retain(|_, case| !case.is_over());
        records
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

    /// Rules that would have been signs, since this was last asked.
    pub fn take_shadows(&mut self) -> Vec<Shadow> {
        std::mem::take(&mut self.shadows)
    }

    /// Gives up the least of all incidents, if it is less than one of this level whose server was last seen
    /// then.
    fn give_up(&mut self, level: Level, seen: Duration, now: Duration) -> Option<Subject> {
        let going_on = self.cases.iter_mut().filter(|(_, case)| !case.is_over());
        let (subject, case) = going_on
            .filter(|(_, case)| case.gives_way_to(level, seen))
            .min_by_key(|(_, case)| case.rank())?;
        case.end(Stage::Stale, now);
        Some(*subject)
    }

    /// Servers with a sign that is not followed now, because there are too many incidents.
    #[must_use]
    pub fn unfollowed(&self) -> usize {
        self.unfollowed.len()
    }

    /// Records of what goes on: each `of`th, from number `part` on.
    #[must_use]
    pub fn records(&self, now: Duration, part: usize, of: usize) -> Vec<Record> {
        let cases = self.cases.values().skip(part).step_by(of);
        cases
            .map(|case| case.record(now, &self.calendar, &self.about))
            .collect()
    }

    /// Ends all: the capture, or the sensor, has ended.
    pub fn finish(&mut self, now: Duration) -> Vec<(Record, Vec<Sample>)> {
        for case in self.cases.values_mut() {
            case.is_unfinished();
        }
        let records = self.records(now, 0, 1);
        let cases = std::mem::take(&mut self.cases).into_values();
        let packets = cases.map(|case| case.evidence.packets);
        records.into_iter().zip(packets).collect()
    }

    /// An incident that goes on.
    pub fn case(&mut self, subject: &Subject) -> Option<&mut Case> {
        self.cases.get_mut(subject)
    }

    /// Subjects of incidents.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.cases.keys()
    }

    /// Packets of an incident that goes on, by its id.
    #[must_use]
    pub fn packets(&self, id: &str) -> Option<&[Sample]> {
        let case = self.cases.values().find(|case| case.id() == id)?;
        Some(&case.evidence.packets)
    }
}
