//! Answers that are wrong, late or cut.

use sensor::detect::server::{REFUSED, SERVFAIL};
use sensor::detect::{Level, Rule, State};

use crate::town::{CRITICAL, Load, Town, WARNING, seconds};

const STORMS: [(Rule, usize); 2] = [(Rule::Servfail, SERVFAIL), (Rule::Refused, REFUSED)];

#[test]
fn a_share_of_errors_over_a_minute() {
    for (rule, rcode) in STORMS {
        for (percent, state) in [
            (25, CRITICAL),
            (10, WARNING),
            (4, WARNING),
            (2, State::Holds),
            (1, State::Quiet),
        ] {
            let mut town = Town::new().used_for(Load::of(50), seconds(300));
            town.pass(Load::of(50).rcode(rcode, percent), seconds(60));
            assert_eq!(town.says(rule), state, "{percent} % {rule:?}");
            assert!(town.fired().iter().all(|fired| *fired == rule));
        }
    }
}

#[test]
fn a_storm_is_told_at_once() {
    for (rule, rcode) in STORMS {
        let mut town = Town::new().used_to(Load::of(50));
        town.set(0, Load::of(50).rcode(rcode, 100));
        let after = town.until(rule, Level::Critical, seconds(5));
        assert!(
            after.is_some_and(|after| after <= seconds(2)),
            "{rule:?}: {after:?}"
        );
        // In the middle of it, and nothing is usual yet.
        let mut town = Town::new();
        town.set(0, Load::of(50).rcode(rcode, 60));
        let after = town.until(rule, Level::Critical, seconds(5));
        assert!(
            after.is_some_and(|after| after <= seconds(2)),
            "{rule:?}: {after:?}"
        );
    }
}

#[test]
fn a_storm_needs_half_of_the_responses_and_twenty_a_second() {
    for (rule, rcode) in STORMS {
        for load in [
            Load::of(200).rcode(rcode, 45),
            Load::of(19).rcode(rcode, 100),
        ] {
            let mut town = Town::new().used_to(Load::of(load.queries_a_minute / 60));
            town.pass(load, seconds(3));
            assert_ne!(town.says(rule), CRITICAL, "{load:?}");
        }
    }
}

#[test]
fn a_hundred_responses_a_minute_are_needed() {
    for (rule, rcode) in STORMS {
        let rare = |a_minute| Load {
            queries_a_minute: a_minute,
            ..Load::of(0)
        };
        let mut town = Town::new().used_for(rare(90), seconds(300));
        town.pass(rare(90).rcode(rcode, 100), seconds(60));
        assert_eq!(town.says(rule), State::Unknown("too few responses"));
        let mut town = Town::new().used_for(rare(120), seconds(300));
        town.pass(rare(120).rcode(rcode, 100), seconds(60));
        assert_eq!(town.says(rule), CRITICAL);
    }
}

#[test]
fn what_a_server_always_did_is_no_storm() {
    for (rule, rcode) in STORMS {
        let mut town = Town::new();
        // Three of a hundred in the mean, never evenly.
        for minute in 0..60 {
            let percent = [1, 5, 2, 4, 3, 3][minute % 6];
            town.pass(Load::of(50).rcode(rcode, percent), seconds(20));
        }
        assert!(town.fired().is_empty(), "{:?}", town.fired());
        town.pass(Load::of(50).rcode(rcode, 7), seconds(70));
        assert_eq!(
            town.says(rule),
            State::Holds,
            "less than three times as many"
        );
        town.pass(Load::of(50).rcode(rcode, 15), seconds(70));
        assert_eq!(town.says(rule), WARNING, "{:?}", town.reading(rule));
    }
}

