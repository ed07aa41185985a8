//! The live model, over a capture: what a face would see at each tick.

#[path = "reports/golden.rs"]
mod golden;
mod support;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use sensor::detect::Rule;
use sensor::incident::{Change, Record};
use sensor::present::verdict::verdict;
use sensor::present::view::ViewObject;
use sensor::session::{Face, Published};
use sensor::view::publish::Live;
use sensor::view::{Event, HISTORY, State, View};
use support::film::{Film, answered, refused, run, server, session, silence};
use tokio::sync::broadcast::error::TryRecvError;

/// Keeps every view and every event.
struct Audience {
    live: Live,
    views: Vec<Arc<View>>,
    events: Vec<Event>,
}

impl Audience {
    fn listen(&mut self) {
        loop {
            match self.live.events.try_recv() {
                Ok(event) => self.events.push(event),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
                Err(TryRecvError::Lagged(many)) => panic!("{many} events were lost"),
            }
        }
    }
}

impl Face for Audience {
    fn show(&mut self, _: &Published<'_>) -> Result<ControlFlow<()>> {
        assert!(self.live.view.has_changed().expect("the session goes on"));
        self.views.push(self.live.view.borrow_and_update().clone());
        self.listen();
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, _: Record) -> Result<()> {
        self.listen();
        Ok(())
    }
}

fn shown(film: &Film, shadow: &[Rule]) -> Audience {
    let mut session = session(&film.bytes, shadow);
    let live = session.live();
    assert_eq!(live.view.borrow().at_ms, 0, "there was no tick");
    let mut audience = Audience {
        live,
        views: Vec::new(),
        events: Vec::new(),
    };
    run(&mut session, &mut audience);
    audience
}

/// The view so many seconds after the first packet.
fn at(views: &[Arc<View>], seconds: u64) -> &View {
    let found = views
        .iter()
        .find(|view| view.uptime >= Duration::from_secs(seconds));
    found.expect("it lasts so long")
}

/// Networks' states in their order, each once.
fn states(views: &[Arc<View>]) -> Vec<State> {
    let mut states: Vec<State> = views.iter().map(|view| view.network.state).collect();
    states.dedup();
    states
}

/// 30 s well, 20 s refused, 70 s well.
fn outage() -> Film {
    let mut film = Film::new();
    film.seconds(30, answered);
    film.seconds(20, refused);
    film.seconds(70, answered);
    film
}

#[test]
fn the_first_view_has_a_verdict_and_each_stage_of_an_outage_has_its_own() {
    let audience = shown(&outage(), &[]);
    let views = &audience.views;
    let first = verdict(&views[0]);
    assert_eq!(views[0].uptime, Duration::ZERO);
    assert_eq!(first.headline, "too early to tell: 0 s of 16");
    let well = verdict(at(views, 25));
    assert_eq!(
        well.headline,
        "DNS is all right: 1 server, 100 % of 40 q/s answered, p95 1 ms"
    );
    assert_eq!((well.state, well.why), (State::Ok, None));
    let failing = verdict(at(views, 40));
    assert_eq!(failing.state, State::Failing);
    assert_eq!(
        failing.headline,
        "DNS FAILS at 192.0.2.53 for 10s: 100 % of 40 q/s unanswered, ICMP port unreachable"
    );
    let why = failing.why.expect("a cause");
    assert!(why.starts_with("service down ("), "{why}");
    let again = verdict(at(views, 60));
    assert_eq!(again.state, State::Ok, "{}", again.headline);
    let expected = [State::Learning, State::Ok, State::Failing, State::Ok];
    assert_eq!(states(views), expected);
}

#[test]
fn an_outage_is_bad_within_a_second_and_well_again_within_five() {
    let audience = shown(&outage(), &[]);
    let bad: Vec<f64> = audience
        .views
        .iter()
        .filter(|view| view.network.state.is_bad())
        .map(|view| view.uptime.as_secs_f64())
        .collect();
    let (first, last) = (bad[0], bad[bad.len() - 1]);
    assert!((30.0..31.0).contains(&first), "{first}");
    assert!((50.0..55.0).contains(&last), "{last}");
    let server = &at(&audience.views, 100).servers[0];
    assert_eq!(server.changes[State::Failing.index()], 1);
    let spent: Duration = server.spent.iter().sum();
    let bad: Duration = server.spent[State::Degraded.index()..].iter().sum();
    assert!(
        bad >= Duration::from_secs(20) && bad <= Duration::from_secs(25),
        "{bad:?}"
    );
    assert!(spent >= Duration::from_secs(99), "{spent:?}");
}

