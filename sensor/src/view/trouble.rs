//! What is wrong now: open incidents that touch the state of the network, the worst first.

use super::View;
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
        let open = self
            .incidents
            .iter()
            .filter(|record| record.ended_ms.is_none());
        let mut troubles: Vec<Trouble<'_>> = open
            .filter_map(|record| {
                let of = |server: &&ServerView| server.incident.as_ref() == Some(&record.id);
                let server = self.servers.iter().map(AsRef::as_ref).find(of);
                let now = match (&record.server, server) {
                    (Some(_), Some(server)) => server.state,
                    (Some(_), None) => return None,
                    (None, _) => self.network.own,
                };
                let state = now.weighed(record.level);
                state.is_bad().then_some(Trouble {
                    state,
                    server,
                    record,
                })
            })
            .collect();
        let rate = |trouble: &Trouble<'_>| {
            trouble.server.map_or(0.0, |server| {
                server.usual.queries.unwrap_or(0.0).max(server.now.queries)
            })
        };
        troubles.sort_by(|a, b| {
            b.state
                .cmp(&a.state)
                .then(b.record.level.cmp(&a.record.level))
                .then(rate(b).total_cmp(&rate(a)))
        });
        troubles
    }
}
