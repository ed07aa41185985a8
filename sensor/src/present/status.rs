//! `sensor status`: how DNS is, in one line.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::schema::SCHEMA;
use super::verdict::{Verdict, verdict};
use crate::view::{State, View};

/// What a running sensor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusObject {
    schema: u32,
    kind: String,
    /// Milliseconds since 1970; 0 before the first tick.
    pub at_ms: u64,
    /// What is watched.
    pub interfaces: Vec<String>,
    /// A code of [`State`].
    pub state: String,
    /// See [`Verdict`].
    pub headline: String,
    /// See [`Verdict`].
    pub why: Option<String>,
    /// Servers that are not well.
    pub bad: Vec<IpAddr>,
}

impl StatusObject {
    /// Of a view.
    #[must_use]
    pub fn new(view: &View) -> Self {
        Self::with(view, verdict(view))
    }

    /// Of a view, with a verdict on it.
    #[must_use]
    pub fn with(view: &View, verdict: Verdict) -> Self {
        let bad = view.servers.iter().filter(|server| server.state.is_bad());
        Self {
            schema: SCHEMA,
            kind: "status".into(),
            at_ms: view.at_ms,
            interfaces: view
                .interfaces
                .iter()
                .map(|interface| interface.name.clone())
                .collect(),
            state: verdict.state.name().into(),
            headline: verdict.headline,
            why: verdict.why,
            bad: bad.map(|server| server.address).collect(),
        }
    }

    /// The state; none where it is of a newer sensor that knows more of them.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        let mut all = State::ALL.into_iter();
        all.find(|state| state.name() == self.state)
    }

    /// For people.
    #[must_use]
    pub fn line(&self) -> String {
        let why = self
            .why
            .as_ref()
            .map_or_else(String::new, |why| format!(" ({why})"));
        format!("{}: {}{why}", self.interfaces.join(", "), self.headline)
    }
}
