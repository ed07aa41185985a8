//! The page: made here, without a script a snapshot that refreshes, with one kept up to date by server-sent events.
//!
//! There is one renderer. The script replaces parts of the page by what this module made of the next view; it never
//! makes markup of data.

mod assets;
mod chart;
mod incidents;
mod own;
pub mod render;
mod servers;
mod verdict;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::api;
use super::shared::{Shared, answer, text};
use crate::incident::Record;
use crate::present::incident::IncidentObject;
use crate::present::report;
use assets::ASSETS;

const HTML: &str = "text/html; charset=utf-8";

/// `/`.
pub async fn index(State(shared): State<Arc<Shared>>) -> Response {
    shared.answer(HTML, render::whole(&shared.view()))
}

/// `/incidents/ID`: the report; with `.html`, `.md` or `.json` behind the id to keep.
pub async fn report(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let view = shared.view();
    if let Some(record) = api::find(&view, &name) {
        return shared.answer(HTML, shown(&record));
    }
    let Some((id, form)) = name.rsplit_once('.') else {
        return api::missing();
    };
    let Some(record) = api::find(&view, id) else {
        return api::missing();
    };
    match form {
        "html" => kept(&shared, &name, HTML, report::html(&record, None)),
        "md" => kept(
            &shared,
            &name,
            "text/markdown; charset=utf-8",
            report::markdown(&record, None),
        ),
        "json" => {
            let object = IncidentObject::new(&record, None);
            let body = serde_json::to_string_pretty(&object).unwrap_or_default();
            kept(&shared, &name, "application/json", body)
        }
        _ => api::missing(),
    }
}

/// A report in the page's frame: the policy allows no style inside it.
fn shown(record: &Record) -> String {
    let head = format!(
        "<link rel=\"stylesheet\" href=\"../assets/{}\">\n<link rel=\"icon\" href=\"../assets/{}\" type=\"image/svg+xml\">",
        assets::name("report.css"),
        assets::name("icon.svg"),
    );
    let id = report::escaped(&record.id);
    let top = format!(
        "<nav><a href=\"../\">All servers</a> | Download: <a href=\"{id}.html\" download>HTML</a>, \
         <a href=\"{id}.md\" download>Markdown</a>, <a href=\"{id}.json\" download>JSON</a></nav>"
    );
    report::linked(record, &head, &top)
}

fn kept(shared: &Shared, name: &str, content_type: &'static str, body: String) -> Response {
    let mut response = shared.answer(content_type, body);
    // An id has letters, digits and a few signs; the name of a record that is known is one.
    let value = HeaderValue::from_str(&format!("attachment; filename=\"sensor-{name}\""));
    if let Ok(value) = value {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// `/assets/NAME`: the name has the hash of the content, so it may be kept for ever.
pub async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| *asset.name == name) else {
        return text(
            StatusCode::NOT_FOUND,
            "no such file in this version of sensor; load the page again\n",
        );
    };
    let mut response = answer(StatusCode::OK, asset.content_type, asset.content);
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    response
}
