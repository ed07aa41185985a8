//! What is usual, and when that is known.

use sensor::detect::server::{NXDOMAIN, SERVFAIL};
use sensor::detect::{Level, Rule, State};
use sensor_common::class::ErrorKind;

use crate::town::{CRITICAL, Load, TICK, Town, WARNING, seconds, server};

const NOT_YET: State = State::Unknown("what is usual is not known yet");
const RELATIVE: [Rule; 4] = [
    Rule::Collapse,
    Rule::QueryFlood,
    Rule::OneSource,
    Rule::RandomNames,
];

#[test]
fn nothing_is_usual_in_the_first_thirty_seconds() {
    let mut town = Town::on_server();
    let load = Load::of(3_000).flooder(500).rcode(NXDOMAIN, 80);
    town.pass(load, TICK * 3);
    // One tick before the thirtieth second is over.
    while town.now() + TICK < seconds(30) {
        town.pass(load, TICK);
        for rule in RELATIVE {
            assert_eq!(town.says(rule), NOT_YET, "{rule:?} at {:?}", town.now());
        }
        let usual = town.reading(Rule::Servfail).baseline;
        assert_eq!(usual, None, "at {:?}", town.now());
    }
    assert!(town.fired().is_empty(), "{:?}", town.fired());
    town.pass(load, seconds(1));
    for rule in RELATIVE {
        let state = town.says(rule);
        assert!(
            matches!(state, State::Quiet | State::Holds),
            "{rule:?}: {state:?}"
        );
    }
}

#[test]
fn absolute_rules_work_from_the_first_second() {
    let first = seconds(4);
    let mut town = Town::on_client();
    town.set(0, Load::of(50).failing(100, ErrorKind::Prohibited));
    assert!(
        town.until(Rule::Prohibited, Level::Warning, first)
            .is_some()
    );
    let mut town = Town::on_client();
    town.set(0, Load::of(50).silent(100));
    assert!(town.until(Rule::Silent, Level::Warning, first).is_some());
    let mut town = Town::new();
    town.set(0, Load::of(50).rcode(SERVFAIL, 100));
    assert!(town.until(Rule::Servfail, Level::Critical, first).is_some());
    let mut town = Town::new();
    town.set(0, Load::of(50).latency_ms(1_200));
    assert!(town.until(Rule::Slow, Level::Critical, first * 2).is_some());
}

#[test]
fn a_share_that_fires_is_not_learnt_for_a_quarter_of_an_hour() {
    let mut town = Town::new().used_for(Load::of(50), seconds(300));
    let storm = Load::of(50).rcode(SERVFAIL, 10);
    town.set(0, storm);
    let after = town.until(Rule::Servfail, Level::Warning, seconds(60));
    assert!(after.is_some());
    let usual = |town: &Town| {
        let state = town.detector.server(&server(0)).expect("it is asked");
        (state.usual.servfail.mean(), state.usual.servfail.adapts())
    };
    let (before, _) = usual(&town);
    town.wait(seconds(14 * 60 + 55));
    assert_eq!(town.says(Rule::Servfail), WARNING);
    let (frozen, adapts) = usual(&town);
    assert!(
        (frozen - before).abs() < 1e-9 && !adapts,
        "{before} to {frozen}"
    );
    town.wait(seconds(10));
    let (adapting, adapts) = usual(&town);
    assert!(adapting > before && adapts);
    town.wait(seconds(20 * 60));
    let state = town.says(Rule::Servfail);
    assert!(
        matches!(state, State::Quiet | State::Holds),
        "it has become usual: {state:?}"
    );
}

#[test]
fn a_rate_that_fires_is_not_learnt_for_a_quarter_of_an_hour() {
    let mut town = Town::new().used_to(Load::of(100));
    town.pass(Load::of(6_000), seconds(14 * 60 + 55));
    assert_eq!(town.says(Rule::QueryFlood), CRITICAL);
    let usual = |town: &Town| {
        let state = town.detector.server(&server(0)).expect("it is asked");
        state.usual.rate.mean()
    };
    assert!((usual(&town) - 100.0).abs() < 1.0, "{}", usual(&town));
    town.wait(seconds(60));
    assert!(usual(&town) > 200.0, "{}", usual(&town));
}

#[test]
fn an_outage_does_not_become_usual() {
    let mut town = Town::on_server().used_to(Load::of(100));
    town.pass(Load::of(0), seconds(10 * 60));
    let state = town.detector.server(&server(0)).expect("it was asked");
    assert!((state.usual.rate.mean() - 100.0).abs() < 1.0);
    assert!((state.usual.rate_fast.mean() - 100.0).abs() < 1.0);
}

#[test]
fn a_steady_town_says_nothing() {
    let mut town = Town::on_server();
    for hour in 0..24_u64 {
        // A day in minutes: four times as many queries, of four times as many sources, at noon.
        let part = 4 + 12_u64.saturating_sub(hour.abs_diff(12));
        let load = Load::of(20 * part).clients(10 * part);
        town.pass(load.rcode(NXDOMAIN, 10 + hour % 5), seconds(60));
    }
    assert!(town.fired().is_empty(), "{:?}", town.fired());
}
