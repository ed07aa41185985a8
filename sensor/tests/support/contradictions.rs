//! Sentences of a report that its own record, or another of its sentences, refutes.

use sensor::detect::Rule;
use sensor::incident::Record;
use sensor::incident::diagnosis::Finding;
use sensor::incident::record::Placed;

/// Rules about answers that come and are of no use.
const ABOUT_ANSWERS: [Rule; 5] = [
    Rule::RcodeShift,
    Rule::AnswersLost,
    Rule::Fragments,
    Rule::TcpFails,
    Rule::Truncation,
];

/// All of them; nothing, as a rule.
pub fn of(text: &str, record: &Record) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_string());
        }
    };
    let status = text.lines().nth(2).unwrap_or_default();
    let affects = text.lines().find(|line| line.starts_with("**Affects:**"));
    let affects = affects.unwrap_or_default();
    let steps = steps(text);
    served(status, affects, record, &mut check);
    check(
        !steps.contains("No outage")
            || affects.contains("had not answered before")
            || affects.contains("no client"),
        "no outage, and it affects clients",
    );
    clients(&steps, record, &mut check);
    only_client(text, &steps, record, &mut check);
    placeholders(&steps, record, &mut check);
    name_errors(&steps, record, &mut check);
    standing(text, record, &mut check);
    copies(text, record, &mut check);
    faults
}

type Check<'c> = &'c mut dyn FnMut(bool, &str);

fn steps(text: &str) -> String {
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("## Next steps"))
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    lines.collect::<Vec<_>>().join("\n")
}

fn has(record: &Record, rule: Rule) -> bool {
    let mut symptoms = record.symptoms.iter();
    symptoms.any(|symptom| symptom.rule == rule.name())
}

/// Where answers are what fails, it is not said that queries are answered.
fn served(status: &str, affects: &str, record: &Record, check: Check<'_>) {
    let strangers = record
        .findings
        .iter()
        .any(|found| matches!(found, Finding::StrangersRefused { .. }));
    let about_answers = ABOUT_ANSWERS.iter().any(|rule| has(record, *rule));
    if record.server.is_none() || strangers || !about_answers {
        return;
    }
    check(
        record.during.decided() == 0 || status.contains("got a useful answer"),
        "answers fail, and the status line does not say how many are of use",
    );
    check(
        !status.contains(" answered (100 %)"),
        "answers fail, and 100 % are answered",
    );
    let fails = record.failing.failed * 50 > record.failing.queries;
    check(
        !fails || !affects.contains("hardly any client"),
        "answers fail, and it affects hardly any client",
    );
}

/// Clients that the steps name are among those that fail, where it is about them.
fn clients(steps: &str, record: &Record, check: Check<'_>) {
    let failing = &record.failing.clients;
    let floods = [
        Rule::QueryFlood,
        Rule::OneSource,
        Rule::Garbage,
        Rule::Amplification,
    ];
    if failing.is_empty()
        || record.affects.is_some()
        || floods.iter().any(|rule| has(record, *rule))
    {
        return;
    }
    let known = record
        .clients
        .heaviest
        .iter()
        .chain(&record.clients.sources);
    for other in known.filter(|known| !failing.iter().any(|client| client.who == known.who)) {
        // The tenth and those behind it are not in the record.
        let is_listed = failing.len() < 10 || record.failing.addresses <= failing.len();
        let is_named = words(steps).any(|word| word == other.who);
        check(
            !is_listed || !is_named || record.server.as_ref() == Some(&other.who),
            "a step names a client that does not fail",
        );
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || ".:".contains(letter)))
        .map(|word| word.trim_matches(['.', ':']))
}

/// The only client is not dropped, and there are no others to compare it with.
fn only_client(text: &str, steps: &str, record: &Record, check: Check<'_>) {
    if record.clients.addresses != 1 || record.server.is_none() {
        return;
    }
    let client = record.clients.heaviest.first();
    let client = client.map_or("", |client| client.who.as_str());
    let drops = |line: &str| line.contains(&format!("saddr {client}")) && line.contains(" drop`");
    check(!steps.lines().any(drops), "a rule drops the only client");
    check(
        !text.contains("than all others") && !text.contains("all clients alike"),
        "there is one client, and others are spoken of",
    );
}

/// What the record knows is named.
fn placeholders(steps: &str, record: &Record, check: Check<'_>) {
    let is_there = |name: &str| words(steps).any(|word| word == name);
    check(!is_there("ZONE"), "a step names no zone");
    check(
        !is_there("SERVER") || (record.server.is_none() && record.servers.is_empty()),
        "a step names no server",
    );
    check(
        !is_there("SOURCE") || record.clients.heaviest.is_empty(),
        "a step names no source",
    );
}

/// A name that does not exist has nothing to do with validation or access lists.
fn name_errors(steps: &str, record: &Record, check: Check<'_>) {
    let mut findings = record.findings.iter();
    if findings.any(|found| matches!(found, Finding::NameError { .. })) {
        for odd in ["DNSSEC", "delv", "+cd", "allow-query", "access-control"] {
            check(
                !steps.contains(odd),
                "NXDOMAIN, and steps about validation or access lists",
            );
        }
    }
}

/// A capture is of another host, and what is assumed is said to be.
fn standing(text: &str, record: &Record, check: Check<'_>) {
    let is_capture = record.placed != Placed::Live;
    check(
        !is_capture || !text.to_lowercase().contains("this host"),
        "this host, and it is a capture",
    );
    check(
        (record.placed == Placed::Assumed) == text.contains("assumed"),
        "where it was captured is assumed, or not",
    );
}

/// One number of copies.
fn copies(text: &str, record: &Record, check: Check<'_>) {
    let sent = &record.sent_again;
    let before = |line: &str, what: &str| -> Option<u64> {
        let before = line.split(what).next()?.trim_start_matches("- ");
        before.split(' ').next()?.replace(',', "").parse().ok()
    };
    let mut lines = text.lines();
    let again = lines
        .find(|line| line.starts_with("- ") && line.contains("were sent again after the answer:"));
    if let (Some(line), 1..) = (again, sent.after_answer) {
        check(
            before(line, " of ") == Some(sent.after_answer),
            "another number of queries is asked again than was counted",
        );
    }
    let mut lines = text.lines();
    let line =
        lines.find(|line| line.contains("answered at once although an earlier copy was not"));
    if let (Some(line), 0) = (line, record.sampling.shift) {
        let copies = before(line, " retransmitted").unwrap_or(0);
        check(
            copies <= record.during.retransmitted,
            "more copies were answered than were sent",
        );
    }
}
