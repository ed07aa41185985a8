//! Who is outside cannot say what a server on this host does, nor end a query that is not his.

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sensor::engine::replay::counting::Counting;
use sensor::measure::sampled::Sampled;
use sensor_common::class::{Class, ErrorKind, SampleKind};
use sensor_common::sample::SAMPLES_PER_TICK;
use sensor_common::settings::Settings;
use support::traffic::{Clocked, Exchange, exchange, key};

const NAME: &str = "www.example.org";

/// Thirty real queries a second to a stopped server, and seven hundred forged answers and errors.
fn forged_answers_end_nothing(engine: &mut Clocked) {
    for family in [4, 6] {
        let mut exchange = exchange(family);
        engine.set_own_addresses(&[exchange.server, Ipv4Addr::LOCALHOST.into()]);
        engine.samples();
        engine.window();
        for id in 0..30 {
            exchange.id = id;
            engine.count(&exchange.query(NAME));
            engine.count(&exchange.answer(5, false));
            engine.count(&exchange.error(exchange.server, 100));
            engine.count(&exchange.error(exchange.server, 8));
        }
        let window = engine.window();
        let totals = window.totals();
        assert_eq!(totals.forged, 90);
        // They are what they look like, but of no server.
        assert_eq!(totals.classes[Class::DnsResponse.index()], 30);
        assert_eq!(totals.classes[Class::IcmpError.index()], 60);
        let counters = &window.servers[&key(exchange.server)].counters;
        assert_eq!((counters.queries, counters.responses), (30, 0));
        assert_eq!(counters.errors, [0; 8]);
        let transactions = counters.transactions;
        assert_eq!((transactions.sent, transactions.answered), (30, 0));
        assert_eq!((transactions.errored, transactions.unmatched), (0, 0));
        let samples = engine.samples();
        let forged = samples
            .iter()
            .filter(|sample| sample.kind == SampleKind::Forged as u32);
        let (forged, tokens) = (forged.clone(), SAMPLES_PER_TICK[SampleKind::Forged.index()]);
        assert_eq!(forged.clone().count() as u64, tokens);
        assert!(
            forged.into_iter().all(|sample| {
                Sampled::of(sample, &Settings::DEFAULT, Duration::ZERO).is_none()
            })
        );
        engine.wait(Duration::from_secs(3));
        assert_eq!(engine.window().unanswered(), 30);
        engine.wait(Duration::from_secs(20));
        engine.window();
    }
}

/// The set may change, and may be larger than the filter in front of it.
fn only_addresses_of_this_host_are_its_own(engine: &mut Clocked) {
    let mut exchange = exchange(4);
    let server = exchange.server;
    let own: Vec<IpAddr> = (0..2_000_u32)
        .map(|n| IpAddr::from(Ipv4Addr::from(0x0a00_0000 + n)))
        .collect();
    engine.set_own_addresses(&own);
    let mut answered = |engine: &mut Clocked| {
        exchange.id += 1;
        engine.count(&exchange.query(NAME));
        engine.count(&exchange.response());
        engine.transactions().answered
    };
    assert_eq!(answered(engine), 1, "another's address");
    engine.set_own_addresses(&[server]);
    assert_eq!(answered(engine), 0);
    engine.set_own_addresses(&own);
    assert_eq!(answered(engine), 1, "no longer its own");
    engine.set_own_addresses(&[]);
    assert_eq!(answered(engine), 1);
}

/// A sender that was none of this host's may become one, and the other way round.
fn who_sends_errors_is_looked_up_anew(engine: &mut Clocked) {
    for family in [4, 6] {
        let mut exchange = exchange(family);
        let router: IpAddr = if family == 4 {
            "192.0.2.77"
        } else {
            "2001:db8::77"
        }
        .parse()
        .expect("an address");
        let others = [IpAddr::from(Ipv4Addr::LOCALHOST)];
        engine.set_own_addresses(&others);
        let mut errored = |engine: &mut Clocked| {
            exchange.id += 1;
            engine.count(&exchange.query(NAME));
            engine.count(&exchange.error(router, 100));
            let window = engine.window();
            let transactions = window.servers[&key(exchange.server)].counters.transactions;
            (window.totals().forged, transactions.errored)
        };
        assert_eq!(errored(engine), (0, 1));
        assert_eq!(errored(engine), (0, 1), "cleared");
        engine.set_own_addresses(&[router]);
        assert_eq!(errored(engine), (1, 0));
        engine.set_own_addresses(&others);
        assert_eq!(errored(engine), (0, 1), "no longer its own");
    }
}