#[test]
fn slow_is_three_times_the_usual_and_a_tenth_of_a_second() {
    for (usual, now, state) in [
        (20, 1_200, CRITICAL),
        (20, 700, WARNING),
        (20, 130, WARNING),
        (20, 80, State::Holds),
        (20, 40, State::Quiet),
        (60, 130, State::Holds),
        (60, 240, WARNING),
        // Always slow.
        (400, 1_050, State::Holds),
        (400, 1_450, CRITICAL),
    ] {
        let mut town = Town::new().used_to(Load::of(100).latency_ms(usual));
        town.pass(Load::of(100).latency_ms(now), seconds(10));
        assert_eq!(town.says(Rule::Slow), state, "from {usual} to {now} ms");
        assert!(town.fired().iter().all(|fired| *fired == Rule::Slow));
    }
}

#[test]
fn one_slow_second_is_not_slow() {
    let mut town = Town::new().used_to(Load::of(100));
    town.pass(Load::of(100).latency_ms(900), seconds(1));
    town.pass(Load::of(100), seconds(10));
    assert_eq!(town.worst(Rule::Slow), None);
    town.pass(Load::of(100).latency_ms(900), seconds(4));
    assert_eq!(town.says(Rule::Slow), WARNING);
}

#[test]
fn slow_needs_twenty_answers() {
    let mut town = Town::new();
    town.pass(Load::of(1), seconds(60));
    assert_eq!(town.says(Rule::Slow), State::Unknown("too few answers"));
    town.pass(Load::of(1).latency_ms(1_500), seconds(60));
    assert_eq!(town.says(Rule::Slow), State::Unknown("too few answers"));
    town.pass(Load::of(0), seconds(30));
    let none = State::Unknown("nothing was answered lately");
    assert_eq!(town.says(Rule::Slow), none);
    assert_eq!(town.worst(Rule::Slow), None);
}

#[test]
fn truncated_answers() {
    for (percent, state) in [(25, WARNING), (15, State::Holds), (5, State::Quiet)] {
        let mut town = Town::new().used_to(Load::of(50));
        let cut = Load {
            truncated: percent,
            ..Load::of(50)
        };
        town.pass(cut, seconds(15));
        assert_eq!(town.says(Rule::Truncation), state, "{percent} %");
    }
    let cut = |a_minute| Load {
        queries_a_minute: a_minute,
        truncated: 100,
        ..Load::of(0)
    };
    let mut town = Town::new();
    town.pass(cut(290), seconds(30));
    assert_eq!(
        town.says(Rule::Truncation),
        State::Unknown("too few responses")
    );
    town.pass(cut(310), seconds(30));
    assert_eq!(town.says(Rule::Truncation), WARNING);
}

#[test]
fn packets_that_are_too_big_for_the_path() {
    for (in_ten_seconds, state) in [(3, WARNING), (2, State::Holds), (1, State::Quiet)] {
        let mut town = Town::new().used_to(Load::of(50));
        let too_big = Load {
            too_big: in_ten_seconds * 6,
            ..Load::of(50)
        };
        town.pass(too_big, seconds(30));
        assert_eq!(town.says(Rule::Truncation), state, "{in_ten_seconds}");
    }
    let too_big = Load {
        too_big: 18,
        ..Load::of(1)
    };
    let mut town = Town::new();
    town.pass(too_big, seconds(20));
    assert_eq!(
        town.says(Rule::Truncation),
        WARNING,
        "with few responses too"
    );
}

#[test]
fn a_few_packets_that_are_too_big_do_not_hide_truncated_answers() {
    let mut town = Town::new().used_to(Load::of(50));
    let both = Load {
        truncated: 50,
        too_big: 6,
        ..Load::of(50)
    };
    town.pass(both, seconds(30));
    assert_eq!(town.says(Rule::Truncation), WARNING);
}

#[test]
fn a_storm_does_not_become_usual_before_it_is_told() {
    for (rule, rcode) in STORMS {
        let mut town = Town::new().used_to(Load::of(50));
        town.set(0, Load::of(50).rcode(rcode, 30));
        let after = town.until(rule, Level::Critical, seconds(120));
        assert!(after.is_some(), "{:?}", town.reading(rule));
    }
}
