//! The rows of the table of servers.

use std::fmt::Write;
use std::time::Duration;

use super::chart;
use crate::present::number::{lasting, percent, plain, short};
use crate::present::report::escaped;
use crate::present::verdict::{glyph, word};
use crate::view::{ServerView, State, View};

/// A row for each server; `data-value` is what the script sorts by.
pub fn rows(view: &View) -> String {
    let mut rows = String::new();
    for server in &view.servers {
        row(&mut rows, view, server);
    }
    if view.servers.is_empty() {
        rows.push_str("<tr><td colspan=\"8\">no DNS server has been seen yet</td></tr>\n");
    }
    rows
}

fn row(rows: &mut String, view: &View, server: &ServerView) {
    let state = server.state;
    let address = server.address.to_string();
    let name = match &server.incident {
        Some(id) => format!("<a href=\"incidents/{0}\">{address}</a>", escaped(id)),
        None => address.clone(),
    };
    let about = if view.sensor.one_in > 1 { "~" } else { "" };
    let share = server.now.answered_share;
    let answered = share.map_or_else(|| "-".into(), |share| format!("{about}{}", percent(share)));
    let usual = server.usual.queries;
    let since = view.at_ms.saturating_sub(server.since_ms);
    let is_bad = state >= State::Degraded;
    let cells = [
        number("rate", &short(server.now.queries), Some(server.now.queries)),
        number(
            "rate usual",
            &usual.map_or_else(|| "-".into(), short),
            usual,
        ),
        number("share", &answered, share),
        latency("p50", server.now.p50),
        latency("p95", server.now.p95),
    ];
    // Writing to a string cannot fail.
    let _ = writeln!(
        rows,
        "<tr data-server=\"{address}\"><th scope=\"row\" data-value=\"{address}\">{name}</th>\
         <td data-value=\"{}\"><span class=\"state {}\"><span aria-hidden=\"true\">{}</span> {}</span></td>{}\
         <td class=\"since\" data-value=\"{since}\">{}</td><td class=\"trend\">{}</td></tr>",
        state as u8,
        state.name(),
        glyph(state),
        word(state),
        cells.concat(),
        if is_bad {
            lasting(since)
        } else {
            String::new()
        },
        chart::row(&server.history),
    );
}

/// What is not known sorts below all that is.
fn number(class: &str, text: &str, value: Option<f64>) -> String {
    let value = value.unwrap_or(-1.0);
    format!("<td class=\"number {class}\" data-value=\"{value}\">{text}</td>")
}

fn latency(class: &str, latency: Option<Duration>) -> String {
    let ms = latency.map(|latency| latency.as_secs_f64() * 1e3);
    number(class, &ms.map_or_else(|| "-".into(), plain), ms)
}
