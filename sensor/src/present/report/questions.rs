//! The questions that a written incident report answers, each under its own heading.

use super::super::calendar::{clock, time};
use super::super::number::{count, counted, share, span, were};
use super::super::words::{self, finding, icmp};
use super::document::{Block, Section};
use super::head::in_a_sentence;
use super::impact::{impact, seconds};
use super::timeline;
use crate::detect::Vantage;
use crate::incident::record::{Record, Stage, Summary};

/// See the module.
#[must_use]
pub fn sections(record: &Record) -> Vec<Section> {
    let section = |heading: &str, blocks| Section {
        heading: heading.into(),
        blocks,
        repeats: true,
    };
    vec![
        section(
            "Summary of the problem in the DNS and ICMP traffic",
            problem(record).into_iter().map(Block::Text).collect(),
        ),
        section("Time of the incident", vec![Block::Table(times(record))]),
        section("How it was noticed", noticed(record)),
        section("What was examined", vec![Block::Text(examined(record))]),
        section("Key findings", vec![Block::Bullets(key_findings(record))]),
        section("Likely cause", likely(record)),
    ]
}

fn problem(record: &Record) -> Vec<String> {
    if record.server.is_none() {
        return vec![impact(record)];
    }
    let during = &record.during;
    let dns = format!(
        "DNS: {} sent to {} (UDP port {}) in {}: {}.{}",
        were(during.asked, "query"),
        words::subject(record),
        words::ports(record),
        seconds(during.seconds),
        outcomes(during),
        rcodes(during)
    );
    let icmp = match icmp::total(during) {
        0 => "ICMP: no ICMP error about a query was seen.".to_string(),
        _ => format!(
            "ICMP: errors about queries: {}; {} from the server's own address.",
            icmp::by_kind(during),
            count(during.icmp_from_server)
        ),
    };
    let backscatter = match during.backscatter {
        0 => String::new(),
        many => format!(
            " {} came back about responses.",
            counted(many, "ICMP error")
        ),
    };
    vec![dns, format!("{icmp}{backscatter}")]
}

/// Each query is in one of them.
fn outcomes(summary: &Summary) -> String {
    let all = [
        (summary.answered, "answered in time"),
        (summary.errored, "ended by an ICMP error"),
        (summary.unanswered, "unanswered"),
        (summary.waiting, "pending"),
    ];
    let each: Vec<String> = all
        .iter()
        .enumerate()
        .filter(|(at, (many, _))| *at == 0 || *many != 0)
        .map(|(_, (many, what))| format!("{} {what}", count(*many)))
        .collect();
    each.join(", ")
}

/// Answers that are not NOERROR, if there are any.
fn rcodes(summary: &Summary) -> String {
    let all: u64 = summary.rcodes.values().sum();
    let mut bad: Vec<(&String, &u64)> = summary
        .rcodes
        .iter()
        .filter(|(rcode, _)| rcode.as_str() != "NOERROR")
        .collect();
    bad.sort_by_key(|(_, many)| std::cmp::Reverse(**many));
    if bad.is_empty() {
        return String::new();
    }
    let each: Vec<String> = bad
        .into_iter()
        .map(|(rcode, many)| format!("{} {rcode} ({})", count(*many), share(*many, all)))
        .collect();
    format!(" Of {}: {}.", counted(all, "answer"), each.join(", "))
}

fn times(record: &Record) -> Vec<Vec<String>> {
    let after = |ms: u64| span(ms.saturating_sub(record.onset_ms));
    let row = |what: &str, ms: u64, note: String| vec![what.to_string(), time(ms), note];
    let mut rows = vec![
        vec!["event".into(), "UTC".into(), "after the onset".into()],
        row("onset", record.onset_ms, "-".into()),
        row("detected", record.detected_ms, after(record.detected_ms)),
        row(
            "last symptom",
            record.last_symptom_ms,
            after(record.last_symptom_ms),
        ),
    ];
    rows.push(match (record.stage, record.ended_ms) {
        (Stage::Closed, Some(at)) => row(
            "closed (30 s without symptoms, never before 60 s)",
            at,
            after(at),
        ),
        (stage, at) => {
            let at = at.unwrap_or(record.updated_ms);
            let what = match stage {
                Stage::Unfinished => {
                    format!("{} ended, incident open", words::observation(record))
                }
                stage => format!("state then: {}", stage.name().replace('_', " ")),
            };
            row(&what, at, after(at))
        }
    });
    rows
}

fn noticed(record: &Record) -> Vec<Block> {
    let symptoms = record.symptoms.iter().map(|symptom| {
        let until = symptom
            .until_ms
            .map_or_else(String::new, |until| format!(" to {}", clock(until)));
        format!(
            "{}{until}: `{}`: {}; at its worst ({}) {}",
            clock(symptom.since_ms),
            symptom.rule,
            symptom.title,
            symptom.level.name(),
            symptom.detail
        )
    });
    let mut blocks = vec![
        Block::Text(format!(
            "By the sensor, {} after the onset, by these symptoms:",
            span(record.detected_ms.saturating_sub(record.onset_ms))
        )),
        Block::Bullets(symptoms.collect()),
    ];
    let course = timeline::all(record);
    if course.len() > timeline::FIRST {
        blocks.push(Block::Text("The timeline in full:".into()));
        blocks.push(Block::Bullets(course));
    }
    blocks
}

fn examined(record: &Record) -> String {
    let subject = match &record.server {
        Some(server) => format!("traffic of the DNS server {server}"),
        None => "DNS traffic of the watched network".into(),
    };
    let kernel = match record.host.as_ref().filter(|host| host.seconds != 0) {
        Some(_) if record.vantage == Vantage::Server => {
            "the sockets of the server's host and what its kernel dropped"
        }
        Some(_) => "what the kernel of the sensor's host dropped",
        None => "",
    };
    let host = match (kernel, &record.verified) {
        ("", Some(_)) => "; and the server's answer to a probe".into(),
        ("", None) => String::new(),
        (kernel, Some(_)) => format!("; {kernel}; and the server's answer to a probe"),
        (kernel, None) => format!("; and {kernel}"),
    };
    format!(
        "All {subject} on {}, {}: DNS over UDP port {}, TCP connections to it, ICMP errors that quote DNS{host}.",
        record.watched.join(", "),
        words::stood(record),
        words::ports(record)
    )
}

fn key_findings(record: &Record) -> Vec<String> {
    if record.findings.is_empty() {
        return vec!["Nothing beyond the symptoms.".into()];
    }
    let findings = record.findings.iter();
    findings
        .map(|found| finding::sentence(found, record))
        .collect()
}

fn likely(record: &Record) -> Vec<Block> {
    let meanings = record
        .first_cause
        .iter()
        .map(|cause| words::cause::meaning_in(record, *cause));
    let text: Vec<String> = std::iter::once(in_a_sentence(record))
        .chain(meanings)
        .collect();
    vec![Block::Text(text.join(" "))]
}
