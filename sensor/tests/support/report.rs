//! Holds a report against its record and against itself: sums, shares, counts, and what must not stand beside what.

#[path = "contradictions.rs"]
pub mod contradictions;

use std::collections::BTreeSet;
use std::net::IpAddr;

use sensor::incident::Record;
use sensor::incident::record::Summary;
use sensor::present::redact::redact;
use sensor::present::report::{html, markdown, term};

/// Lines before the evidence: one screen.
const SCREEN: usize = 40;
const EVIDENCE: &str = "## Evidence";
const NO_ERROR: &str = "no ICMP error about";

/// All that is wrong; nothing, as a rule.
pub fn faults(record: &Record) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, what: String| {
        if !holds {
            faults.push(what);
        }
    };
    sums(record, &mut check);
    let text = markdown(record, None);
    layout(&text, &mut check);
    shares(&text, record, &mut check);
    nouns(&text, &mut check);
    icmp(&text, record, &mut check);
    weights(record, &mut check);
    course(&text, &mut check);
    for fault in contradictions::of(&text, record) {
        check(false, fault);
    }
    page(&text, record, &mut check);
    masked(record, &mut check);
    faults
}

type Check<'c> = &'c mut dyn FnMut(bool, String);

fn sums(record: &Record, check: Check<'_>) {
    for (when, summary) in [("before", &record.before), ("during", &record.during)] {
        let Summary {
            asked,
            answered,
            errored,
            unanswered,
            waiting,
            ..
        } = summary;
        check(
            answered + errored + unanswered + waiting == *asked,
            format!("{when}: {answered} + {errored} + {unanswered} + {waiting} is not {asked}"),
        );
    }
    let during = &record.during;
    let errors: u64 = during.icmp_errors.values().sum();
    check(
        during.icmp_from_server <= errors,
        format!(
            "{} ICMP errors from the server of {errors}",
            during.icmp_from_server
        ),
    );
    let onset = record.onset_ms;
    check(
        onset <= record.detected_ms && record.detected_ms <= record.last_symptom_ms,
        format!(
            "{onset}, {}, {}",
            record.detected_ms, record.last_symptom_ms
        ),
    );
}

fn layout(text: &str, check: Check<'_>) {
    let screen = text.lines().take_while(|line| *line != EVIDENCE).count();
    check(
        screen <= SCREEN,
        format!("{screen} lines before the evidence"),
    );
    let mut at = 0;
    for heading in [
        "# DNS incident: ",
        "\n**Affects:** ",
        "\n## Next steps ",
        "\n## Against it, and other causes\n",
        "\n## Timeline ",
        "\n## Evidence\n",
        "\n## How it was measured\n",
        "\n## Summary of the problem in the DNS and ICMP traffic\n",
        "\n## Time of the incident\n",
        "\n## How it was noticed\n",
        "\n## What was examined\n",
        "\n## Key findings\n",
        "\n## Likely cause\n",
    ] {
        match text[at..].find(heading) {
            Some(found) => at += found,
            None => check(
                false,
                format!("{heading:?} is missing, or not in its place"),
            ),
        }
    }
    for odd in [
        "NaN", "Some(", "..;", " .", ",,", "..\n", "  ", " ,", "; ;", "18446744",
    ] {
        check(!text.contains(odd), format!("{odd:?} is in the report"));
    }
    let nothing = text.matches("None").count();
    let in_words = text.matches("None of ").count();
    check(
        nothing == in_words,
        "a value of Rust is in the report".into(),
    );
    let steps = section(text, "## Next steps")
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let steps = steps.count();
    check((2..=4).contains(&steps), format!("{steps} next steps"));
}

/// Lines below a heading that begins so.
fn section<'t>(text: &'t str, heading: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines()
        .skip_while(move |line| !line.starts_with(heading))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
}

fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

/// `N of M`, and `N of M ... (P %)`.
fn shares(text: &str, record: &Record, check: Check<'_>) {
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for at in 1..words.len().saturating_sub(1) {
            let part = number(words[at - 1]);
            let all = number(words[at + 1]);
            if let (Some(part), "of", Some(all)) = (part, words[at], all) {
                check(part <= all, format!("{part} of {all}: {line}"));
            }
        }
        for pair in words.windows(2) {
            let share = pair[0].trim_start_matches('(').parse::<f64>();
            if let (Ok(share), true) = (share, pair[1].starts_with('%')) {
                check((0.0..=100.0).contains(&share), format!("{share} %: {line}"));
            }
        }
    }
    if record.server.is_none() || record.during.decided() == 0 {
        return;
    }
    let row = |what: &str| -> Option<u64> {
        let rows = section(text, EVIDENCE);
        let mut rows = rows.filter_map(|line| line.strip_prefix(&format!("| {what} | ")));
        number(rows.next()?.split(" | ").nth(1)?.trim_end_matches(" |"))
    };
    let ends = ["answered in time", "ended by an ICMP error", "unanswered"]
        .map(|what| row(what).unwrap_or(u64::MAX / 8));
    let decided: u64 = ends.iter().sum();
    let status = text.lines().nth(2).unwrap_or_default();
    let grouped = sensor::present::number::count;
    let answered = match ends[0] {
        0 => "None".into(),
        some => grouped(some),
    };
    let queries = if decided == 1 { "query" } else { "queries" };
    let all = format!("of {} {queries}", grouped(decided));
    let said = if status.contains("useful answer") {
        format!("{all} got a useful answer")
    } else if record.sampling.shift != 0 && ends[0] != 0 {
        format!("{all} answered (estimated")
    } else {
        format!("{answered} {all} answered")
    };
    // Of strangers who are refused it says how known clients fare.
    check(
        status.contains(&said) || status.contains("refused that the server had not answered"),
        format!("{said}, by the table; the status line: {status}"),
    );
    check(
        row("queries (without retransmissions)") == Some(decided + row("pending").unwrap_or(0)),
        "the rows of the table do not add up".into(),
    );
    check(
        ends[0] != 0 || !text.contains("the others were answered"),
        "the others were answered, and nothing was".into(),
    );
}

