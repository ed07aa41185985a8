//! Alerts that their receiver has not taken yet: the newest state of each incident, the newest first.

use std::collections::{BTreeSet, VecDeque};

use super::super::alert::Alert;
use crate::incident::Change;

/// Incidents that wait; as many as are open at once.
const MOST: usize = 64;

/// How far an incident is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Id of the incident.
    pub incident: String,
    /// Whether the incident is over with it.
    pub is_last: bool,
    /// The object that is told.
    pub json: String,
}

impl State {
    /// What an alert says.
    pub fn of(alert: &Alert) -> Self {
        Self {
            incident: alert.record.id.clone(),
            is_last: matches!(alert.change, Some(Change::Closed | Change::Stale)),
            json: alert.json.clone(),
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Pending {
    /// The newest first, and how often each was tried.
    waiting: VecDeque<(State, usize)>,
    /// Incidents that go on, also those of which nothing waits.
    open: BTreeSet<String>,
}

impl Pending {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether an incident goes on.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Notes how far an incident is.
    pub fn note(&mut self, state: &State) {
        if state.is_last {
            self.open.remove(&state.incident);
        } else {
            self.open.insert(state.incident.clone());
        }
    }

    /// Adds one that is to be tried first. Gives how many others it makes superfluous: the older state of its incident,
    /// and what is beyond the bound.
    pub fn add(&mut self, state: State) -> usize {
        self.note(&state);
        let before = self.waiting.len();
        self.waiting
            .retain(|(other, _)| other.incident != state.incident);
        self.waiting.push_front((state, 0));
        self.waiting.truncate(MOST);
        before + 1 - self.waiting.len()
    }

    /// The one to be tried.
    pub fn newest(&self) -> Option<State> {
        self.waiting.front().map(|(state, _)| state.clone())
    }

    /// The newest was taken.
    pub fn taken(&mut self) {
        self.waiting.pop_front();
    }

    /// The newest was not taken. Whether it is given up: its incident is over, and it was tried more often than `most`
    /// times.
    pub fn failed(&mut self, most: usize) -> bool {
        let Some((state, tries)) = self.waiting.front_mut() else {
            return false;
        };
        *tries += 1;
        let given_up = state.is_last && *tries > most;
        if given_up {
            self.waiting.pop_front();
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(pending: &mut Pending, incident: &str, is_last: bool, json: &str) -> usize {
        pending.add(State {
            incident: incident.into(),
            is_last,
            json: json.into(),
        })
    }

    #[test]
    fn the_newest_state_of_each_incident_waits_the_newest_first() {
        let mut pending = Pending::default();
        assert_eq!(add(&mut pending, "1", false, "opened"), 0);
        assert_eq!(add(&mut pending, "2", false, "another"), 0);
        assert_eq!(add(&mut pending, "1", false, "worsened"), 1);
        let mut order = Vec::new();
        while let Some(state) = pending.newest() {
            order.push(state.json);
            pending.taken();
        }
        assert_eq!(order, ["worsened", "another"]);
    }

    #[test]
    fn the_state_of_an_open_incident_is_never_given_up_and_the_last_one_is() {
        let mut pending = Pending::default();
        add(&mut pending, "1", false, "opened");
        assert!((0..1_000).all(|_| !pending.failed(5)));
        assert!(pending.has_open());
        add(&mut pending, "1", true, "closed");
        assert!(!pending.has_open());
        let tries = (0..10).position(|_| pending.failed(5));
        assert_eq!(tries, Some(5));
        assert!(pending.is_empty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut pending = Pending::default();
        let lost: usize = (0..100)
            .map(|id| add(&mut pending, &id.to_string(), false, "opened"))
            .sum();
        assert_eq!((pending.waiting.len(), lost), (MOST, 100 - MOST));
    }
}
