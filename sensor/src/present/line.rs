//! One line an interval.

use std::fmt::Write;
use std::time::Duration;

use sensor_common::class::{Class, ErrorKind, IcmpType, Quoted};
use sensor_common::settings::Direction;
use sensor_common::totals::{ICMP_CODES, Totals};

use super::{details, names};
use crate::engine::kernel::clsact;
use crate::measure::counted::counted;
use crate::measure::window::Window;

/// Rcodes and ICMP kinds that are named in a line.
const NAMED: usize = 3;

/// The header above the lines.
pub const HEADER: &str =
    "    time  interface        packets/s   queries/s responses/s  ICMP errors about DNS";

/// An interval of an interface on which nothing is counted any more.
#[must_use]
pub fn detached(at: Duration, interface: &str) -> String {
    format!(
        "{:>7.1}s  {interface:<15}   detached: nothing is counted",
        at.as_secs_f64()
    )
}

/// An interval of one interface. Where a direction is detached, what was not seen in the other is unknown and
/// not 0.
#[must_use]
pub fn interval(
    at: Duration,
    interface: &str,
    totals: &Totals,
    window: &Window,
    detached: Option<Direction>,
) -> String {
    let classes = &totals.classes;
    let shown = |count: u64, text: String| match (detached, count) {
        (Some(_), 0) => "-".into(),
        _ => text,
    };
    let rate = |count| shown(count, format!("{:.1}", window.rate(count)));
    let errors = errors_about_queries(totals);
    let mut line = format!(
        "{:>7.1}s  {interface:<15} {:>10}  {:>10}  {:>10}  {:>6}",
        at.as_secs_f64(),
        rate(totals.seen),
        rate(classes[Class::DnsQuery.index()]),
        rate(classes[Class::DnsResponse.index()]),
        shown(errors, errors.to_string()),
    );
    let mut notes = Vec::new();
    if let Some(direction) = detached {
        notes.push(format!(
            "{} is detached and not counted",
            clsact::name(direction)
        ));
    }
    notes.extend(most(&error_kinds(totals)));
    notes.extend(most(&rcodes_of_note(totals)));
    let count = |class: Class| classes[class.index()];
    for class in [Class::Malformed, Class::Fragment] {
        if count(class) != 0 {
            notes.push(format!("{} {}", count(class), class.name()));
        }
    }
    for (count, what) in [
        (totals.garbage, "garbage"),
        (totals.forged, "forged"),
        (totals.probes, "probes"),
    ] {
        if count != 0 {
            notes.push(format!("{count} {what}"));
        }
    }
    let unanswered = window.unanswered();
    if unanswered != 0 {
        let about = if window.cost.shift == 0 { "" } else { "about " };
        notes.push(format!("{about}{unanswered} unanswered"));
    }
    if window.cost.shift != 0 {
        notes.push(format!("follows {}", details::followed(window.cost.shift)));
    }
    if window.cost.samples_lost != 0 {
        notes.push(format!(
            "{} lost",
            counted(window.cost.samples_lost, "sample")
        ));
    }
    if window.evicted != 0 {
        notes.push(format!("{} evicted", counted(window.evicted, "server")));
    }
    if !notes.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(line, "  {}", notes.join(", "));
    }
    line
}

/// ICMP errors that quote a DNS query.
#[must_use]
pub fn errors_about_queries(totals: &Totals) -> u64 {
    totals
        .icmp_error
        .iter()
        .flatten()
        .map(|counts| counts[Quoted::Query.index()])
        .sum()
}

/// ICMP errors that quote a DNS query, by what they say.
#[must_use]
pub fn error_kinds(totals: &Totals) -> Vec<(String, u64)> {
    let mut kinds = vec![0; ErrorKind::ALL.len()];
    for icmp_type in IcmpType::ALL {
        for code in 0..ICMP_CODES {
            let number = u8::try_from(code).unwrap_or(u8::MAX);
            kinds[ErrorKind::of(*icmp_type, number).index()] +=
                totals.icmp_error[icmp_type.index()][code][Quoted::Query.index()];
        }
    }
    ErrorKind::ALL
        .iter()
        .map(|kind| (kind.name().replace('_', " "), kinds[kind.index()]))
        .collect()
}

/// Rcodes other than NOERROR.
fn rcodes_of_note(totals: &Totals) -> Vec<(String, u64)> {
    totals
        .rcode
        .iter()
        .enumerate()
        .skip(1)
        .map(|(number, count)| (names::rcode(number), *count))
        .collect()
}

fn most(counts: &[(String, u64)]) -> Vec<String> {
    let mut counts: Vec<_> = counts.iter().filter(|(_, count)| *count != 0).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
        .iter()
        .take(NAMED)
        .map(|(name, count)| format!("{count} {name}"))
        .collect()
}
