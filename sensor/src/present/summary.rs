//! A capture, or a whole run, for people.

use std::fmt::Write;

use sensor_common::class::{Class, Malformed};
use sensor_common::server::ServerKey;
use sensor_common::totals::Totals;

use super::details::{self, SERVER_HEADER};
use super::line::error_kinds;
use super::names;
use crate::measure::counted::counted;
use crate::measure::window::ServerWindow;

/// Servers that are listed.
const SERVERS: usize = 10;

/// Totals and the busiest servers. `cut` frames were cut short by a snapshot length.
#[must_use]
pub fn summary(totals: &Totals, servers: &[(&ServerKey, &ServerWindow)], cut: u64) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut put = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    put(format!("{:>12}  packets", totals.seen));
    for class in Class::ALL {
        let count = totals.classes[class.index()];
        if count != 0 {
            put(format!("{count:>12}  {}", class.name()));
        }
    }
    for reason in Malformed::ALL {
        let count = totals.malformed[reason.index()];
        if count != 0 {
            put(format!("{count:>12}    malformed: {}", reason.name()));
        }
    }
    for (number, count) in totals.rcode.iter().enumerate() {
        if *count != 0 {
            put(format!("{count:>12}    rcode {}", names::rcode(number)));
        }
    }
    for (kind, count) in error_kinds(totals) {
        if count != 0 {
            put(format!("{count:>12}    ICMP {kind} about a DNS query"));
        }
    }
    for (count, what) in [
        (
            totals.garbage,
            "garbage: on a DNS port, and no genuine message",
        ),
        (
            totals.forged,
            "forged: from outside with an address of this host",
        ),
        (
            totals.probes,
            "of the sensor's own probes (--verify), and answers to them",
        ),
    ] {
        if count != 0 {
            put(format!("{count:>12}    {what}"));
        }
    }
    if cut != 0 {
        put(format!(
            "{cut:>12}  frames cut short by the snapshot length"
        ));
    }
    if !servers.is_empty() {
        put(format!("\n{SERVER_HEADER}"));
    }
    for (key, server) in servers.iter().take(SERVERS) {
        put(details::server(key, server));
    }
    if servers.len() > SERVERS {
        put(format!(
            "and {}",
            counted((servers.len() - SERVERS) as u64, "more server")
        ));
    }
    text.pop();
    text
}
