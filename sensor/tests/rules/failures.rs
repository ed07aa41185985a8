//! Servers that do not answer.

use std::time::Duration;

use sensor::detect::{Level, Place, Rule, State, Thresholds};
use sensor_common::class::ErrorKind;

use crate::town::{CRITICAL, Fate, Load, TICK, Town, WARNING, seconds};

/// Each rule that asks for ICMP errors, and what they say.
const ERRORS: [(Rule, ErrorKind); 4] = [
    (Rule::PortUnreachable, ErrorKind::Port),
    (Rule::Prohibited, ErrorKind::Prohibited),
    (Rule::HostUnreachable, ErrorKind::Host),
    (Rule::HostUnreachable, ErrorKind::Network),
];
const FAILING: [Rule; 4] = [
    Rule::PortUnreachable,
    Rule::Prohibited,
    Rule::HostUnreachable,
    Rule::Silent,
];

fn used_to(queries_a_second: u64) -> Town {
    Town::new().used_to(Load::of(queries_a_second))
}

#[test]
fn icmp_errors_are_a_warning_at_once_and_critical_when_they_last() {
    for (rule, kind) in ERRORS {
        let mut town = used_to(50);
        town.set(0, Load::of(50).failing(100, kind));
        let warned = town.until(rule, Level::Warning, seconds(2));
        assert!(
            warned.is_some_and(|after| after <= seconds(1)),
            "{kind:?}: {warned:?}"
        );
        assert_eq!(town.says(rule), WARNING, "{kind:?}");
        let critical = town.until(rule, Level::Critical, seconds(20));
        let critical = critical.expect("it lasts");
        assert!(
            (seconds(7)..=seconds(11)).contains(&critical),
            "{kind:?}: {critical:?}"
        );
        let other = FAILING.into_iter().filter(|other| *other != rule);
        for other in other {
            assert_eq!(town.worst(other), None, "{other:?} for {kind:?}");
        }
    }
}

#[test]
fn fewer_errors_than_half_of_the_queries_hold_and_few_are_quiet() {
    for (rule, kind) in ERRORS {
        for (percent, state) in [
            (85, CRITICAL),
            (75, WARNING),
            (55, WARNING),
            (45, State::Holds),
            (15, State::Quiet),
        ] {
            let mut town = used_to(100);
            town.pass(Load::of(100).failing(percent, kind), seconds(15));
            assert_eq!(town.says(rule), state, "{percent} % {kind:?}");
        }
    }
}

#[test]
fn what_an_outage_leaves_behind_is_no_failure_of_a_part() {
    let mut town = used_to(60);
    town.pass(Load::of(60).silent(100), seconds(4));
    assert_eq!(town.says(Rule::Silent), WARNING);
    town.pass(Load::of(60), seconds(20));
    assert_eq!(town.worst(Rule::PartialFailure), None);
}

#[test]
fn a_part_that_ends_in_icmp_errors_is_told_too() {
    for kind in [ErrorKind::Port, ErrorKind::Prohibited] {
        // All of one client network: no network is rejected alone.
        let one = Load::of(100).clients(1);
        let mut town = Town::new().used_to(one);
        town.pass(one.failing(30, kind), seconds(5));
        assert_eq!(town.says(Rule::PartialFailure), WARNING, "{kind:?}");
        town.pass(one.failing(30, kind), seconds(8));
        assert_eq!(town.says(Rule::PartialFailure), CRITICAL, "{kind:?}");
    }
}

#[test]
fn failures_need_five_queries() {
    let mut town = Town::on_client();
    town.pass(Load::of(4).failing(100, ErrorKind::Port), seconds(1));
    for rule in FAILING {
        assert_eq!(town.says(rule), State::Unknown("too few queries"));
    }
    town.tick();
    assert_eq!(town.says(Rule::PortUnreachable), WARNING);
    assert_eq!(town.says(Rule::Silent), State::Holds, "there are errors");
}

#[test]
fn one_icmp_error_a_second_is_enough_in_an_outage_of_ten_thousand_queries() {
    for (rule, kind) in ERRORS {
        let mut town = used_to(10_000);
        let limited = Load {
            fate: Fate::Error(kind, 60),
            failing: 100,
            ..Load::of(10_000)
        };
        town.set(0, limited);
        let after = town.until(rule, Level::Warning, seconds(5));
        assert!(
            after.is_some_and(|after| after <= seconds(1)),
            "{kind:?}: {after:?}"
        );
        town.wait(seconds(12));
        assert_eq!(town.says(rule), CRITICAL);
        assert_eq!(town.worst(Rule::Silent), None);
    }
}

