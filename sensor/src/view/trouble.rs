//! What is wrong now: open incidents that touch the state of the network, the worst first.

use std::sync::Arc;

use super::model::View;
use super::server::ServerView;
use super::state::State;
use crate::incident::Record;

/// An incident that goes on, and how its server is now.
#[derive(Clone, Copy)]
pub struct Trouble<'a> {
    /// What it means for the network.
    pub state: State,
    /// Its server; none where the whole network is concerned.
    pub server: Option<&'a ServerView>,
    /// The incident.
    pub record: &'a Record,
}

impl View {
    /// See the module. Incidents whose server is well again are not among them, nor are scans.
    #[must_use]
    pub fn troubles(&self) -> Vec<Trouble<'_>> {
        troubles(&self.incidents, &self.servers, self.network.own)
    }
}

/// The same of what a view is made of; `own` is the state of the network's own incidents.
pub(super) fn troubles<'a>(
    incidents: &'a [Arc<Record>],
    servers: &'a [Arc<ServerView>],
    own: State,
) -> Vec<Trouble<'a>> {
    let asked = |server: &ServerView| server.now.queries.max(server.minute.queries);
    let asked_of_all: f64 = servers.iter().map(|server| asked(server)).sum();
    let open = incidents.iter().filter(|record| record.ended_ms.is_none());
    let mut troubles: Vec<Trouble<'_>> = open
        .filter_map(|record| {
            let all = servers.iter().map(AsRef::as_ref);
            let touched = all.filter(|server| server.incident.as_ref() == Some(&record.id));
            let worst = touched.max_by_key(|server| server.state);
            let now = match (&record.server, worst) {
                (Some(_), Some(server)) => server.state,
                (Some(_), None) => return None,
                (None, _) => own,
            };
            // A failure is a warning at first. Of a server that most queries go to, it is the network's.
            let state = match worst {
                Some(server) if now == State::Failing && asked(server) >= asked_of_all / 2.0 => now,
                _ => now.weighed(record.level),
            };
            state.is_bad().then_some(Trouble {
                state,
                server: worst,
                record,
            })
        })
        .collect();
    let rate = |trouble: &Trouble<'_>| {
        let of = |server: &ServerView| server.usual.queries.unwrap_or(server.minute.queries);
        trouble.server.map_or(0.0, of)
    };
    troubles.sort_by(|a, b| {
        let by_level = b.record.level.cmp(&a.record.level);
        b.state
            .cmp(&a.state)
            .then(by_level)
            .then(rate(b).total_cmp(&rate(a)))
    });
    troubles
}
