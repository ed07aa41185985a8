//! English for codes. Each match is exhaustive: what is new does not compile without its words.

pub mod cause;
pub mod contrast;
pub mod dropped;
pub mod finding;
pub mod icmp;

use crate::detect::{Level, Vantage};
use crate::incident::record::Record;

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