/// One of something is singular, and none is a word where a sentence begins.
fn nouns(text: &str, check: Check<'_>) {
    const PLURALS: [&str; 14] = [
        "queries",
        "answers",
        "clients",
        "servers",
        "errors",
        "packets",
        "sources",
        "networks",
        "responses",
        "samples",
        "SYNs",
        "frames",
        "datagrams",
        "causes",
    ];
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            let noun = pair[1].trim_matches(|letter: char| !letter.is_alphanumeric());
            check(
                pair[0] != "1" || !PLURALS.contains(&noun),
                format!("1 {noun}: {line}"),
            );
        }
        let begins = line.trim_start_matches(['-', ' ', '*']);
        check(!begins.starts_with("0 of "), format!("0 of: {line}"));
    }
}

fn icmp(text: &str, record: &Record, check: Check<'_>) {
    let errors: u64 = record.during.icmp_errors.values().sum();
    check(
        errors == 0 || !text.contains(NO_ERROR),
        format!("\"{NO_ERROR}\", and there were {errors}"),
    );
    for (code, name) in [
        ("port_unreachable", "ICMP port unreachable error"),
        ("prohibited", "ICMP administratively prohibited error"),
        ("host_unreachable", "ICMP host unreachable error"),
        ("network_unreachable", "ICMP network unreachable error"),
        ("time_exceeded", "ICMP time exceeded error"),
    ] {
        let counted = record.during.icmp_errors.get(code).copied().unwrap_or(0);
        for line in text.lines().filter(|line| line.contains(name)) {
            let before = line.split(name).next().unwrap_or_default();
            let said = before.split_whitespace().next_back().and_then(number);
            check(
                said.is_none_or(|said| said <= counted),
                format!("{said:?} and {counted} {code}: {line}"),
            );
        }
    }
}

fn weights(record: &Record, check: Check<'_>) {
    for ranked in &record.causes {
        let terms = ranked.reasons.iter().chain(&ranked.against);
        let sum: i32 = terms
            .filter_map(|at| record.findings.get(*at))
            .map(|found| term(found, ranked.cause))
            .sum();
        check(
            sum == ranked.weight,
            format!("{}: {sum} and {}", ranked.cause.code(), ranked.weight),
        );
    }
}

fn course(text: &str, check: Check<'_>) {
    let mut known = BTreeSet::new();
    for line in section(text, "## Key findings").filter(|line| !line.is_empty()) {
        check(known.insert(line), format!("twice: {line}"));
    }
    check(
        !(text.contains("The flood began before") && text.contains("followed the failure")),
        "the flood came both before and after the failure".into(),
    );
}

/// The page has what the text has.
fn page(text: &str, record: &Record, check: Check<'_>) {
    let page = html(record, None);
    let plain = page
        .replace("<code>", "`")
        .replace("</code>", "`")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
        .replace('\u{a0}', " ");
    for line in text.lines().filter_map(|line| line.strip_prefix("- ")) {
        check(
            plain.contains(&format!("<li>{line}</li>")),
            format!("the page has not: {line}"),
        );
    }
    for outside in ["<script", "<link", "http-equiv", "src=", "url(", "@import"] {
        check(!page.contains(outside), format!("{outside} in the page"));
    }
}

/// No address and no name is left.
fn masked(record: &Record, check: Check<'_>) {
    let masked = redact(record);
    let text = markdown(&masked, None);
    let json = serde_json::to_string(&masked).unwrap_or_default();
    // Of the advice.
    let ours: BTreeSet<IpAddr> = ["9.9.9.9", "0.0.0.0", "::"]
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    for text in [&text, &json] {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || ".:".contains(c)));
        for word in words {
            let address = word.trim_matches(['.', ':']).parse::<IpAddr>();
            check(
                address.is_err() || address.is_ok_and(|address| ours.contains(&address)),
                format!("{word} in a masked report"),
            );
        }
    }
    for name in record.names.iter().filter(|party| party.who.contains('.')) {
        check(
            !json.contains(&name.who),
            format!("{} in a masked record", name.who),
        );
    }
}
