//! Incidents that are over, counted by server and cause.

use std::collections::{BTreeMap, BTreeSet};

use crate::incident::Record;
use crate::view::View;

/// Pairs of server and cause that are told apart; what is beyond them counts for server `other`.
const PAIRS: usize = 512;

/// Counts each incident once, when it is over: before that its cause may change.
#[derive(Debug, Default)]
pub struct Ended {
    counted: BTreeSet<String>,
    by_cause: BTreeMap<(String, &'static str), u64>,
}

impl Ended {
    /// Incidents of now. `name` is the label of a server.
    pub fn update(&mut self, view: &View, name: impl Fn(&str) -> String) {
        for record in &view.incidents {
            if is_over(record) && !self.counted.contains(&record.id) {
                self.counted.insert(record.id.clone());
                let server = record.server.as_deref().map_or_else(String::new, &name);
                let mut key = (server, cause(record));
                if self.by_cause.len() >= PAIRS && !self.by_cause.contains_key(&key) {
                    key.0 = "other".into();
                }
                *self.by_cause.entry(key).or_default() += 1;
            }
        }
        // An incident that is shown no longer comes back never.
        let shown: BTreeSet<&str> = view.incidents.iter().map(|record| &*record.id).collect();
        self.counted.retain(|id| shown.contains(id.as_str()));
    }

    /// Server, cause, and how often.
    pub fn by_cause(&self) -> impl Iterator<Item = (&str, &'static str, u64)> {
        self.by_cause
            .iter()
            .map(|((server, cause), count)| (server.as_str(), *cause, *count))
    }
}

/// Whether it goes on no longer.
pub fn is_over(record: &Record) -> bool {
    !record.stage.goes_on()
}

/// The cause, the first of two that cannot be told apart.
pub fn cause(record: &Record) -> &'static str {
    record
        .first_cause
        .first()
        .map_or("unknown", |cause| cause.code())
}
