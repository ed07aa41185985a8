//! From queries and responses to outcomes, by a clock that the tests hold: the same in both engines.

mod support;

use std::time::Duration;

use sensor::engine::ledger::ServerTotals;
use sensor_common::class::ErrorKind;
use sensor_common::transactions::TransactionCounters;
use support::traffic::{Clocked, exchange};

const NOTHING: TransactionCounters = TransactionCounters {
    sent: 0,
    answered: 0,
    late: 0,
    errored: 0,
    untracked: 0,
    retransmitted: 0,
    duplicate: 0,
    unmatched: 0,
    obscured: 0,
};
const NAME: &str = "www.example.org";

fn milliseconds(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// An answer in time, its latency, and a second one.
fn an_answer_is_matched(engine: &mut Clocked) {
    for family in [4, 6] {
        let exchange = exchange(family);
        engine.count(&exchange.query(NAME));
        engine.wait(milliseconds(40));
        engine.count(&exchange.response());
        let window = engine.window();
        let server = &window.servers[&support::traffic::key(exchange.server)];
        let expected = TransactionCounters {
            sent: 1,
            answered: 1,
            ..NOTHING
        };
        assert_eq!(server.counters.transactions, expected);
        let latency = server.latency.quantile(0.5).expect("an answer");
        assert!(
            latency >= milliseconds(40) && latency <= milliseconds(46),
            "{latency:?}"
        );
        engine.count(&exchange.response());
        let window = engine.window();
        let server = &window.servers[&support::traffic::key(exchange.server)];
        assert_eq!(server.counters.transactions.duplicate, 1);
        assert_eq!(server.counters.transactions.answered, 0);
    }
}

/// Past the time-out but not past ten seconds.
fn a_late_answer_is_late_and_its_query_was_unanswered(engine: &mut Clocked) {
    let exchange = exchange(4);
    engine.count(&exchange.query(NAME));
    engine.wait(milliseconds(1_990));
    assert_eq!(
        (engine.server().waiting.since(0), engine.server_unanswered()),
        (1, 0)
    );
    engine.wait(milliseconds(2_010));
    engine.count(&exchange.response());
    let server = engine.server();
    assert_eq!(
        server.counters.transactions,
        TransactionCounters { late: 1, ..NOTHING }
    );
    assert_eq!((server.unanswered, server.waiting.since(0)), (1, 0));
    let latency = server.latency.quantile(0.5).expect("an answer");
    assert!(
        latency >= milliseconds(4_000) && latency <= milliseconds(4_600),
        "{latency:?}"
    );
}

/// Nothing but the clock moves.
fn a_time_out_needs_no_traffic(engine: &mut Clocked) {
    let mut exchange = exchange(6);
    for id in 0..7 {
        exchange.id = id;
        engine.count(&exchange.query(NAME));
    }
    engine.window();
    engine.wait(milliseconds(1_000));
    assert_eq!(engine.server().waiting.since(3), 7);
    engine.wait(milliseconds(2_000));
    let server = engine.server();
    assert_eq!((server.unanswered, server.waiting.since(0)), (7, 0));
}

/// While as many are answered, for a minute: the ring goes round several times.
fn time_outs_are_exact_while_others_are_answered(engine: &mut Clocked) {
    let mut exchange = exchange(4);
    let rounds = 1_200_u64;
    for round in 0..rounds {
        for answered in [true, false] {
            exchange.id = exchange.id.wrapping_add(1);
            engine.count(&exchange.query(NAME));
            engine.wait(milliseconds(25));
            if answered {
                engine.count(&exchange.response());
            }
        }
        if round % 7 == 0 {
            engine.window();
        }
    }
    engine.wait(milliseconds(3_000));
    let place = engine.only_server();
    let transactions = place.counters.transactions;
    assert_eq!(
        (transactions.sent, transactions.answered),
        (2 * rounds, rounds)
    );
    assert_eq!(place.unanswered, rounds);
}

/// The same tuple and id again, before there is an answer.
fn a_retransmission_is_the_same_transaction(engine: &mut Clocked) {
    let exchange = exchange(4);
    for _ in 0..3 {
        engine.count(&exchange.query(NAME));
        engine.wait(milliseconds(500));
    }
    engine.count(&exchange.response());
    let server = engine.server();
    let expected = TransactionCounters {
        sent: 1,
        answered: 1,
        retransmitted: 2,
        ..NOTHING
    };
    assert_eq!(server.counters.transactions, expected);
    // From the first query.
    let latency = server.latency.quantile(0.5).expect("an answer");
    assert!(latency >= milliseconds(1_500), "{latency:?}");
}

/// The same tuple and id after an answer, after an error, and after ten seconds of silence.
fn an_id_that_is_used_again_is_a_new_transaction(engine: &mut Clocked) {
    let exchange = exchange(4);
    engine.count(&exchange.query(NAME));
    engine.count(&exchange.response());
    engine.count(&exchange.query(NAME));
    engine.count(&exchange.error(exchange.server, 100));
    engine.count(&exchange.query(NAME));
    engine.wait(milliseconds(10_100));
    engine.count(&exchange.query(NAME));
    engine.count(&exchange.response());
    let expected = TransactionCounters {
        sent: 4,
        answered: 2,
        errored: 1,
        ..NOTHING
    };
    assert_eq!(engine.transactions(), expected);
}

/// Whole quotes end a transaction; short ones only match; forged ones do neither.
fn errors_find_the_query_that_they_quote(engine: &mut Clocked) {
    for family in [4, 6] {
        let exchange = exchange(family);
        let key = support::traffic::key(exchange.server);
        engine.count(&exchange.query(NAME));
        engine.count(&exchange.error(exchange.server, 100));
        let server = engine.window().servers.remove(&key).expect("a server");
        assert_eq!(server.counters.transactions.errored, 1);
        assert_eq!(server.counters.errors_matched[ErrorKind::Port.index()], 1);
        engine.wait(milliseconds(3_000));

        let mut second = exchange;
        second.id = 2;
        engine.count(&second.query(NAME));
        engine.count(&second.error(exchange.client, 8));
        let server = engine.window().servers.remove(&key).expect("a server");
        assert_eq!(server.counters.transactions.errored, 0);
        assert_eq!(server.counters.errors_matched[ErrorKind::Port.index()], 1);
        assert_eq!(
            (
                server.counters.errors_unverifiable,
                server.counters.errors_from_server
            ),
            (1, 0)
        );
        assert_eq!(server.unanswered, 0);

        let mut forged = exchange;
        forged.port = 40_001;
        engine.count(&forged.error(exchange.server, 100));
        engine.count(&forged.error(exchange.server, 8));
        let server = engine.window().servers.remove(&key).expect("a server");
        assert_eq!(server.counters.errors[ErrorKind::Port.index()], 2);
        assert_eq!(server.counters.errors_matched, [0; 8]);
        // Twelve seconds later nobody waits for it any more.
        engine.wait(milliseconds(12_000));
        engine.count(&exchange.error(exchange.server, 8));
        let server = engine.window().servers.remove(&key).expect("a server");
        assert_eq!(server.counters.errors_matched, [0; 8]);
    }
}

/// Anybody can send an answer: only one that belongs to a query says what the server answers.
fn rcodes_and_truncation_are_of_matched_answers(engine: &mut Clocked) {
    let mut exchange = exchange(4);
    for (id, rcode, truncated) in [(1, 0, false), (2, 3, true), (3, 2, false)] {
        exchange.id = id;
        engine.count(&exchange.query(NAME));
        // Late ones too.
        engine.wait(milliseconds(if id == 3 { 3_000 } else { 1 }));
        engine.count(&exchange.answer(rcode, truncated));
        // Once more, and forged ones.
        engine.count(&exchange.answer(5, true));
        exchange.id = 100 + id;
        engine.count(&exchange.answer(5, true));
    }
    let counters = engine.server().counters;
    let mut expected = [0; 16];
    for rcode in [0, 2, 3] {
        expected[rcode] = 1;
    }
    assert_eq!(counters.answers_by_rcode, expected);
    assert_eq!(counters.answers_truncated, 1);
    assert_eq!((counters.rcode[5], counters.truncated), (6, 7));
}

/// What is too big is another thing than what nobody wants.
fn errors_about_answers_are_told_by_kind(engine: &mut Clocked) {
    for (family, errors) in [
        (4, [(3, 3, ErrorKind::Port), (3, 4, ErrorKind::TooBig)]),
        (6, [(1, 4, ErrorKind::Port), (2, 0, ErrorKind::TooBig)]),
    ] {
        let exchange = exchange(family);
        for (kind, code, expected) in errors {
            engine.count(&exchange.backscatter(kind, code));
            let window = engine.window();
            let server = &window.servers[&support::traffic::key(exchange.server)];
            assert_eq!(server.counters.backscatter[expected.index()], 1);
            assert_eq!(server.counters.backscatter.iter().sum::<u64>(), 1);
        }
    }
}

/// A response to nobody is told only after ten seconds, when its query would have been seen.
fn unmatched_waits_until_a_query_would_have_been_seen(engine: &mut Clocked) {
    let mut exchange = exchange(4);
    engine.count(&exchange.response());
    assert_eq!(engine.transactions(), NOTHING);
    engine.wait_seconds(11);
    exchange.id = 2;
    for _ in 0..5 {
        engine.count(&exchange.response());
    }
    assert_eq!(
        engine.transactions(),
        TransactionCounters {
            unmatched: 5,
            ..NOTHING
        }
    );
}

/// A flood is sampled; the estimates stay near the truth, and nothing healthy is called unmatched while
/// the rate goes up and down.
fn a_flood_is_sampled_without_false_alarms(engine: &mut Clocked) {
    engine.wait_seconds(11);
    let mut exchange = exchange(4);
    let mut sent = 0_u64;
    let mut highest = 0;
    let mut pending: Vec<_> = Vec::new();
    // Queries a second: calm, a flood, calm again.
    for (rate, seconds) in [(100, 2), (40_000, 3), (100, 8), (4_000, 2), (50, 14)] {
        for _ in 0..rate * seconds {
            exchange.id = exchange.id.wrapping_add(1);
            if exchange.id == 0 {
                exchange.port += 1;
            }
            engine.count(&exchange.query(NAME));
            sent += 1;
            pending.push(exchange);
            if pending.len() == 20 {
                for answered in pending.drain(..) {
                    engine.count(&answered.response());
                }
            }
            engine.wait(Duration::from_secs(1) / rate);
        }
        highest = highest.max(engine.shift());
    }
    assert!((2..=6).contains(&highest), "1 in 2^{highest}");
    assert_eq!(engine.shift(), 0, "it recovers");
    let place = engine.only_server();
    let transactions = place.counters.transactions;
    assert_eq!(place.counters.queries, sent);
    assert_eq!((transactions.unmatched, transactions.late), (0, 0));
    // Each followed one stands for up to 2^highest: four standard errors.
    let error = 4 * (sent << highest).isqrt();
    let off = transactions.sent.abs_diff(sent);
    assert!(
        off < error,
        "{} for {sent}, off by {off}, {error} allowed",
        transactions.sent
    );
    let answered = transactions.answered + transactions.obscured;
    assert!(transactions.sent - answered <= 20 << highest);
}

/// A dead server under a flood: the table neither fills nor forgets what it follows.
fn a_flood_of_unanswered_queries_fills_nothing(engine: &mut Clocked) {
    engine.wait_seconds(11);
    let mut exchange = exchange(4);
    let (rate, seconds) = (30_000, 6);
    for number in 0..rate * seconds {
        exchange.id = number as u16;
        exchange.port = 1_024 + (number / 65_536) as u16;
        engine.count(&exchange.query(NAME));
        engine.wait(Duration::from_secs(1) / rate);
    }
    engine.wait_seconds(3);
    let place = engine.only_server();
    let transactions = place.counters.transactions;
    let total = u64::from(rate * seconds);
    let all = transactions.sent + transactions.untracked;
    assert!(all.abs_diff(total) < total / 20, "{transactions:?}");
    assert_eq!(place.unanswered, transactions.sent);
    assert!(transactions.untracked < total / 20, "{transactions:?}");
    // An error for the last one is matched all the same, sampled or not.
    engine.count(&exchange.error(exchange.server, 8));
    assert_eq!(
        engine.server().counters.errors_matched[ErrorKind::Port.index()],
        1
    );
}

/// Among thousands that wait at once some share a cell: the first keeps it, and nothing is lost.
fn a_cell_in_use_is_not_given_away(engine: &mut Clocked) {
    engine.wait_seconds(11);
    let mut exchange = exchange(6);
    for tick in 0..5 {
        for id in 0..800 {
            exchange.id = tick * 800 + id;
            engine.count(&exchange.query(NAME));
        }
        engine.wait(milliseconds(250));
    }
    for id in 0..4_000 {
        exchange.id = id;
        engine.count(&exchange.response());
    }
    engine.wait_seconds(3);
    let server = engine.server();
    let transactions = server.counters.transactions;
    // 4,000 in 262,144 cells share about 30.
    assert!(
        (10..60).contains(&transactions.untracked),
        "{transactions:?}"
    );
    assert_eq!(transactions.sent + transactions.untracked, 4_000);
    assert_eq!(transactions.answered, transactions.sent);
    assert_eq!(transactions.obscured, transactions.untracked);
    assert_eq!((transactions.unmatched, server.unanswered), (0, 0));
}

/// One query over and over must not have the clock read for each.
fn one_query_over_and_over_lowers_the_rate(engine: &mut Clocked) {
    let exchange = exchange(4);
    for _ in 0..60_000 {
        engine.count(&exchange.query(NAME));
    }
    let window = engine.window();
    assert!(window.cost.raised >= 1, "{:?}", window.cost);
    assert!(window.cost.followed <= 20_000, "{:?}", window.cost);
}

/// Between a tick and a reading the server loses its place and gets another: what an earlier window has
/// told is not told again, and what the evicted ones left unanswered is not lost.
#[test]
fn a_server_that_comes_back_brings_no_old_news() {
    let mut engine = Clocked::host();
    let mut exchange = exchange(4);
    let server = exchange.server;
    for id in 0..900 {
        exchange.id = id;
        engine.count(&exchange.query(NAME));
    }
    engine.wait_seconds(5);
    let first = engine.server();
    // A few find their cell taken.
    let told = first.counters.transactions.sent;
    assert!(told > 880 && first.unanswered == told);
    for number in 0..40_000_u32 {
        exchange.server = std::net::Ipv4Addr::from(0x0b00_0000 + number * 7).into();
        exchange.id = number as u16;
        engine.count(&exchange.query(NAME));
    }
    exchange.server = server;
    for id in 1_000..1_040 {
        exchange.id = id;
        engine.count(&exchange.query(NAME));
    }
    let window = engine.window();
    let again = window.servers.get(&support::traffic::key(server));
    assert!(
        again.is_none_or(|server| server.unanswered == 0),
        "old news"
    );
    engine.wait_seconds(5);
    let window = engine.window();
    let ledger = engine.ledger();
    let servers = ledger.servers().map(|(_, totals)| totals);
    let all: Vec<_> = servers.chain([ledger.other()]).copied().collect();
    let sent: u64 = all.iter().map(|t| t.counters.transactions.sent).sum();
    assert_eq!(window.unanswered(), sent - told);
    assert!(window.other_unanswered > 0);
    // From the beginning everything is told once too.
    let unanswered: u64 = all.iter().map(|totals| totals.unanswered).sum();
    assert_eq!(unanswered, sent);
    // What is known of a server only grows, also where it lost its place and came back.
    let again = engine.ledger().server(&support::traffic::key(server));
    let again = again.expect("it is known").counters.transactions.sent;
    assert!(again >= told, "{again} of {told}");
}

/// A response that was stamped a little before its query, and a packet from the future.
#[test]
fn a_disorder_of_stamps_changes_nothing() {
    let mut engine = Clocked::host();
    engine.wait_seconds(11);
    let mut exchange = exchange(4);
    for id in 0..20 {
        exchange.id = id;
        engine.count(&exchange.query(NAME));
        engine.turn_back(Duration::from_micros(2));
        engine.count(&exchange.response());
        engine.wait(milliseconds(10));
    }
    let transactions = engine.transactions();
    assert_eq!((transactions.sent, transactions.answered), (20, 20));
    assert_eq!(transactions.unmatched, 0);
    engine.wait_seconds(3_600);
    engine.turn_back(Duration::from_hours(1));
    for id in 0..8_000 {
        exchange.id = id;
        engine.count(&exchange.query(NAME));
        engine.count(&exchange.response());
        engine.wait(milliseconds(2));
    }
    let transactions = engine.transactions();
    assert_eq!((transactions.sent, transactions.answered), (8_000, 8_000));
}

/// Each query is told once, soon after its own time-out, whatever that is.
#[test]
fn any_time_out_is_exact() {
    for timeout in [100, 700, 2_000, 3_000, 3_001, 5_000] {
        let mut engine = Clocked::with_timeout(milliseconds(timeout));
        let mut exchange = exchange(4);
        for id in 0..400 {
            exchange.id = id;
            engine.count(&exchange.query(NAME));
            engine.wait(milliseconds(50));
            if id % 2 == 0 {
                engine.count(&exchange.response());
            }
        }
        // Two ticks of half a second, and one of the loader.
        engine.wait(milliseconds(timeout) + milliseconds(1_350));
        let totals = engine.only_server();
        assert_eq!(totals.counters.transactions.answered, 200, "{timeout} ms");
        assert_eq!(totals.unanswered, 200, "{timeout} ms");
        let server = engine.server();
        assert_eq!(server.waiting.since(0), 0, "{timeout} ms");
    }
}

impl Clocked {
    /// All that was ever counted of the only server.
    fn only_server(&mut self) -> ServerTotals {
        let mut servers = self.ledger().servers();
        let (_, totals) = servers.next().expect("a server");
        *totals
    }

    fn server_unanswered(&mut self) -> u64 {
        self.only_server().unanswered
    }
}

macro_rules! in_both_engines {
    ($($test:ident)*) => {
        mod on_the_host {
            $(#[test] fn $test() { super::$test(&mut super::Clocked::host()); })*
        }
        mod transactions_in_the_kernel {
            $(
                #[test]
                #[ignore = "needs a kernel"]
                fn $test() { super::$test(&mut super::Clocked::kernel()); }
            )*
        }
    };
}

in_both_engines! {
    an_answer_is_matched
    a_late_answer_is_late_and_its_query_was_unanswered
    a_time_out_needs_no_traffic
    time_outs_are_exact_while_others_are_answered
    a_retransmission_is_the_same_transaction
    an_id_that_is_used_again_is_a_new_transaction
    errors_find_the_query_that_they_quote
    rcodes_and_truncation_are_of_matched_answers
    errors_about_answers_are_told_by_kind
    unmatched_waits_until_a_query_would_have_been_seen
    a_flood_is_sampled_without_false_alarms
    a_flood_of_unanswered_queries_fills_nothing
    a_cell_in_use_is_not_given_away
    one_query_over_and_over_lowers_the_rate
}
