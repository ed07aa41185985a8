//! Which servers and incidents are shown, in which order, and which of them is selected.

use std::sync::Arc;

use super::super::words;
use super::filter::Row;
use super::ui::{Tab, UiState};
use crate::detect::Level;
use crate::incident::Record;
use crate::view::{ServerView, State, View};

/// Servers that fit the filter, in the chosen order.
#[must_use]
pub fn servers<'v>(view: &'v View, ui: &UiState) -> Vec<&'v Arc<ServerView>> {
    let mut servers: Vec<_> = view
        .servers
        .iter()
        .filter(|server| {
            ui.filter.is_empty()
                || ui.filter.fits(Row {
                    address: Some(server.address),
                    state: Some(server.state),
                    text: &format!("{} {}", server.state.name(), trouble(view, server)),
                })
        })
        .collect();
    servers.sort_by(|a, b| {
        let order = ui.sort.order(a, b);
        if ui.reversed { order.reverse() } else { order }
    });
    servers
}

/// Incidents that fit the filter, in the order of the view.
#[must_use]
pub fn incidents<'v>(view: &'v View, ui: &UiState) -> Vec<&'v Arc<Record>> {
    let fits = |record: &&Arc<Record>| {
        ui.filter.is_empty()
            || ui.filter.fits(Row {
                address: record.server.as_ref().and_then(|text| text.parse().ok()),
                state: Some(state(record)),
                text: &format!(
                    "{} {} {}",
                    record.level.name(),
                    record.stage.name(),
                    words::cause::first(record)
                ),
            })
    };
    view.incidents.iter().filter(fits).collect()
}

/// How an incident looks among states: by its level while it goes on.
#[must_use]
pub fn state(record: &Record) -> State {
    match (record.ended_ms, record.level) {
        (Some(_), _) => State::Ok,
        (None, Level::Warning) => State::Degraded,
        (None, Level::Critical) => State::Failing,
    }
}

/// What is wrong with a server, in a word or two: the ICMP error about it, or the rule that fires.
#[must_use]
pub fn trouble(view: &View, server: &ServerView) -> String {
    let incident = server.incident.as_ref().and_then(|id| {
        let mut all = view.incidents.iter();
        all.find(|record| record.id == *id)
    });
    let Some(record) = incident else {
        return String::new();
    };
    let errors = record.during.icmp_errors.iter().max_by_key(|(_, n)| **n);
    if let Some((kind, _)) = errors {
        return words::icmp::kind(kind);
    }
    let symptoms = record.symptoms.iter();
    let worst = symptoms.max_by_key(|symptom| (symptom.until_ms.is_none(), symptom.level));
    worst.map_or_else(String::new, |symptom| symptom.rule.replace('_', " "))
}

/// The row of the selected server; the first where it is not among them.
#[must_use]
pub fn position_of_server(servers: &[&Arc<ServerView>], ui: &UiState) -> usize {
    let is = |server: &&Arc<ServerView>| Some(server.address) == ui.server;
    servers.iter().position(is).unwrap_or(0)
}

/// The row of the selected incident; the first where it is not among them.
#[must_use]
pub fn position_of_incident(incidents: &[&Arc<Record>], ui: &UiState) -> usize {
    let is = |record: &&Arc<Record>| Some(&record.id) == ui.incident.as_ref();
    incidents.iter().position(is).unwrap_or(0)
}

/// The selected server.
#[must_use]
pub fn selected_server<'v>(view: &'v View, ui: &UiState) -> Option<&'v Arc<ServerView>> {
    let servers = servers(view, ui);
    servers.get(position_of_server(&servers, ui)).copied()
}

/// The selected incident.
#[must_use]
pub fn selected_incident<'v>(view: &'v View, ui: &UiState) -> Option<&'v Arc<Record>> {
    let incidents = incidents(view, ui);
    incidents.get(position_of_incident(&incidents, ui)).copied()
}

/// The incident that a report would be of: the selected one, that of the selected server, or the worst.
#[must_use]
pub fn reported(view: &View, ui: &UiState) -> Option<Arc<Record>> {
    if ui.tab == Tab::Incidents {
        return selected_incident(view, ui).cloned();
    }
    let of_server = selected_server(view, ui)
        .filter(|_| ui.tab == Tab::Servers)
        .and_then(|server| server.incident.as_ref())
        .and_then(|id| view.incidents.iter().find(|record| record.id == *id));
    of_server.or_else(|| view.incidents.first()).cloned()
}