#[test]
fn an_icmp_error_tells_why_for_ten_seconds() {
    let mut town = used_to(50);
    let rarely = Load {
        fate: Fate::Error(ErrorKind::Host, 8),
        failing: 100,
        ..Load::of(50)
    };
    town.pass(rarely, seconds(10));
    for _ in 0..80 {
        town.tick();
        assert!(matches!(town.says(Rule::HostUnreachable), State::Fires(_)));
        assert!(!matches!(town.says(Rule::Silent), State::Fires(_)));
    }
}

#[test]
fn icmp_errors_that_cease_while_nothing_is_answered_still_tell_why() {
    let mut town = used_to(50);
    town.pass(Load::of(50).failing(100, ErrorKind::Prohibited), seconds(2));
    town.pass(Load::of(50).silent(100), seconds(150));
    assert_eq!(town.says(Rule::Prohibited), CRITICAL);
    assert_eq!(town.worst(Rule::Silent), None);
    // Answers come again, while the last queries of before time out.
    town.pass(Load::of(50), seconds(20));
    assert_eq!(town.worst(Rule::Silent), None);
    // What fails after that does so for a reason of its own.
    town.pass(Load::of(50).silent(100), seconds(15));
    assert_eq!(town.says(Rule::Silent), CRITICAL);
    assert_eq!(town.says(Rule::Prohibited), State::Holds);
}

#[test]
fn icmp_errors_of_an_outage_that_is_over_tell_nothing_of_the_next() {
    // Too few for a sign, and then nobody asks for as long as is looked back on, or for longer.
    let few = Load::of(1).failing(100, ErrorKind::Prohibited);
    for (pause, of_it) in [(120, true), (140, false)] {
        let mut town = used_to(1);
        town.pass(Load::of(0), seconds(140));
        town.pass(few, seconds(4));
        town.pass(Load::of(0), seconds(pause));
        assert!(town.fired().is_empty());
        town.pass(Load::of(50).silent(100), seconds(15));
        assert_eq!(town.says(Rule::Silent) == CRITICAL, !of_it, "{pause} s");
        assert_eq!(town.says(Rule::Prohibited) == CRITICAL, of_it, "{pause} s");
        assert_eq!(town.worst(Rule::Prohibited).is_some(), of_it, "{pause} s");
    }
    // The server lives: it only answers too late.
    let mut town = used_to(50);
    town.pass(Load::of(50).failing(100, ErrorKind::Port), seconds(5));
    let late = Load {
        late: 50,
        ..Load::of(50).silent(100)
    };
    town.pass(late, seconds(15));
    assert_eq!(town.says(Rule::Silent), CRITICAL);
    assert_eq!(town.says(Rule::PortUnreachable), State::Holds);
}

#[test]
fn a_single_icmp_error_does_not_tell_why_an_outage_goes_on() {
    let mut town = used_to(50);
    let fate = Fate::Error(ErrorKind::Port, 60);
    town.pass(
        Load {
            fate,
            ..Load::of(50).silent(100)
        },
        seconds(1),
    );
    assert_eq!(town.says(Rule::PortUnreachable), WARNING);
    town.pass(Load::of(50).silent(100), seconds(15));
    assert_eq!(town.says(Rule::Silent), CRITICAL);
    // One of each of several kinds: none of them tells, and so it is silent.
    let mut town = used_to(50);
    for kind in [ErrorKind::Port, ErrorKind::Prohibited, ErrorKind::Host] {
        let fate = Fate::Error(kind, 60);
        let load = Load {
            fate,
            ..Load::of(50).silent(100)
        };
        town.pass(load, seconds(1));
    }
    town.pass(Load::of(50).silent(100), seconds(15));
    assert_eq!(town.says(Rule::Silent), CRITICAL);
}

#[test]
fn two_queries_a_minute_to_a_dead_server_are_enough() {
    let rare = Load {
        queries_a_minute: 2,
        ..Load::of(0)
    };
    for (rule, load) in [
        (Rule::Silent, rare.silent(100)),
        (Rule::PortUnreachable, rare.failing(100, ErrorKind::Port)),
    ] {
        let mut town = Town::new();
        town.pass(rare, seconds(300));
        assert!(town.fired().is_empty());
        town.set(0, load);
        let after = town.until(rule, Level::Warning, seconds(200));
        assert!(
            after.is_some_and(|after| after <= seconds(95)),
            "{rule:?}: {after:?}"
        );
        town.wait(seconds(120));
        assert_eq!(town.says(rule), CRITICAL, "five of five");
        town.pass(Load::of(0), seconds(140));
        assert_eq!(
            town.says(rule),
            State::Unknown("too few queries"),
            "not that it is over"
        );
    }
}

