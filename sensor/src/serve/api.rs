//! `/api/v1`: the JSON of `watch --output json`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use super::shared::{Shared, text};
use crate::incident::Record;
use crate::present::incident::IncidentObject;
use crate::present::schema::SCHEMA;
use crate::present::view::ViewObject;
use crate::view::View;

const JSON: &str = "application/json";

/// How all is now. Histories are of the network alone: those of 256 servers are megabytes.
pub async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let mut view = (*shared.view()).clone();
    for server in &mut view.servers {
        Arc::make_mut(server).history = Arc::default();
    }
    json_of(&shared, &ViewObject::new(&view))
}

/// All incidents that are known.
pub async fn incidents(State(shared): State<Arc<Shared>>) -> Response {
    let view = shared.view();
    let incidents: Vec<IncidentObject<'_>> = view
        .incidents
        .iter()
        .map(|record| IncidentObject::new(record, None))
        .collect();
    let object = json!({ "schema": SCHEMA, "kind": "incidents", "incidents": incidents });
    json_of(&shared, &object)
}

/// One of them.
pub async fn incident(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    match find(&shared.view(), &id) {
        Some(record) => json_of(&shared, &IncidentObject::new(&record, None)),
        None => missing(),
    }
}

/// An incident by its id.
pub fn find(view: &View, id: &str) -> Option<Arc<Record>> {
    let mut incidents = view.incidents.iter();
    incidents.find(|record| record.id == id).cloned()
}

/// There is no such incident.
pub fn missing() -> Response {
    text(
        StatusCode::NOT_FOUND,
        "no such incident among the newest 64; `sensor report --list` has those that were kept\n",
    )
}

fn json_of(shared: &Shared, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => shared.answer(JSON, body),
        Err(error) => {
            log::error!("JSON cannot be written: {error}");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "JSON cannot be written; this is a bug in sensor\n",
            )
        }
    }
}
