//! English for codes. Each match is exhaustive: what is new does not compile without its words.

pub mod cause;
pub mod contrast;
pub mod dropped;
pub mod finding;
pub mod icmp;

use crate::detect::{Level, Vantage};
use crate::incident::diagnosis::kind::Kind;
use crate::incident::record::{Placed, Record};

/// The server, or the network.
#[must_use]
pub fn subject(record: &Record) -> &str {
    record.server.as_deref().unwrap_or("the watched network")
}

/// A level.
#[must_use]
pub fn level(level: Level) -> &'static str {
    level.name()
}

/// Where the sensor stood.
#[must_use]
pub fn vantage(vantage: Vantage) -> &'static str {
    match vantage {
        Vantage::Server => "on the server's host",
        Vantage::Client => "on a client's host",
        Vantage::Path => "on the path between clients and server",
    }
}

/// Where the steps are to be read from: `the sensor runs on the server's host`.
#[must_use]
pub fn stands(record: &Record) -> String {
    let vantage = vantage(record.vantage);
    match record.placed {
        Placed::Live => format!("the sensor runs {vantage}"),
        Placed::Given => format!("captured {vantage}"),
        Placed::Assumed => {
            format!(
                "assuming that it was captured {vantage}; if on a host, repeat with `--host` and its address"
            )
        }
    }
}

/// The same of the past, in a sentence about what was counted.
#[must_use]
pub fn stood(record: &Record) -> String {
    let vantage = vantage(record.vantage);
    match record.placed {
        Placed::Live => vantage.into(),
        Placed::Given => format!("captured {vantage}"),
        Placed::Assumed => format!("captured {vantage} (assumed, `--host` was not given)"),
    }
}

/// The host that the sensor runs on, or that captured.
#[must_use]
pub fn this_host(record: &Record) -> &'static str {
    match record.placed {
        Placed::Live => "this host",
        Placed::Given | Placed::Assumed => "the capturing host",
    }
}

/// So many a second, over the whole incident.
fn average(many: u64, record: &Record) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shown rounded")]
    let many = many as f64;
    many / record.during.seconds.max(1.0)
}

/// The moments of the onset and of the end are known to a tick: more digits would say more than is known.
fn two_digits(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor() - 1.0);
    (value / power).round() * power
}

/// Queries a second over the whole incident.
#[must_use]
pub fn asked_per_second(record: &Record) -> f64 {
    two_digits(average(record.during.queries, record))
}

/// Responses a second of a server that answers as fast as ever and only a part, of more than it usually gets.
#[must_use]
pub fn limit(record: &Record) -> Option<f64> {
    let has = |kinds: &[Kind]| {
        let mut findings = record.findings.iter();
        findings.any(|found| kinds.contains(&found.kind()))
    };
    let rose = has(&[
        Kind::RateRose,
        Kind::FloodFirst,
        Kind::OneSource,
        Kind::OwnHostAsks,
    ]);
    let is_limited = rose && has(&[Kind::FastAsEver]) && record.during.seconds >= 5.0;
    is_limited.then(|| two_digits(average(record.during.responses, record)))
}

/// What ends before an incident does.
#[must_use]
pub fn observation(record: &Record) -> &'static str {
    match record.placed {
        Placed::Live => "the observation",
        Placed::Given | Placed::Assumed => "the capture",
    }
}

/// Whether it may have begun before anything was seen: nothing is known of more than a moment before its onset.
#[must_use]
pub fn may_be_older(record: &Record) -> bool {
    record.server.is_some() && record.before.seconds < 3.0
}

/// The watched DNS ports: `53`, `53 or 8053`.
#[must_use]
pub fn ports(record: &Record) -> String {
    let ports: Vec<String> = record.ports.iter().map(ToString::to_string).collect();
    if ports.is_empty() {
        return "53".into();
    }
    alternatives(&ports)
}

/// `a`, `a or b`, `a, b or c`.
#[must_use]
pub fn alternatives(items: &[String]) -> String {
    joined(items, " or ")
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list(items: &[String]) -> String {
    joined(items, " and ")
}

fn joined(items: &[String], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., end] => format!("{}{last}{end}", first.join(", ")),
    }
}

/// The first of them, and how many more there are.
#[must_use]
pub fn first_of(items: &[String], most: usize) -> String {
    if items.len() <= most {
        return list(items);
    }
    format!(
        "{} and {} more",
        items[..most].join(", "),
        items.len() - most
    )
}
