//! Too many queries, and too many answers.

use sensor::detect::server::NXDOMAIN;
use sensor::detect::{Level, Place, Rule, State, Thresholds};
use sensor::measure::sketch::Prefix;

use crate::town::{CRITICAL, Load, TICK, Town, WARNING, flooder, seconds, server};

const NOT_YET: State = State::Unknown("what is usual is not known yet");

fn used_to(load: Load) -> Town {
    Town::new().used_to(load)
}

#[test]
fn a_flood_is_far_above_the_usual_rate_and_a_thousand() {
    for (usual, now, state) in [
        (100, 6_000, CRITICAL),
        (100, 4_900, WARNING),
        (100, 1_100, WARNING),
        (100, 900, State::Holds),
        (100, 400, State::Quiet),
        (1_000, 3_300, WARNING),
        (1_000, 2_700, State::Holds),
        (1_000, 9_000, WARNING),
        (1_000, 11_000, CRITICAL),
    ] {
        let mut town = used_to(Load::of(usual));
        town.pass(Load::of(now), seconds(5));
        assert_eq!(town.says(Rule::QueryFlood), state, "from {usual} to {now}");
    }
}

#[test]
fn a_flood_is_told_within_a_second_and_not_after_one_tick() {
    let mut town = used_to(Load::of(100));
    town.set(0, Load::of(2_000));
    let after = town.until(Rule::QueryFlood, Level::Warning, seconds(5));
    assert!(after.is_some_and(|after| after <= seconds(1)), "{after:?}");
    let mut town = used_to(Load::of(100));
    town.pass(Load::of(4_000), TICK);
    town.pass(Load::of(100), seconds(10));
    assert!(town.fired().is_empty(), "{:?}", town.fired());
}

#[test]
fn a_crowd_is_no_flood_and_the_same_rise_from_few_sources_is() {
    let mut town = used_to(Load::of(400).clients(400));
    town.pass(Load::of(1_600).clients(1_600), seconds(60));
    assert!(town.fired().is_empty(), "{:?}", town.fired());
    assert_eq!(town.says(Rule::QueryFlood), State::Quiet);
    let mut town = used_to(Load::of(400).clients(400));
    town.set(0, Load::of(1_600).clients(400));
    let after = town.until(Rule::QueryFlood, Level::Warning, seconds(10));
    let after = after.expect("the same sources");
    assert!((seconds(1)..=seconds(4)).contains(&after), "{after:?}");
    // Sources that have doubled while the queries are eight times as many.
    let mut town = used_to(Load::of(400).clients(400));
    town.pass(Load::of(3_200).clients(800), seconds(10));
    assert_eq!(town.says(Rule::QueryFlood), WARNING);
}

#[test]
fn a_crowd_that_is_not_answered_is_a_flood() {
    let mut town = used_to(Load::of(400).clients(400));
    town.pass(Load::of(1_600).clients(1_600).silent(20), seconds(10));
    assert_eq!(town.says(Rule::QueryFlood), WARNING);
}

#[test]
fn a_ceiling_needs_no_history() {
    let thresholds = Thresholds {
        flood_ceiling: Some(500.0),
        ..Thresholds::default()
    };
    let mut town = Town::with(thresholds.clone(), Place::default());
    town.pass(Load::of(480), seconds(3));
    assert_eq!(town.says(Rule::QueryFlood), State::Holds);
    let mut town = Town::with(thresholds, Place::default());
    // The first seconds of a server may be those of a crowd.
    town.pass(Load::of(520), seconds(1));
    assert_eq!(town.says(Rule::QueryFlood), WARNING);
    let mut town = Town::new();
    town.pass(Load::of(5_000), seconds(3));
    assert_eq!(town.says(Rule::QueryFlood), NOT_YET);
}

#[test]
fn one_source_is_told_by_its_rate() {
    for (rate, state, harmless) in [
        (400, CRITICAL, CRITICAL),
        (250, WARNING, State::Holds),
        (110, WARNING, State::Holds),
        (90, State::Holds, State::Holds),
        (40, State::Quiet, State::Quiet),
    ] {
        let flooded = Load::of(100).flooder(rate);
        let mut town = used_to(Load::of(100));
        town.pass(flooded.silent(10), seconds(12));
        assert_eq!(town.says(Rule::OneSource), state, "{rate} a second");
        // All are answered as ever: then it is a client that asks much.
        let mut town = used_to(Load::of(100));
        town.pass(flooded, seconds(12));
        assert_eq!(town.says(Rule::OneSource), harmless, "{rate} a second");
        // But the others wait for it.
        let mut town = used_to(Load::of(100));
        town.pass(flooded.latency_ms(600), seconds(12));
        assert_eq!(town.says(Rule::OneSource), state, "{rate} a second");
    }
}

