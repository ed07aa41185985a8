//! Whether DNS is all right, and if not where, since when, how much and why: two sentences that the screen, the page
//! and `sensor status` begin with.

use super::number::{counted, lasting, percent, short};
use super::words::{self, finding, subject};
use crate::detect::{RULES, Rule};
use crate::incident::Cause;
use crate::incident::record::{Record, SymptomRecord};
use crate::view::{Missing, Rates, State, Trouble, View};

/// Share of queries that are answered where a few seconds without a symptom count as all right.
const ANSWERED: f64 = 0.9;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Of the network.
    pub state: State,
    /// One character for it; [`ascii()`] has another where that cannot be shown.
    pub glyph: &'static str,
    /// One word or two for it.
    pub word: &'static str,
    /// How it is, and where, since when and how much where something is wrong.
    pub headline: String,
    /// The cause with its weight and strongest reason; or what is missing to tell.
    pub why: Option<String>,
}

/// One character for a state.
#[must_use]
pub fn glyph(state: State) -> &'static str {
    match state {
        State::Ok => "\u{2713}",
        State::Learning => "\u{2026}",
        State::OneWay => "?",
        State::Degraded => "!",
        State::Flooded => "\u{25b2}",
        State::Failing => "\u{2717}",
    }
}

/// The same in ASCII.
#[must_use]
pub fn ascii(state: State) -> &'static str {
    match state {
        State::Ok => "v",
        State::Learning => ".",
        State::OneWay => "?",
        State::Degraded => "!",
        State::Flooded => "^",
        State::Failing => "X",
    }
}

/// One word or two for a state.
#[must_use]
pub fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Learning => "learning",
        State::OneWay => "cannot tell",
        State::Degraded => "degraded",
        State::Flooded => "FLOODED",
        State::Failing => "FAILING",
    }
}

/// Of a view.
#[must_use]
pub fn verdict(view: &View) -> Verdict {
    let state = view.network.state;
    let troubles = view.troubles();
    let (headline, why) = match (state, troubles.as_slice()) {
        (State::Learning, _) => learning(view),
        (State::OneWay, _) => cannot_tell(view),
        (_, [worst, more @ ..]) => (trouble(view, worst, more.len()), Some(cause(worst.record))),
        (State::Ok, []) => (all_right(view), None),
        // A server that fails and has no incident yet.
        (_, []) => (format!("DNS is {}", word(state)), None),
    };
    Verdict {
        state,
        glyph: glyph(state),
        word: word(state),
        headline,
        why,
    }
}

/// Of a view after a few seconds: what is usual is not known, but whether queries are answered is.
#[must_use]
pub fn brief(view: &View) -> Verdict {
    let whole = verdict(view);
    let answered = view.network.now.answered_share;
    if whole.state != State::Learning {
        return whole;
    }
    let seconds = view.uptime.as_secs();
    let (state, headline) = match answered {
        Some(share) if share >= ANSWERED => (
            State::Ok,
            format!("no failure in {seconds} s: {}", traffic(view)),
        ),
        Some(_) => (
            State::Learning,
            format!("too few queries in {seconds} s to tell: {}", traffic(view)),
        ),
        None => (
            State::OneWay,
            format!("cannot tell: no DNS query in {seconds} s"),
        ),
    };
    Verdict {
        state,
        glyph: glyph(state),
        word: word(state),
        headline,
        why: None,
    }
}

fn all_right(view: &View) -> String {
    format!("DNS is all right: {}", traffic(view))
}

/// `2 servers, 99.98 % of 5.3k q/s answered, p95 4 ms`.
fn traffic(view: &View) -> String {
    let active = view
        .servers
        .iter()
        .filter(|server| server.minute.queries > 0.0);
    let servers = match active.count() {
        0 => String::new(),
        many => format!("{}, ", counted(many as u64, "server")),
    };
    let now = &view.network.now;
    let rate = short(now.queries);
    let answered = now.answered_share.map_or_else(
        || format!("{rate} q/s"),
        |share| format!("{}{} of {rate} q/s answered", about(view), fine(share)),
    );
    let p95 = now.p95.map_or_else(String::new, |p95| {
        format!(", p95 {} ms", super::number::plain(p95.as_secs_f64() * 1e3))
    });
    format!("{servers}{answered}{p95}")
}

fn learning(view: &View) -> (String, Option<String>) {
    let headline = match view.network.learning {
        Some((have, need)) => format!("too early to tell: {have} s of {need}"),
        None => "too early to tell".into(),
    };
    let why = "failures are reported meanwhile; what is usual is not known yet";
    (headline, Some(why.into()))
}

fn cannot_tell(view: &View) -> (String, Option<String>) {
    let (what, hint) = match view.network.missing {
        Some(Missing::Traffic) | None => (
            "no DNS query for a minute",
            "check that clients use this path, and that the ports are right (--port)",
        ),
        Some(Missing::Answers) => (
            "only queries pass here",
            "answers take another path: watch the interface that they use as well",
        ),
        Some(Missing::Queries) => (
            "only answers pass here",
            "queries take another path: watch the interface that they use as well",
        ),
        Some(Missing::Direction) => (
            "only one direction is counted",
            "whether a query was answered is known where both directions are counted",
        ),
        Some(Missing::Interface) => (
            "nothing is left to watch",
            "the interface is gone, or the programs were detached; start again to attach them",
        ),
    };
    (format!("cannot tell: {what}"), Some(hint.into()))
}