#[test]
fn a_restart_is_never_critical() {
    for fate in [
        Fate::Silence,
        Fate::Error(ErrorKind::Port, 60_000),
        Fate::Error(ErrorKind::Port, 60),
    ] {
        for queries_a_second in [1, 5, 50, 1_000] {
            let load = Load::of(queries_a_second);
            let mut town = Town::new().used_to(load);
            town.pass(
                Load {
                    fate,
                    failing: 100,
                    ..load
                },
                seconds(5),
            );
            town.pass(load, seconds(60));
            for rule in Rule::ALL {
                let worst = town.worst(rule);
                assert_ne!(worst, Some(Level::Critical), "{rule:?}, {fate:?}, {load:?}");
            }
            assert!(
                town.worst(Rule::Silent)
                    .or(town.worst(Rule::PortUnreachable))
                    .is_some()
            );
            let restarted = town.says(Rule::PortUnreachable);
            assert!(
                matches!(restarted, State::Quiet | State::Holds),
                "{restarted:?}"
            );
        }
    }
}

#[test]
fn silence_is_found_within_three_seconds_and_critical_when_it_lasts() {
    let mut town = used_to(50);
    town.set(0, Load::of(50).silent(100));
    let warned = town
        .until(Rule::Silent, Level::Warning, seconds(5))
        .expect("silence");
    assert!(
        (Duration::from_millis(1_500)..=seconds(3)).contains(&warned),
        "{warned:?}"
    );
    let critical = town
        .until(Rule::Silent, Level::Critical, seconds(20))
        .expect("it lasts");
    assert!(critical >= seconds(6), "{critical:?}");
    assert!(!town.fired().contains(&Rule::PortUnreachable));
}

#[test]
fn silence_is_more_than_half_of_the_queries() {
    for (percent, state) in [(60, WARNING), (35, State::Holds), (15, State::Quiet)] {
        let mut town = used_to(100);
        town.pass(Load::of(100).silent(percent), seconds(15));
        assert_eq!(town.says(Rule::Silent), state, "{percent} %");
    }
}

#[test]
fn a_silent_server_that_never_had_traffic_before_is_found() {
    let mut town = Town::on_client();
    town.set(0, Load::of(50).silent(100));
    let after = town.until(Rule::Silent, Level::Warning, seconds(5));
    assert!(after.is_some_and(|after| after <= seconds(3)), "{after:?}");
}

#[test]
fn a_part_that_gets_no_answer_is_told_apart_from_all() {
    for (percent, state) in [
        (100, State::Holds),
        (30, CRITICAL),
        (10, WARNING),
        (4, State::Holds),
        (2, State::Quiet),
    ] {
        let mut town = used_to(100);
        town.pass(Load::of(100).silent(percent), seconds(25));
        assert_eq!(town.says(Rule::PartialFailure), state, "{percent} %");
    }
    let mut town = used_to(100);
    town.pass(Load::of(100).silent(30), seconds(5));
    assert_eq!(
        town.says(Rule::PartialFailure),
        WARNING,
        "it has not lasted"
    );
    town.pass(Load::of(100), seconds(6));
    assert_eq!(town.says(Rule::PartialFailure), WARNING, "of ten seconds");
    assert_eq!(town.worst(Rule::PartialFailure), Some(Level::Warning));
}

#[test]
fn answers_that_were_always_missing_and_are_not_missed_take_another_way() {
    let elsewhere = State::Unknown(
        "part of its answers may take another way: they have always been missing, and nobody asks again",
    );
    for missing in [20, 50, 75] {
        let load = Load::of(60).silent(missing);
        let mut town = Town::new();
        town.pass(load, seconds(40));
        assert_eq!(town.says(Rule::PartialFailure), elsewhere, "{missing} %");
        assert_eq!(town.says(Rule::Silent), elsewhere, "{missing} %");
        assert!(town.fired().is_empty(), "{:?}", town.fired());
        // Then the rest is missing too.
        town.pass(Load::of(60).silent(100), seconds(15));
        assert_eq!(town.says(Rule::Silent), CRITICAL, "{missing} %");
        // Clients ask again: they miss them.
        let mut town = Town::new();
        town.pass(
            Load {
                repeated: 10,
                ..load
            },
            seconds(15),
        );
        assert!(!town.fired().is_empty());
        // Both directions of what this host asks are seen here.
        let mut town = Town::on_client();
        town.pass(load, seconds(15));
        assert!(!town.fired().is_empty());
        // It was not always so.
        let mut town = used_to(60);
        town.pass(load, seconds(15));
        assert!(!town.fired().is_empty());
    }
}

