//! Whether DNS is all right, in two sentences: for each cause, and for each state without an incident.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use sensor::detect::{RULES, Vantage};
use sensor::incident::{Cause, Record};
use sensor::measure::window::ServerWindow;
use sensor::present::verdict::{ascii, glyph, verdict, word};
use sensor::view::{Missing, Rates, ServerView, State, Usual, View};

use crate::{golden, stories};

/// A server in this state, with 53 queries a second of which none is answered.
fn server(state: State, record: &Record) -> ServerView {
    let address = record.server.as_deref().unwrap_or("192.0.2.53");
    ServerView {
        address: address.parse().expect("an address"),
        state,
        since_ms: record.onset_ms,
        changes: [0; State::ALL.len()],
        spent: [Duration::ZERO; State::ALL.len()],
        vantage: Vantage::Path,
        incident: Some(record.id.clone()),
        totals: ServerWindow::empty(),
        now: Rates {
            queries: 5_312.0,
            unanswered: 5_312.0,
            answered_share: Some(if state == State::Failing { 0.0 } else { 0.9974 }),
            ..Rates::default()
        },
        minute: Rates::default(),
        usual: Usual {
            queries: Some(50.0),
            ..Usual::default()
        },
        rules: Vec::new(),
        history: Arc::default(),
    }
}

/// How a server is of which this is known, and what that means.
fn state(record: &Record) -> State {
    let of = |symptom: &sensor::incident::record::SymptomRecord| {
        let spec = RULES.iter().find(|spec| spec.name == symptom.rule);
        State::of(spec.expect("a rule").rule, symptom.level)
    };
    record.symptoms.iter().map(of).max().expect("a symptom")
}

/// 69 s into incidents that go on.
fn view(mut records: Vec<Record>) -> View {
    let mut view = View::empty();
    for (number, record) in records.iter_mut().enumerate() {
        record.id = format!("{number}");
        record.ended_ms = None;
        view.at_ms = record.onset_ms + 69_000;
        for symptom in &mut record.symptoms {
            symptom.until_ms = None;
        }
        if record.server.is_some() {
            view.servers.push(Arc::new(server(state(record), record)));
        } else {
            view.network.own = state(record);
        }
    }
    view.incidents = records.into_iter().map(Arc::new).collect();
    view.network.state = view
        .troubles()
        .first()
        .map_or(State::Ok, |worst| worst.state);
    view
}

#[test]
fn each_cause_has_its_two_sentences() {
    let mut text = String::new();
    let stories = Cause::ALL.into_iter().map(stories::of);
    for record in stories.chain([stories::unknown()]) {
        let verdict = verdict(&view(vec![record]));
        let why = verdict.why.unwrap_or_default();
        let _ = writeln!(text, "{} {}\n      {why}", verdict.glyph, verdict.headline);
    }
    golden::holds("verdicts.txt", &text);
}

#[test]
fn a_scan_is_all_right_and_a_warning_is_no_failure_of_the_network() {
    assert_eq!(
        verdict(&view(vec![stories::of(Cause::Scan)])).state,
        State::Ok
    );
    let mut flood = stories::of(Cause::AttackOneSource);
    assert_eq!(verdict(&view(vec![flood.clone()])).state, State::Flooded);
    flood.level = sensor::detect::Level::Warning;
    assert_eq!(verdict(&view(vec![flood])).state, State::Degraded);
}

#[test]
fn the_worst_comes_first_and_the_others_are_counted() {
    let all = [
        Cause::PacketLoss,
        Cause::ServiceDown,
        Cause::AttackOneSource,
    ];
    let verdict = verdict(&view(all.map(stories::of).into()));
    assert_eq!(verdict.state, State::Failing);
    assert!(
        verdict.headline.starts_with("DNS FAILS at "),
        "{}",
        verdict.headline
    );
    assert!(
        verdict.headline.ends_with("; +2 more"),
        "{}",
        verdict.headline
    );
    assert!(
        verdict
            .why
            .is_some_and(|why| why.starts_with("service down ("))
    );
}

#[test]
fn estimates_are_marked() {
    let mut view = view(vec![stories::of(Cause::ServiceDown)]);
    assert!(
        verdict(&view)
            .headline
            .contains(": 100 % of 5.3k q/s unanswered")
    );
    view.sensor.one_in = 4;
    assert!(
        verdict(&view)
            .headline
            .contains(": ~100 % of 5.3k q/s unanswered")
    );
}

#[test]
fn what_is_missing_to_tell_is_said() {
    let mut view = View::empty();
    view.network.learning = Some((18, 30));
    assert_eq!(verdict(&view).headline, "too early to tell: 18 s of 30");
    view.network.state = State::OneWay;
    for (missing, headline) in [
        (Missing::Traffic, "cannot tell: no DNS query for a minute"),
        (Missing::Answers, "cannot tell: only queries pass here"),
        (Missing::Queries, "cannot tell: only answers pass here"),
        (
            Missing::Direction,
            "cannot tell: only one direction is counted",
        ),
        (Missing::Interface, "cannot tell: nothing is left to watch"),
    ] {
        view.network.missing = Some(missing);
        let verdict = verdict(&view);
        assert_eq!(verdict.headline, headline);
        assert!(verdict.why.is_some(), "{headline}: what to do?");
    }
}

#[test]
fn each_state_has_a_glyph_and_a_word_of_its_own() {
    for name in [glyph, ascii, word] {
        let mut all: Vec<&str> = State::ALL.into_iter().map(name).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), State::ALL.len(), "{all:?}");
    }
    assert!(State::ALL.into_iter().all(|state| ascii(state).is_ascii()));
}
