//! Frames of server-sent events.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use crate::present::incident::IncidentObject;
use crate::present::schema::SCHEMA;
use crate::present::view::VerdictObject;
use crate::view::{Event, View};

/// A frame of server-sent events. JSON has no line breaks.
pub fn frame(name: &str, value: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(value).unwrap_or_else(|error| {
        log::error!("JSON cannot be written: {error}");
        "null".into()
    });
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// The frame of an event; none of what the next view tells.
pub fn event(event: &Event) -> Option<Bytes> {
    match event {
        Event::Incident(change, record) => Some(frame(
            "incident",
            &IncidentObject::new(record, Some(*change)),
        )),
        _ => None,
    }
}

/// The frame of a view: the verdict; `/api/v1/status` has the rest.
pub fn verdict(view: &View) -> Bytes {
    let verdict = VerdictObject::new(view);
    let object =
        json!({ "schema": SCHEMA, "kind": "status", "at_ms": view.at_ms, "verdict": verdict });
    frame("status", &object)
}