#[test]
fn a_part_needs_twenty_queries_in_ten_seconds() {
    let slowly = |a_minute| Load {
        queries_a_minute: a_minute,
        ..Load::of(0).silent(30)
    };
    let mut town = Town::on_client().used_to(slowly(0));
    town.pass(slowly(105), seconds(40));
    assert_eq!(
        town.says(Rule::PartialFailure),
        State::Unknown("too few queries")
    );
    town.pass(slowly(140), seconds(40));
    assert!(matches!(town.says(Rule::PartialFailure), State::Fires(_)));
}

#[test]
fn networks_that_are_rejected_while_others_are_served() {
    let three = |queries| Load::of(queries).clients(3);
    let mut town = Town::new().used_to(three(30));
    town.set(0, three(30).failing(33, ErrorKind::Port));
    let after = town.until(Rule::PartialRejection, Level::Warning, seconds(5));
    assert!(after.is_some_and(|after| after <= seconds(2)), "{after:?}");
    assert!((town.reading(Rule::PartialRejection).value - 1.0).abs() < 1e-9);
    town.wait(seconds(20));
    assert_eq!(town.worst(Rule::PartialRejection), Some(Level::Warning));
    assert_eq!(town.worst(Rule::PortUnreachable), None);
    town.pass(three(30), seconds(3));
    assert_eq!(
        town.says(Rule::PartialRejection),
        State::Quiet,
        "served again"
    );
}

#[test]
fn a_rejection_of_all_is_not_one_of_a_part() {
    let mut town = used_to(50);
    town.pass(
        Load::of(50).failing(100, ErrorKind::Prohibited),
        seconds(30),
    );
    assert_eq!(town.worst(Rule::PartialRejection), None);
}

#[test]
fn a_part_is_rejected_by_what_rejects_and_not_by_chance() {
    let two = |a_minute| Load {
        queries_a_minute: a_minute,
        ..Load::of(0).clients(2)
    };
    // Each asks once a second.
    let mut town = Town::new().used_to(two(120));
    let rejected = two(120).failing(50, ErrorKind::Prohibited);
    town.pass(rejected, seconds(2));
    assert_eq!(
        town.says(Rule::PartialRejection),
        State::Quiet,
        "two errors"
    );
    // One of two clients, half of all queries: fifteen errors in a row are no chance.
    town.pass(rejected, seconds(10));
    assert_eq!(town.worst(Rule::PartialRejection), None);
    town.pass(rejected, seconds(8));
    assert_eq!(town.says(Rule::PartialRejection), WARNING);
    // Others are served nine times between its errors, one a second: five are enough.
    let ten = Load::of(10).clients(10);
    let mut town = Town::new().used_to(ten);
    town.pass(ten.failing(10, ErrorKind::Prohibited), seconds(2));
    assert_eq!(
        town.says(Rule::PartialRejection),
        State::Quiet,
        "two errors"
    );
    town.pass(ten.failing(10, ErrorKind::Prohibited), seconds(4));
    assert_eq!(town.says(Rule::PartialRejection), WARNING);
    for fate in [Fate::Silence, Fate::Error(ErrorKind::TimeExceeded, 60_000)] {
        let mut town = Town::new().used_to(two(120));
        town.pass(
            Load {
                fate,
                failing: 50,
                ..two(120)
            },
            seconds(20),
        );
        assert_eq!(town.worst(Rule::PartialRejection), None, "{fate:?}");
    }
}

#[test]
fn nothing_is_said_of_failures_where_one_direction_is_seen() {
    let why = "only one direction of its traffic is seen";
    let told = Town::with(
        Thresholds::default(),
        Place {
            one_direction: true,
            ..Place::default()
        },
    );
    for mut town in [told, Town::new()] {
        town.pass(Load::of(100).silent(100), seconds(90));
        for rule in FAILING
            .into_iter()
            .chain([Rule::PartialFailure, Rule::PartialRejection])
        {
            assert_eq!(town.says(rule), State::Unknown(why), "{rule:?}");
        }
        assert!(town.fired().is_empty(), "{:?}", town.fired());
    }
}