#[test]
fn a_source_that_asks_another_server_is_not_named() {
    let mut town = used_to(Load::of(100));
    town.set(0, Load::of(600));
    town.set(1, Load::of(50).flooder(400));
    town.wait(seconds(15));
    let another = State::Unknown("the heaviest source asks another server");
    assert_eq!(town.says(Rule::OneSource), another);
    assert_eq!(town.says_of(1, Rule::OneSource), CRITICAL);
}

#[test]
fn one_source_stands_out_from_the_others_or_has_most_of_a_flood() {
    // Ten times what the others ask, in the mean, is 300.
    let others = Load::of(150).clients(5);
    let mut town = used_to(others);
    town.pass(others.flooder(280), seconds(15));
    assert_eq!(town.says(Rule::OneSource), State::Holds);
    town.pass(others.flooder(330), seconds(15));
    assert_eq!(town.says(Rule::OneSource), CRITICAL);
    // It does not stand out so far, but most of the flood is its own.
    let others = Load::of(400).clients(2);
    let mut town = used_to(others);
    town.pass(others.flooder(1_500), seconds(15));
    assert_eq!(town.says(Rule::QueryFlood), WARNING);
    assert_eq!(town.says(Rule::OneSource), CRITICAL);
    let mut town = used_to(others);
    town.pass(others.flooder(700), seconds(15));
    assert_eq!(town.says(Rule::OneSource), State::Holds, "no flood");
}

#[test]
fn a_source_that_always_asks_much_is_no_news() {
    let mut town = used_to(Load::of(100).flooder(150));
    town.pass(Load::of(100).flooder(400), seconds(20));
    assert_eq!(
        town.says(Rule::OneSource),
        State::Holds,
        "less than three times"
    );
    let mut town = used_to(Load::of(100).flooder(150));
    town.pass(Load::of(100).flooder(600), seconds(20));
    assert_eq!(town.says(Rule::OneSource), CRITICAL);
}

#[test]
fn a_trusted_source_or_one_of_ours_never_floods() {
    let trusted = Place {
        trusted: vec![Prefix::network(flooder())],
        ..Place::default()
    };
    let ours = Place {
        addresses: [flooder()].into(),
        ..Place::default()
    };
    for place in [trusted, ours] {
        let mut town = Town::with(Thresholds::default(), place).used_to(Load::of(100));
        town.pass(Load::of(100).flooder(800), seconds(60));
        assert_eq!(town.worst(Rule::OneSource), None);
        let rate = town.reading(Rule::OneSource).value;
        assert!((rate - 5.0).abs() < 0.5, "that of the next one: {rate}");
    }
}

#[test]
fn one_source_is_about_the_server_that_gets_most_or_of_which_it_asks_most() {
    let mut town = used_to(Load::of(100));
    town.set(1, Load::of(800));
    town.wait(seconds(30));
    town.set(0, Load::of(400).flooder(350));
    town.wait(seconds(15));
    let others = State::Unknown("most queries are for other servers");
    assert_eq!(town.says(Rule::OneSource), others);
    town.set(0, Load::of(100).flooder(600));
    town.wait(seconds(10));
    assert_eq!(town.says(Rule::OneSource), CRITICAL);
}

#[test]
fn one_source_that_floods_several_servers_is_told_at_each() {
    let mut town = Town::new();
    for server in 0..3 {
        town.set(server, Load::of(50));
    }
    town.wait(seconds(60));
    for server in 0..3 {
        town.set(server, Load::of(50).flooder(320));
    }
    town.wait(seconds(15));
    for server in 0..3 {
        assert_eq!(town.says_of(server, Rule::OneSource), CRITICAL, "{server}");
    }
    // What it asks of a server counts there, not what it asks of all.
    let mut town = Town::new();
    for server in 0..3 {
        town.set(server, Load::of(50));
    }
    town.wait(seconds(60));
    for server in 0..3 {
        town.set(server, Load::of(50).flooder(150));
    }
    town.wait(seconds(15));
    assert_eq!(town.says(Rule::OneSource), State::Holds);
}

