//! ICMP errors, in the words of RFC 792 and RFC 4443.

use super::super::number;
use crate::incident::record::{Record, Summary};

/// A kind by its code in the record.
#[must_use]
pub fn kind(code: &str) -> String {
    match code {
        "prohibited" => "administratively prohibited".into(),
        "too_big" => "packet too big".into(),
        other => other.replace('_', " "),
    }
}

/// All errors about queries.
#[must_use]
pub fn total(summary: &Summary) -> u64 {
    summary.icmp_errors.values().sum()
}

/// `65 port unreachable, 2 time exceeded`, the most frequent first; empty where there was none.
#[must_use]
pub fn by_kind(summary: &Summary) -> String {
    let mut kinds: Vec<(&String, &u64)> = summary.icmp_errors.iter().collect();
    kinds.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), *code));
    let each: Vec<String> = kinds
        .into_iter()
        .map(|(code, many)| format!("{} {}", number::count(*many), kind(code)))
        .collect();
    each.join(", ")
}

/// That nothing explains failed queries: no ICMP error, or too few.
#[must_use]
pub fn unexplained(record: &Record) -> String {
    match total(&record.during) {
        0 => "no ICMP error about them was seen".into(),
        errors => format!(
            "only {} came back, too few to explain them",
            number::counted(errors, "ICMP error")
        ),
    }
}
