//! Incidents, those that go on first.

use std::fmt::Write;

use crate::incident::Record;
use crate::present::calendar::{date, until};
use crate::present::report::{escaped, summary};
use crate::present::words::{cause, level, subject};
use crate::view::View;

/// A list with an entry for each, or that there was none.
pub fn html(view: &View) -> String {
    if view.incidents.is_empty() {
        return "<p>No incident since the sensor started.</p>".into();
    }
    let mut html = String::from("<ul class=\"incidents\">\n");
    for record in &view.incidents {
        entry(&mut html, record);
    }
    html.push_str("</ul>");
    html
}

fn entry(html: &mut String, record: &Record) {
    let id = escaped(&record.id);
    let began = date(record.onset_ms);
    let (state, when) = match record.ended_ms {
        None => ("open", format!("since {began} UTC, ongoing")),
        Some(ended) => (
            "over",
            format!("{began} to {} UTC", until(record.onset_ms, ended)),
        ),
    };
    let subject = escaped(subject(record));
    let cause = escaped(&cause::first(record));
    // Writing to a string cannot fail.
    let _ = writeln!(
        html,
        "<li class=\"{state}\"><h3><a href=\"incidents/{id}\">{subject}: {cause}</a></h3>\n\
         <p><span class=\"level {level}\">{level}</span> {when}</p>\n<p>{}</p>\n\
         <p>Report: <a href=\"incidents/{id}.html\" download aria-label=\"Report of {id} as HTML\">HTML</a> \
         <a href=\"incidents/{id}.md\" download aria-label=\"Report of {id} as Markdown\">Markdown</a> \
         <a href=\"incidents/{id}.json\" download aria-label=\"Report of {id} as JSON\">JSON</a></p></li>",
        escaped(&summary(record)),
        level = level(record.level),
    );
}