#[test]
fn answers_of_another_server_to_the_same_clients_show_both_directions() {
    let mut town = Town::new();
    town.set(1, Load::of(20));
    town.pass(Load::of(50).silent(100), seconds(5));
    assert_eq!(town.says(Rule::Silent), WARNING);
}

#[test]
fn forged_icmp_errors_raise_nothing() {
    let mut town = used_to(100);
    let forged = Load {
        forged: 1_000,
        ..Load::of(100)
    };
    town.pass(forged, seconds(60));
    assert!(town.fired().is_empty(), "{:?}", town.fired());
    for rule in FAILING {
        assert_eq!(town.says(rule), State::Quiet);
    }
}

#[test]
fn forged_icmp_errors_raise_nothing_where_few_packets_are_sampled() {
    let mut town = Town::new();
    town.sampled_one_in = 5;
    let mut town = town.used_to(Load::of(1_000));
    let forged = Load {
        forged: 1_000,
        ..Load::of(1_000)
    };
    town.pass(forged, seconds(60));
    assert!(town.fired().is_empty(), "{:?}", town.fired());
}

#[test]
fn a_slow_server_is_not_a_silent_one() {
    let mut town = used_to(50);
    town.pass(Load::of(50).latency_ms(1_500), seconds(60));
    assert_eq!(town.worst(Rule::Silent), None);
    assert_eq!(town.worst(Rule::PartialFailure), None);
    assert_eq!(town.says(Rule::Slow), CRITICAL);
}

#[test]
fn queries_that_stay_away_are_missed_after_five_seconds() {
    let mut town = Town::on_server().used_to(Load::of(100));
    town.pass(Load::of(0), seconds(4));
    assert_eq!(town.says(Rule::Collapse), State::Quiet);
    town.wait(TICK);
    assert_eq!(town.says(Rule::Collapse), State::Holds);
    town.wait(TICK * 2);
    assert_eq!(town.says(Rule::Collapse), WARNING);
    town.wait(seconds(60));
    assert_eq!(town.says(Rule::Collapse), WARNING, "and not forgotten");
    town.pass(Load::of(100), seconds(5));
    assert_eq!(town.says(Rule::Collapse), State::Quiet);
    let mut town = Town::on_server().used_to(Load::of(100));
    town.pass(Load::of(8), seconds(10));
    assert_eq!(town.says(Rule::Collapse), WARNING);
}

#[test]
fn an_eighth_of_the_queries_is_no_collapse() {
    let mut town = Town::on_server().used_to(Load::of(100));
    town.pass(Load::of(12), seconds(120));
    assert_eq!(town.worst(Rule::Collapse), None);
}

#[test]
fn little_traffic_is_not_missed() {
    let too_little = State::Unknown("too little traffic to miss it");
    for load in [
        Load::of(100).clients(1),
        Load::of(100).clients(2),
        Load::of(15),
    ] {
        let mut town = Town::on_server().used_to(load);
        town.pass(Load::of(0), seconds(60));
        assert_eq!(town.says(Rule::Collapse), too_little, "{load:?}");
        assert_eq!(town.worst(Rule::Collapse), None, "{load:?}");
    }
    let three = Load::of(100).clients(3);
    let mut town = Town::on_server().used_to(three);
    town.pass(Load::of(0), seconds(6));
    assert_eq!(town.says(Rule::Collapse), WARNING);
}

#[test]
fn only_the_servers_own_host_tells_a_collapse() {
    let elsewhere = State::Unknown("only the server's own host can tell");
    for town in [Town::new(), Town::on_client()] {
        let mut town = town.used_to(Load::of(100));
        town.pass(Load::of(0), seconds(30));
        assert_eq!(town.says(Rule::Collapse), elsewhere);
    }
}

#[test]
fn a_third_that_fails_is_not_told_as_most() {
    let mut town = used_to(100);
    let third = Load {
        fate: Fate::Error(ErrorKind::Prohibited, 60),
        failing: 33,
        ..Load::of(100)
    };
    town.pass(third, seconds(20));
    let told = town.reading(Rule::Prohibited);
    assert_eq!(told.state, State::Holds, "{}", told.said);
}
