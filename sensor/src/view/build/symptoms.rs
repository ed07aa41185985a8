//! What rules say now of a server or of the network, with the symptoms of its incident.

use crate::detect::{Level, Reading, Rule, State as Found};
use crate::incident::Record;
use crate::view::state::State;

/// Symptoms that go on in an open incident.
pub struct Symptoms<'a> {
    record: Option<&'a Record>,
}

impl<'a> Symptoms<'a> {
    /// Of an incident, if there is one.
    pub fn of(record: Option<&'a Record>) -> Self {
        Self { record }
    }

    /// The level of a symptom that goes on.
    fn level(&self, rule: Rule) -> Option<Level> {
        let symptoms = &self.record?.symptoms;
        let goes_on = symptoms
            .iter()
            .find(|symptom| symptom.until_ms.is_none() && symptom.rule == rule.name())?;
        Some(goes_on.level)
    }

    /// The worst that the rules say now. A symptom stays where its rule holds, and a failure also where nothing can be
    /// told any more: that nobody asks is no recovery.
    pub fn worst(&self, readings: &[Reading], in_shadow: &dyn Fn(Rule) -> bool) -> State {
        let of = |reading: &Reading| {
            let level = match reading.state {
                Found::Fires(level) => Some(level),
                Found::Holds => self.level(reading.rule),
                Found::Unknown(_) if reading.rule.is_failure() => self.level(reading.rule),
                Found::Unknown(_) | Found::Quiet => None,
            };
            level.map(|level| State::of(reading.rule, level))
        };
        readings
            .iter()
            .filter(|reading| !in_shadow(reading.rule))
            .filter_map(of)
            .max()
            .unwrap_or(State::Ok)
    }
}