/// An error goes to whoever sent what it quotes.
fn an_error_to_somebody_else_matches_nothing(engine: &mut Clocked) {
    for family in [4, 6] {
        let asked = exchange(family);
        let other = exchange(family).reverse().client;
        engine.count(&asked.query(NAME));
        // To the attacker himself, who has seen neither query nor id, but may guess.
        for quoted in [8, 100] {
            let mut frame = asked.error(asked.server, quoted);
            let to = if family == 4 { 14 + 16 } else { 14 + 24 };
            match other {
                IpAddr::V4(other) => frame[to..to + 4].copy_from_slice(&other.octets()),
                IpAddr::V6(other) => frame[to..to + 16].copy_from_slice(&other.octets()),
            }
            engine.count(&frame);
        }
        let window = engine.window();
        let counters = &window.servers[&key(asked.server)].counters;
        assert_eq!(counters.errors[ErrorKind::Port.index()], 2);
        assert_eq!(counters.errors_matched, [0; 8]);
        assert_eq!(counters.transactions.errored, 0);
        // The true one still finds its query.
        engine.count(&asked.error(asked.server, 100));
        let window = engine.window();
        let counters = &window.servers[&key(asked.server)].counters;
        assert_eq!(counters.errors_matched[ErrorKind::Port.index()], 1);
        assert_eq!(counters.transactions.errored, 1);
    }
}

/// What leaves is the host's own: at egress nothing is forged.
#[test]
#[ignore = "needs a kernel"]
fn what_the_host_sends_is_genuine() {
    use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
    use sensor::engine::kernel::test_run::TestRunEngine;
    use sensor::engine::settings::for_ports;
    use sensor_common::names::{PROGRAM_EGRESS, PROGRAM_INGRESS};
    use sensor_common::settings::Direction;

    let exchange: Exchange = exchange(4);
    let mut settings = for_ports(&[]).expect("port 53");
    for (loopback, program, forged) in [
        (0, PROGRAM_EGRESS, 0),
        (0, PROGRAM_INGRESS, 1),
        // The kernel gives test frames the index of loopback.
        (1, PROGRAM_INGRESS, 0),
    ] {
        settings.loopback = loopback;
        let mut engine = TestRunEngine::new("test", settings.clone()).expect("a kernel");
        engine.set_own_addresses(&[key(exchange.server)].into());
        let loaded: &mut SchedClassifier = engine
            .loaded()
            .ebpf
            .program_mut(program)
            .expect(program)
            .try_into()
            .expect("a classifier");
        // The engine of test runs loads XDP alone.
        loaded.load().expect("accepted");
        let options = TestRunOptions {
            data_in: Some(&exchange.response()),
            ..TestRunOptions::default()
        };
        loaded.test_run(options).expect("a test run");
        let direction = match program {
            PROGRAM_EGRESS => Direction::Egress,
            _ => Direction::Ingress,
        };
        engine.reading(Duration::ZERO);
        let lane = engine.lanes().find(|lane| lane.direction == direction);
        let totals = lane.expect("both directions").totals;
        assert_eq!(
            (totals.seen, totals.forged),
            (1, forged),
            "{program} {loopback}"
        );
    }
}

macro_rules! in_both_engines {
    ($($test:ident)*) => {
        mod on_the_host {
            $(#[test] fn $test() { super::$test(&mut super::Clocked::host()); })*
        }
        mod forgery_in_the_kernel {
            $(
                #[test]
                #[ignore = "needs a kernel"]
                fn $test() { super::$test(&mut super::Clocked::kernel()); }
            )*
        }
    };
}

in_both_engines! {
    forged_answers_end_nothing
    only_addresses_of_this_host_are_its_own
    who_sends_errors_is_looked_up_anew
    an_error_to_somebody_else_matches_nothing
}