#[test]
fn a_resolver_is_no_attacker_of_those_it_asks_nor_of_itself() {
    // Its clients ask it, and it asks a server what it does not know.
    let mut town = Town::new();
    town.flooder = server(0);
    town.set(0, Load::of(500));
    town.set(1, Load::of(0).flooder(60));
    town.wait(seconds(60));
    town.set(1, Load::of(0).flooder(400));
    town.wait(seconds(15));
    let resolver = State::Unknown("the heaviest source is a server that answers as much");
    assert_eq!(town.says_of(1, Rule::OneSource), resolver);
    let itself = State::Unknown("the heaviest source is this server, which asks others");
    assert_eq!(town.says(Rule::OneSource), itself);
    assert!(town.fired().is_empty(), "{:?}", town.fired());
    // Queries to itself can be sent by anyone: what it answers counts, and that must be enough.
    for load in [
        Load::of(100).silent(100),
        Load::of(200).silent(99),
        Load::of(20),
        Load::of(100),
    ] {
        let mut town = Town::new();
        town.flooder = server(2);
        for number in 0..2 {
            town.set(number, Load::of(50));
        }
        town.set(2, load);
        town.wait(seconds(60));
        for number in 0..2 {
            town.set(number, Load::of(50).flooder(400));
        }
        town.wait(seconds(15));
        assert_eq!(town.says_of(1, Rule::OneSource), CRITICAL);
    }
}

#[test]
fn a_resolver_asks_again_where_it_is_not_answered() {
    // A forwarder whose only server fails: it answers nobody any more, and its clients ask again too. Most of
    // all queries are for another.
    let mut town = Town::new();
    town.flooder = server(0);
    town.set(2, Load::of(2_000).clients(400));
    town.set(0, Load::of(100));
    town.set(1, Load::of(0).flooder(100));
    town.wait(seconds(60));
    town.set(0, Load::of(100).silent(100));
    town.set(1, Load::of(0).flooder(100).silent(100));
    town.wait(seconds(4));
    town.set(0, Load::of(400).silent(100));
    town.set(1, Load::of(0).flooder(800).silent(100));
    town.wait(seconds(180));
    assert_eq!(town.worst(Rule::OneSource), None);
    // Where it is answered there is no reason to.
    town.set(0, Load::of(100));
    town.set(1, Load::of(0).flooder(800));
    town.wait(seconds(30));
    assert_eq!(town.says_of(1, Rule::OneSource), CRITICAL);
}

#[test]
fn random_names_are_many_and_do_not_exist() {
    let names = |percent, names| Load {
        names,
        ..Load::of(200).rcode(NXDOMAIN, percent)
    };
    for (load, state) in [
        (names(60, 100), WARNING),
        (names(45, 70), WARNING),
        (names(35, 100), State::Holds),
        (names(15, 100), State::Quiet),
        // The same names as ever.
        (names(60, 50), State::Holds),
    ] {
        let mut town = used_to(names(0, 20));
        town.pass(load, seconds(5));
        assert_eq!(town.says(Rule::RandomNames), state, "{load:?}");
    }
    // Less than 20 a second.
    let few = Load {
        names: 5,
        ..Load::of(30)
    };
    let mut town = used_to(few);
    let many = Load { names: 100, ..few };
    town.pass(many.rcode(NXDOMAIN, 60), seconds(5));
    assert_eq!(town.says(Rule::RandomNames), State::Holds);
    let mut town = used_to(few);
    town.pass(many.rcode(NXDOMAIN, 80), seconds(5));
    assert_eq!(town.says(Rule::RandomNames), WARNING);
}

#[test]
fn names_that_never_existed_are_no_news() {
    let names = |percent, names| Load {
        names,
        ..Load::of(200).rcode(NXDOMAIN, percent)
    };
    let mut town = used_to(names(20, 20));
    town.pass(names(55, 100), seconds(5));
    assert_eq!(town.says(Rule::RandomNames), State::Holds);
    let mut town = used_to(names(20, 20));
    town.pass(names(75, 100), seconds(5));
    assert_eq!(town.says(Rule::RandomNames), WARNING);
    let mut town = Town::new();
    town.pass(names(90, 200), seconds(25));
    assert_eq!(town.says(Rule::RandomNames), NOT_YET);
}

#[test]
fn large_answers_to_one_network() {
    let any = |queries, bytes| Load {
        any: true,
        response_bytes: bytes,
        ..Load::of(queries).clients(1)
    };
    for (load, state) in [
        (any(400, 3_000), CRITICAL),
        (any(50, 3_000), WARNING),
        (any(20, 3_000), State::Holds),
        (any(10, 3_000), State::Quiet),
        // Nine times the query.
        (any(500, 360), State::Quiet),
        (any(500, 440), WARNING),
        // To many networks, none of which gets that much.
        (any(500, 3_000).clients(100), State::Quiet),
    ] {
        let mut town = used_to(Load::of(50).clients(1));
        town.pass(load, seconds(25));
        assert_eq!(town.says(Rule::Amplification), state, "{load:?}");
        town.pass(Load::of(0), seconds(3));
        assert_eq!(town.says(Rule::Amplification), State::Quiet, "over");
    }
}