/// Where, since when, how much, and what is seen.
fn trouble(view: &View, worst: &Trouble<'_>, more: usize) -> String {
    let record = worst.record;
    let lasts = lasting(view.at_ms.saturating_sub(record.onset_ms));
    let place = format!("at {} for {lasts}", subject(record));
    let symptom = worst_symptom(record, worst.state);
    let now = worst.server.map(|server| &server.now);
    let usual = worst.server.and_then(|server| server.usual.queries);
    let text = match (worst.state, now) {
        (State::Failing, Some(now)) => {
            format!("DNS FAILS {place}: {}", failing(view, now, symptom))
        }
        (State::Failing, None) => format!("DNS FAILS {place}: {}", told(symptom)),
        (State::Flooded, Some(now)) => format!(
            "DNS IS FLOODED {place}: {}, {}",
            flood(view, now, usual),
            title(symptom)
        ),
        (State::Flooded, None) => format!("DNS IS FLOODED {place}: {}", told(symptom)),
        _ => format!("DNS is degraded {place}: {}", told(symptom)),
    };
    match more {
        0 => text,
        more => format!("{text}; +{more} more"),
    }
}

/// `100 % of 53 q/s unanswered, ICMP port unreachable`.
fn failing(view: &View, now: &Rates, symptom: Option<&SymptomRecord>) -> String {
    let seen = match symptom.and_then(rule) {
        Some(Rule::PortUnreachable) => "ICMP port unreachable",
        Some(Rule::Prohibited) => "ICMP administratively prohibited",
        Some(Rule::HostUnreachable) => "ICMP unreachable",
        Some(Rule::Silent) => "no ICMP error",
        _ => return told(symptom),
    };
    let rate = short(now.queries);
    match now.answered_share {
        Some(share) => format!(
            "{}{} of {rate} q/s unanswered, {seen}",
            about(view),
            fine(1.0 - share)
        ),
        None if now.queries > 0.0 => format!("{rate} q/s, none answered yet, {seen}"),
        None => format!("no query now, {seen}"),
    }
}

/// `41k q/s, usual 1.2k, 98 % answered`.
fn flood(view: &View, now: &Rates, usual: Option<f64>) -> String {
    let usual = usual.map_or_else(String::new, |usual| format!(", usual {}", short(usual)));
    let answered = now.answered_share.map_or_else(String::new, |share| {
        format!(", {}{} answered", about(view), fine(share))
    });
    format!("{} q/s{usual}{answered}", short(now.queries))
}

/// A share in percent, with two digits near all.
fn fine(share: f64) -> String {
    if (0.99..1.0).contains(&share) {
        return format!("{:.2} %", (share * 100.0).min(99.99));
    }
    percent(share)
}

/// Marks an estimate.
fn about(view: &View) -> &'static str {
    if view.sensor.one_in > 1 { "~" } else { "" }
}

/// The rule of a symptom.
fn rule(symptom: &SymptomRecord) -> Option<Rule> {
    let mut all = RULES.iter();
    all.find(|spec| spec.name == symptom.rule)
        .map(|spec| spec.rule)
}

/// The symptom that makes it what it is: one that goes on, of this state, the worst.
fn worst_symptom(record: &Record, state: State) -> Option<&SymptomRecord> {
    let rank = |symptom: &&SymptomRecord| {
        let is_of_it = rule(symptom).is_some_and(|rule| State::of(rule, symptom.level) == state);
        let failure = rule(symptom).is_some_and(Rule::is_failure);
        let goes_on = symptom.until_ms.is_none();
        (goes_on, is_of_it, symptom.level, failure)
    };
    record.symptoms.iter().max_by_key(rank)
}

fn title(symptom: Option<&SymptomRecord>) -> &str {
    symptom.map_or("no symptom now", |symptom| &symptom.title)
}

fn told(symptom: Option<&SymptomRecord>) -> String {
    symptom.map_or_else(
        || "no symptom now".into(),
        |symptom| format!("{}: {}", symptom.title, symptom.detail),
    )
}

/// The first cause, its weight, the next one, and the strongest reason; the tie; or that it is unknown.
#[must_use]
pub fn cause(record: &Record) -> String {
    let weight = |cause: Cause| words::cause::weight(record, cause).unwrap_or(0);
    let name = words::cause::name;
    match record.first_cause.as_slice() {
        [] => match worst_symptom(record, State::Failing) {
            Some(symptom) => format!(
                "cause unknown: no known cause matches the evidence ({})",
                symptom.title
            ),
            None => "cause unknown: no known cause matches the evidence".into(),
        },
        [one] => {
            let next = record
                .causes
                .iter()
                .find(|ranked| ranked.cause != *one && ranked.weight > 0);
            let next = next.map_or_else(String::new, |next| {
                format!("; next: {} {} dB", name(next.cause), next.weight)
            });
            let reason =
                reason(record, *one).map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{} ({} dB{next}){reason}", name(*one), weight(*one))
        }
        [one, other, ..] => format!(
            "{} ({}) or {} ({}): the evidence does not separate them",
            name(*one),
            weight(*one),
            name(*other),
            weight(*other)
        ),
    }
}

fn reason(record: &Record, cause: Cause) -> Option<String> {
    let ranked = record.causes.iter().find(|ranked| ranked.cause == cause)?;
    let found = record.findings.get(*ranked.reasons.first()?)?;
    let text = finding::sentence(found, record);
    Some(text.trim_end_matches('.').to_owned())
}
