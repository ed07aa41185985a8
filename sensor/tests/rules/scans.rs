//! One source asks many servers, or this host does.

use sensor::detect::{Place, Rule, State, Subject, Thresholds};
use sensor_common::class::ErrorKind;

use crate::town::{CRITICAL, Load, Town, WARNING, client, seconds, server};

/// Servers that are asked in vain, each by as many clients.
fn asked_in_vain(servers: usize, clients: u64) -> Town {
    let mut town = Town::new();
    for number in 0..servers {
        town.set(
            number,
            Load::of(4).clients(clients).failing(100, ErrorKind::Port),
        );
    }
    town.wait(seconds(8));
    town
}

#[test]
fn a_scan_asks_ten_servers_in_vain() {
    for (servers, state) in [(12, WARNING), (10, WARNING), (9, State::Quiet)] {
        let town = asked_in_vain(servers, 1);
        assert_eq!(town.says(Rule::Scan), state, "{servers}");
    }
}

#[test]
fn no_server_is_down_because_it_was_scanned() {
    let town = asked_in_vain(12, 1);
    let scanned = State::Unknown("only one source asks it, which asks many servers in vain");
    for number in 0..12 {
        for rule in [Rule::PortUnreachable, Rule::Silent, Rule::PartialFailure] {
            assert_eq!(town.says_of(number, rule), scanned);
        }
    }
    let town = asked_in_vain(12, 2);
    assert_eq!(town.says(Rule::Scan), State::Quiet, "two sources ask");
    assert_eq!(town.says_of(11, Rule::PortUnreachable), WARNING);
}

#[test]
fn no_server_is_down_because_a_scan_is_over() {
    let mut town = Town::new();
    for number in 0..40 {
        let scanned = Load::of(4).clients(1).failing(100, ErrorKind::Host);
        town.set(number, scanned);
    }
    town.wait(seconds(8));
    for number in 0..40 {
        town.set(number, Load::of(0));
    }
    town.wait(seconds(150));
    let fired: Vec<Rule> = town.fired().into_iter().collect();
    assert_eq!(fired, [Rule::Scan]);
}

#[test]
fn servers_that_answer_are_not_scanned() {
    let mut town = Town::new();
    for number in 0..20 {
        town.set(number, Load::of(4).clients(1));
    }
    town.wait(seconds(10));
    assert_eq!(town.says(Rule::Scan), State::Quiet);
    assert!(town.fired().is_empty(), "{:?}", town.fired());
}

#[test]
fn one_of_very_many_servers_may_fail_and_an_important_one_may_not() {
    let minor = State::Unknown("it is one of very many servers that are asked, and rarely");
    // The first one gets 1 % or 10 % of the queries.
    for (servers, queries, state) in [(60, 1, minor), (60, 20, WARNING), (49, 1, WARNING)] {
        let mut town = Town::on_client();
        for number in 1..servers {
            town.set(number, Load::of(4).clients(1));
        }
        let load = Load::of(queries).clients(1);
        town.pass(load, seconds(20));
        town.pass(load.failing(100, ErrorKind::Port), seconds(6));
        assert_eq!(
            town.says(Rule::PortUnreachable),
            state,
            "{queries} of {servers}"
        );
    }
}

#[test]
fn a_scan_makes_no_server_minor() {
    let mut town = Town::new();
    town.set(0, Load::of(2));
    town.set(1, Load::of(200));
    for number in 2..100 {
        let scanned = Load {
            queries_a_minute: 20,
            ..Load::of(0).clients(1).silent(100)
        };
        town.set(number, scanned);
    }
    town.wait(seconds(40));
    assert_eq!(town.says(Rule::Scan), WARNING);
    town.pass(Load::of(2).failing(100, ErrorKind::Port), seconds(15));
    assert_eq!(town.says(Rule::PortUnreachable), CRITICAL);
}

#[test]
fn where_all_servers_fail_none_is_minor() {
    let mut town = Town::on_client();
    for number in 0..60 {
        town.set(number, Load::of(4).clients(1));
    }
    town.wait(seconds(20));
    for number in 0..60 {
        town.set(number, Load::of(4).clients(1).silent(100));
    }
    town.wait(seconds(15));
    for number in 0..60 {
        assert_eq!(town.says_of(number, Rule::Silent), CRITICAL, "{number}");
    }
}

#[test]
fn one_of_many_servers_fails_with_a_warning_at_most() {
    for (servers, queries, worst) in [(12, 3, WARNING), (12, 30, CRITICAL), (9, 3, CRITICAL)] {
        let mut town = Town::on_client();
        for number in 1..servers {
            town.set(number, Load::of(5).clients(1));
        }
        let load = Load::of(queries).clients(1);
        town.pass(load, seconds(20));
        town.pass(load.silent(100), seconds(20));
        assert_eq!(town.says(Rule::Silent), worst, "{queries} of {servers}");
    }
}

#[test]
fn a_resolver_of_ours_does_not_scan_and_always_asks_some_in_vain() {
    let mut town = Town::on_client();
    for number in 0..12 {
        town.set(number, Load::of(2).clients(1).silent(100));
    }
    for number in 12..18 {
        town.set(number, Load::of(20).clients(1));
    }
    town.wait(seconds(20));
    assert_eq!(town.says(Rule::Scan), State::Quiet);
    assert!(town.fired().is_empty(), "{:?}", town.fired());
    // When nobody answers any more, that is not how it always is.
    for number in 12..18 {
        town.set(number, Load::of(20).clients(1).silent(100));
    }
    town.wait(seconds(20));
    for number in 0..18 {
        assert_eq!(town.says_of(number, Rule::Silent), CRITICAL, "{number}");
    }
}

#[test]
fn too_many_servers_are_forgotten_and_counted_and_those_that_answer_are_kept() {
    let place = Place {
        addresses: [client(0)].into(),
        ..Place::default()
    };
    let mut town = Town::with(Thresholds::default(), place);
    for number in 0..10 {
        town.set(number, Load::of(8).clients(1));
    }
    town.wait(seconds(1));
    for number in 10..256 {
        town.set(number, Load::of(8).clients(1).silent(100));
    }
    town.tick();
    assert_eq!(town.detector.forgotten(), 0);
    for number in 256..300 {
        town.set(number, Load::of(8).clients(1).silent(100));
    }
    for number in 10..256 {
        town.set(number, Load::of(0));
    }
    town.tick();
    assert_eq!(town.detector.forgotten(), 44);
    assert_eq!(town.detector.readings().len(), 256 + 1, "and the network");
    let is_kept = |number: &usize| town.detector.server(&server(*number)).is_some();
    assert_eq!((0..10).filter(is_kept).count(), 10);
    assert_eq!((256..300).filter(is_kept).count(), 44);
    let of_forgotten = |number: usize| {
        let subject = Subject::Server(server(number));
        town.detector.readings().contains_key(&subject)
    };
    assert_eq!(
        (10..256).filter(|number| of_forgotten(*number)).count(),
        202
    );
}