#[test]
fn large_answers_are_those_to_any_or_about_few_names() {
    let large = |names| Load {
        names,
        response_bytes: 3_000,
        ..Load::of(100).clients(1)
    };
    for (names, state) in [(5, WARNING), (40, State::Quiet)] {
        let mut town = used_to(Load::of(100).clients(1));
        town.pass(large(names), seconds(25));
        assert_eq!(town.says(Rule::Amplification), state, "{names} names");
    }
}

#[test]
fn responses_that_nobody_asked_for() {
    let reflected = |queries, unmatched| Load {
        unmatched,
        ..Load::of(queries)
    };
    for (queries, unmatched, state) in [
        (20, 1_100, CRITICAL),
        (20, 900, WARNING),
        (20, 110, WARNING),
        (20, 90, State::Holds),
        (20, 40, State::Quiet),
        // Less than half of the responses.
        (200, 150, State::Holds),
        (140, 150, WARNING),
    ] {
        let mut town = used_to(Load::of(queries));
        town.pass(reflected(queries, unmatched), seconds(3));
        assert_eq!(town.says(Rule::Reflection), state, "{queries}, {unmatched}");
    }
    let one = State::Unknown("only one direction of the traffic is seen");
    let told = Place {
        one_direction: true,
        ..Place::default()
    };
    for mut town in [Town::new(), Town::with(Thresholds::default(), told)] {
        town.pass(reflected(0, 2_000), seconds(5));
        assert_eq!(town.says(Rule::Reflection), one);
    }
    let mut town = Town::on_client();
    town.pass(reflected(0, 2_000), seconds(3));
    assert_eq!(
        town.says(Rule::Reflection),
        CRITICAL,
        "nothing was asked here"
    );
}

#[test]
fn sources_that_are_made_up() {
    let flood = |rate, sources| Load::of(rate).clients(sources);
    let backscatter = |load, backscatter| Load {
        backscatter,
        ..load
    };
    for (load, state) in [
        (flood(2_000, 2_000), WARNING),
        (flood(2_000, 700), WARNING),
        // Fewer than ten times the usual sources.
        (flood(2_000, 190), State::Holds),
        (flood(2_000, 90), State::Quiet),
        // Each asks as a real one does, unless errors about its answers come back.
        (flood(2_000, 600), State::Holds),
        (backscatter(flood(2_000, 600), 10), State::Holds),
        (backscatter(flood(2_000, 600), 40), WARNING),
        // Not a flood.
        (flood(600, 600), State::Quiet),
    ] {
        let mut town = used_to(Load::of(100));
        town.pass(load, seconds(10));
        assert_eq!(town.says(Rule::Spoofed), state, "{load:?}");
    }
}

#[test]
fn a_flood_does_not_end_because_it_lasts() {
    let mut town = used_to(Load::of(100));
    town.pass(Load::of(2_000).clients(2_000), seconds(60));
    assert_eq!(town.says(Rule::Spoofed), WARNING);
    let mut town = used_to(Load::of(100));
    town.pass(Load::of(100).flooder(1_500), seconds(120));
    assert_eq!(town.says(Rule::OneSource), CRITICAL);
}

#[test]
fn large_answers_in_the_first_second_are_not_about_few_names_yet() {
    let large = Load {
        names: 1_000,
        response_bytes: 600,
        ..Load::of(2_000).clients(1)
    };
    let mut town = Town::new();
    town.pass(large, seconds(5));
    assert_eq!(town.worst(Rule::Amplification), None);
}

#[test]
fn a_forwarder_is_usual_however_often_sources_are_read() {
    for ticks in [4, 5, 6] {
        let mut town = Town::new();
        town.sources_every = ticks;
        town.pass(Load::of(100).flooder(150), seconds(60));
        assert!(town.fired().is_empty(), "{ticks}: {:?}", town.fired());
    }
}

#[test]
fn random_names_are_told_where_many_names_never_existed() {
    let names = |percent, names| Load {
        names,
        ..Load::of(200).rcode(NXDOMAIN, percent)
    };
    let mut town = used_to(names(40, 20));
    town.pass(names(99, 150), seconds(5));
    let told = town.reading(Rule::RandomNames);
    assert_eq!(told.state, WARNING, "{told:?}");
}
