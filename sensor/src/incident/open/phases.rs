//! From when to when there was a failure, and a flood, and which of them came first.

use std::time::Duration;

use super::super::chronology::{Came, MOMENT, Span, flood_came, go_on};
use super::onset::{RISE, onset, risen_since};
use super::subject::server_state;
use super::symptoms::Symptoms;
use crate::detect::history::Span as Counted;
use crate::detect::rules::random_names;
use crate::detect::{Detector, Reading, Rule, Subject};

/// A pause of a flood, and of a failure.
const PAUSE: Duration = Duration::from_secs(3);
const CALM: Duration = Duration::from_secs(30);

/// The failure, what a flood may bring about (a failure, or slowness), and the flood, if there were any.
#[derive(Default)]
pub struct Phases {
    /// Most or some queries failed.
    pub failure: Option<Span>,
    harm: Option<Span>,
    flood: Option<Span>,
    /// When names below one zone began to fail that do not repeat.
    names_since: Option<Duration>,
    /// The flood made the rate rise, and is over where it does not.
    has_risen: bool,
}

impl Phases {
    /// Notes from when to when there is a failure, and a flood.
    pub fn follow(
        &mut self,
        subject: Subject,
        readings: &[Reading],
        symptoms: &Symptoms,
        during: &Counted,
        detector: &Detector,
        now: Duration,
    ) {
        let of = |is: &dyn Fn(Rule) -> bool| -> Vec<Reading> {
            let fire = readings.iter().filter(|reading| reading.level().is_some());
            fire.filter(|reading| is(reading.rule)).cloned().collect()
        };
        let failures = of(&Rule::is_failure);
        if !failures.is_empty() {
            let begun = || onset(subject, &failures, detector, now);
            go_on(&mut self.failure, begun, now, CALM);
        }
        let harms = of(&|rule| rule.is_failure() || rule == Rule::Slow);
        if !harms.is_empty() {
            let begun = || onset(subject, &harms, detector, now);
            go_on(&mut self.harm, begun, now, CALM);
        }
        let rises = server_state(subject, detector).is_some_and(|state| {
            let lately = state.history.over(2 * MOMENT);
            lately.rate(lately.counters.queries) >= RISE * state.usual.rate.mean()
        });
        let floods = of(&Rule::is_flood);
        self.has_risen |= rises && !floods.is_empty();
        // The heaviest source is that of the last seconds: it may have ended since.
        let lasts = |reading: &Reading| reading.rule != Rule::OneSource || rises || !self.has_risen;
        if floods.iter().any(lasts) {
            let flood = floods
                .iter()
                .find(|reading| reading.rule == Rule::QueryFlood);
            let least = flood.map(|reading| reading.warning);
            let begun = || risen_since(subject, least, detector, now);
            // What has brought a failure about may pause, and is no other flood for that.
            let pause = if self.flood_came(symptoms, during) == Some(Came::First) {
                Duration::MAX
            } else {
                PAUSE
            };
            go_on(&mut self.flood, begun, now, pause);
        }
        // The rate may hardly rise by them: they are dated by themselves.
        if self.names_since.is_none()
            && floods
                .iter()
                .any(|reading| reading.rule == Rule::RandomNames)
            && let Subject::Server(key) = subject
        {
            let begun = detector.with_facts(&key, now, |facts| {
                let zone = random_names::worst(facts)?;
                random_names::begun(facts, &zone.name)
            });
            self.names_since = begun.flatten();
            if let (Some(flood), Some(since)) = (&mut self.flood, self.names_since) {
                flood.since = flood.since.min(since);
            }
        }
    }

    /// Which came first, the flood or the failure, where there are both.
    pub fn flood_came(&self, symptoms: &Symptoms, during: &Counted) -> Option<Came> {
        let (flood, failure) = (self.flood?, self.harm?);
        let counters = &during.counters;
        let made_up = symptoms.are_made_up(failure.since + PAUSE, self.names_since);
        let repeated = counters.transactions.retransmitted * 2 >= counters.queries;
        Some(flood_came(flood, failure, made_up, repeated))
    }
}