#[test]
fn counters_are_monotone_and_have_all_that_was_counted() {
    let film = outage();
    let audience = shown(&film, &[]);
    let queries = |view: &View| -> u64 {
        let servers = view
            .servers
            .iter()
            .map(|server| server.totals.counters.queries);
        servers.sum::<u64>() + view.others.counters.queries
    };
    let mut before = 0;
    for view in &audience.views {
        assert!(queries(view) >= before);
        before = queries(view);
    }
    assert_eq!(before, 120 * 40);
    let last = audience.views.last().expect("a view");
    let totals = &last.servers[0].totals;
    assert_eq!(totals.counters.transactions.errored, 20 * 40);
    assert_eq!(
        totals.latency.count(),
        totals.counters.transactions.answered
    );
    let seen: u64 = last.interfaces[0]
        .totals
        .iter()
        .map(|(_, totals)| totals.seen)
        .sum();
    assert_eq!(seen, 2 * 120 * 40);
    assert_eq!(last.interfaces[0].hook, "capture");
    assert_eq!(last.sensor.engine, "host");
    assert_eq!(last.sensor.lost(), 0, "{:?}", last.sensor.lost);
}

#[test]
fn rates_are_of_two_seconds_and_history_is_of_seconds() {
    let mut film = Film::new();
    film.seconds(330, answered);
    film.seconds(10, silence);
    let audience = shown(&film, &[]);
    let view = at(&audience.views, 338);
    let server = &view.servers[0];
    assert!((server.now.queries - 40.0).abs() < 1.0, "{:?}", server.now);
    assert_eq!(server.now.answered_share, Some(0.0));
    assert_eq!(server.now.p50, None, "what does not answer has no latency");
    assert!(
        server.minute.answered_share > Some(0.8),
        "{:?}",
        server.minute
    );
    assert!(
        server
            .usual
            .queries
            .is_some_and(|usual| (usual - 40.0).abs() < 1.0)
    );
    assert_eq!(server.history.len(), HISTORY);
    let steps = server
        .history
        .windows(2)
        .map(|two| two[1].at_ms - two[0].at_ms);
    assert!(steps.into_iter().all(|step| step == 1_000));
    let newest = server.history.last().expect("points");
    assert!(
        (newest.queries - 40.0).abs() < 2.0 && newest.answers == 0.0,
        "{newest:?}"
    );
    assert!(view.network.history.len() > HISTORY);
}

#[test]
fn events_are_the_changes_with_their_records_and_what_time_ended() {
    let mut film = Film::new();
    film.seconds(30, answered);
    film.seconds(10, refused);
    let audience = shown(&film, &[]);
    let Some(Event::Incident(Change::Opened, record)) = audience.events.first() else {
        panic!("no incident was opened first");
    };
    assert_eq!(record.server.as_deref(), Some("192.0.2.53"));
    let Some(Event::Unfinished(last)) = audience.events.last() else {
        panic!("nothing says that it is unfinished");
    };
    assert_eq!(last.id, record.id);
    let view = at(&audience.views, 39);
    assert_eq!(view.servers[0].incident.as_ref(), Some(&record.id));
    // Brought up to date once a second.
    let age = view.at_ms - view.incidents[0].updated_ms;
    assert!(age <= 1_000, "{age} ms");
    assert_eq!(view.sensor.opened.iter().sum::<u64>(), 1);
}

#[test]
fn a_rule_in_shadow_mode_makes_nothing_bad() {
    let all: Vec<Rule> = sensor::detect::RULES.iter().map(|spec| spec.rule).collect();
    let audience = shown(&outage(), &all);
    assert_eq!(states(&audience.views), [State::Learning, State::Ok]);
    let shadow = |event: &Event| matches!(event, Event::Shadow(_));
    assert!(audience.events.iter().any(shadow));
    let rules = &at(&audience.views, 40).servers[0].rules;
    assert!(
        rules
            .iter()
            .any(|rule| rule.state == "shadow" && !rule.detail.is_empty())
    );
}

#[test]
fn where_nothing_passes_nothing_is_told() {
    let mut film = Film::new();
    // Too short for a baseline: from then on the query volume would have collapsed.
    film.seconds(5, answered);
    film.now += Duration::from_secs(100);
    film.seconds(1, answered);
    let audience = shown(&film, &[]);
    let verdict = verdict(at(&audience.views, 90));
    assert_eq!(verdict.state, State::OneWay);
    assert_eq!(verdict.headline, "cannot tell: no DNS query for a minute");
}

#[test]
fn where_the_clock_of_a_capture_is_set_back_counters_go_on() {
    let mut film = outage();
    film.now -= Duration::from_hours(1);
    film.seconds(30, answered);
    let audience = shown(&film, &[]);
    let last = audience.views.last().expect("a view");
    assert!(last.uptime >= Duration::from_secs(149), "{:?}", last.uptime);
    let known: u64 = last
        .servers
        .iter()
        .map(|server| server.totals.counters.queries)
        .sum();
    assert_eq!(known + last.others.counters.queries, 150 * 40);
    assert_eq!(last.servers[0].address, server());
}

#[test]
fn the_object_of_a_view_has_a_known_form() {
    let audience = shown(&outage(), &[]);
    let view = at(&audience.views, 40);
    let object = serde_json::to_value(ViewObject::new(view)).expect("JSON");
    assert_eq!(object["verdict"]["state"], "failing");
    let text = serde_json::to_string_pretty(&golden::shape(&object)).expect("JSON");
    golden::holds("objects/view.shape.json", &(text + "\n"));
}
