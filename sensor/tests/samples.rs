//! Samples by transaction: all packets of one, or none; the same choice in both engines.

mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use sensor::measure::samples::Names;
use sensor_common::class::SampleKind;
use sensor_common::sample::{SAMPLES_PER_TICK, Sample};
use sensor_common::transactions::{MAX_SHIFT, highest};
use sensor_ebpf::address::{Address, V4};
use sensor_ebpf::sampling;
use support::traffic::{Clocked, Exchange, exchange};

const NAME: &str = "www.example.org";
const TICK: Duration = Duration::from_millis(250);
const A_TICK: u64 = SAMPLES_PER_TICK[SampleKind::Transaction as usize];

/// All that may be seen of one transaction.
fn frames(exchange: Exchange) -> Vec<Vec<u8>> {
    let elsewhere = Exchange {
        server: match exchange.server {
            IpAddr::V4(_) => Ipv4Addr::new(198, 51, 100, 9).into(),
            IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9).into(),
        },
        ..exchange
    };
    let (kind, code) = match exchange.server {
        IpAddr::V4(_) => (3, 4),
        IpAddr::V6(_) => (2, 0),
    };
    vec![
        exchange.query(NAME),
        exchange.query(NAME),
        elsewhere.query(NAME),
        exchange.answer(2, true),
        elsewhere.response(),
        exchange.error(exchange.server, 100),
        exchange.error(elsewhere.server, 100),
        exchange.backscatter(kind, code),
    ]
}

/// A flood, with which the share of samples comes down, at a rate that then stays.
fn flood(engine: &mut Clocked, ticks: u32, mut each: impl FnMut(&mut Clocked, Exchange)) {
    let mut number = 0_u32;
    for _ in 0..ticks {
        for _ in 0..500 {
            number += 1;
            let mut exchange = exchange(if number.is_multiple_of(2) { 4 } else { 6 });
            exchange.client = match exchange.client {
                IpAddr::V4(_) => Ipv4Addr::from(0x0a00_0000 + number % 7).into(),
                IpAddr::V6(_) => Ipv6Addr::from(u128::from(number % 7) + 1).into(),
            };
            exchange.port = 1_024 + (number % 40_000) as u16;
            exchange.id = (number / 3) as u16;
            each(engine, exchange);
        }
        engine.wait(TICK);
    }
}

/// Everything is sampled while there is little, and a flood by whole transactions.
fn a_transaction_is_sampled_as_a_whole_or_not_at_all(engine: &mut Clocked) {
    let whole = frames(exchange(4)).len();
    // Until the share is found.
    flood(engine, 4, |engine, exchange| {
        for frame in &frames(exchange) {
            engine.count(frame);
        }
    });
    engine.samples();
    engine.window();
    let mut samples: BTreeMap<u64, Vec<Sample>> = BTreeMap::new();
    flood(engine, 20, |engine, exchange| {
        for frame in &frames(exchange) {
            engine.count(frame);
        }
        let taken = engine.samples();
        assert!(taken.is_empty() || taken.len() == whole, "{}", taken.len());
        for sample in taken {
            samples.entry(sample.transaction).or_default().push(sample);
        }
    });
    let cost = engine.window().cost;
    let shift = cost.sample_shift;
    // 4,000 packets a tick.
    assert!((4..=6).contains(&shift), "1 in 2^{shift}");
    assert_eq!((cost.samples_capped, cost.samples_lost), (0, 0));
    let taken: u64 = samples.values().map(|of| of.len() as u64).sum();
    assert_eq!(cost.sampled, taken);
    // One in 2^shift of 10,000, within four standard errors.
    let expected = 10_000 >> shift;
    let off = (samples.len() as u64).abs_diff(expected);
    assert!(
        off * off <= 16 * expected,
        "{} of {expected}",
        samples.len()
    );
    for sample in samples.values().flatten() {
        assert_eq!(
            (sample.kind, sample.shift),
            (SampleKind::Transaction as u32, shift)
        );
        assert!(sample.transaction.leading_zeros() >= shift);
    }
}

/// Few tokens: what was chosen and found none is counted.
fn a_burst_is_capped_and_what_is_left_out_is_counted(engine: &mut Clocked) {
    engine.samples();
    engine.window();
    let (ticks, a_tick) = (3, 40 * A_TICK);
    for _ in 0..ticks {
        let mut exchange = exchange(4);
        for number in 0..a_tick {
            exchange.id = number as u16;
            engine.count(&exchange.query(NAME));
        }
        engine.wait(TICK);
    }
    let taken = engine.samples().len() as u64;
    let cost = engine.window().cost;
    assert_eq!((cost.sampled, cost.samples_lost), (taken, 0));
    // In the first tick all was chosen; then what is worth sampling.
    assert!(cost.samples_capped >= a_tick - A_TICK, "{cost:?}");
    assert!(cost.samples_capped < a_tick, "{cost:?}");
    assert!(
        (A_TICK + 2 * A_TICK / 4..=3 * A_TICK).contains(&taken),
        "{taken}"
    );
    // Of one packet over and over all are chosen or none: a flood of it takes no more than the tokens.
    let one = exchange(6);
    for _ in 0..a_tick {
        engine.count(&one.query(NAME));
    }
    assert!(engine.samples().len() as u64 <= A_TICK);
}

/// What quotes too little to know the transaction has tokens of its own.
fn errors_with_a_short_quote_are_sampled_by_token(engine: &mut Clocked) {
    engine.samples();
    engine.window();
    let exchange = exchange(4);
    let tokens = SAMPLES_PER_TICK[SampleKind::ShortQuote.index()];
    for _ in 0..3 * tokens {
        engine.count(&exchange.error(exchange.server, 8));
    }
    engine.count(&exchange.query(NAME));
    let samples = engine.samples();
    let (short, whole) = samples.split_at(tokens as usize);
    assert!(
        short
            .iter()
            .all(|sample| sample.kind == SampleKind::ShortQuote as u32)
    );
    assert!(
        short
            .iter()
            .all(|sample| (sample.transaction, sample.dns_offset) == (0, 0))
    );
    assert_eq!(whole.len(), 1, "the query found a token");
    assert_eq!(engine.window().cost.samples_capped, 2 * tokens);
    let mut names = Names::default();
    for sample in &samples {
        names.add(sample);
    }
    // A quote of eight bytes has no name.
    assert_eq!((names.samples, names.questions), (tokens + 1, 1));
    assert_eq!(names.names.top(2).len(), 1);
}

/// Whole frames, with the place of the message, and none lost or made up.
fn samples_hold_the_packet_and_are_lost_by_count(engine: &mut Clocked) {
    let mut exchange = exchange(4);
    engine.samples();
    engine.window();
    let frame = exchange.query(NAME);
    engine.count(&frame);
    engine.count(&exchange.error(exchange.server, 100));
    let samples = engine.samples();
    assert_eq!(samples[0].length as usize, frame.len());
    assert_eq!(samples[0].bytes[..frame.len()], frame);
    assert_eq!(samples[0].dns_offset, 42);
    // An error has the place of the message that it quotes.
    assert_eq!(samples[1].dns_offset, 14 + 20 + 8 + 20 + 8);
    // Nobody reads: what does not fit is counted as lost.
    engine.wait(TICK);
    engine.window();
    for round in 0..60 {
        for id in 0..A_TICK {
            exchange.id = (round * A_TICK + id) as u16;
            engine.count(&exchange.query(NAME));
        }
        engine.wait(TICK);
    }
    let cost = engine.window().cost;
    let kept = engine.samples().len() as u64;
    assert!(kept > 1_000 && cost.samples_lost > 0, "{cost:?}");
    assert_eq!(kept, cost.sampled);
    assert_eq!(kept + cost.samples_lost, 60 * A_TICK);
}

#[test]
#[ignore = "needs a kernel"]
fn the_kernel_samples_what_the_host_does() {
    let (mut kernel, mut host) = (Clocked::kernel(), Clocked::host());
    let mut chosen = [Vec::new(), Vec::new()];
    for (engine, chosen) in [&mut kernel, &mut host].into_iter().zip(&mut chosen) {
        flood(engine, 8, |engine, exchange| {
            for frame in &frames(exchange) {
                engine.count(frame);
            }
            let samples = engine.samples().into_iter();
            chosen.extend(samples.map(|s| (s.transaction, s.kind, s.shift, s.dns_offset, s.bytes)));
        });
    }
    assert!(chosen[0].len() > 1_000);
    assert!(chosen[0] == chosen[1]);
}

/// Ports and ids in order, as clients have them, and every key.
#[test]
fn transactions_are_chosen_evenly() {
    for secret in [1, 0x243f_6a88_85a3_08d3, 0xdead_beef_0000_0001] {
        for shift in [0, 1, 4, 7, MAX_SHIFT] {
            let many = 1_u32 << 18;
            let client = V4(0x0a00_0001_u32.to_be()).hash(secret);
            let ids =
                (0..many).map(|n| sampling::hash(client, (n >> 16) as u16, (n as u16).to_be()));
            let ports =
                (0..many).map(|n| sampling::hash(client, (n as u16).to_be(), (n >> 16) as u16));
            let clients = (0..many).map(|n| sampling::hash(V4(n.to_be()).hash(secret), 9, 9));
            for (what, hashes) in [
                ("ids", Box::new(ids) as Box<dyn Iterator<Item = u64>>),
                ("ports", Box::new(ports)),
                ("clients", Box::new(clients)),
            ] {
                let passed = hashes
                    .filter(|hash| sampling::passes(*hash, highest(shift)))
                    .count();
                let expected = (many >> shift) as usize;
                let off = passed.abs_diff(expected);
                assert!(
                    off * off <= 25 * expected,
                    "{what}, 1 in 2^{shift}: {passed}"
                );
            }
        }
    }
}

macro_rules! in_both_engines {
    ($($test:ident)*) => {
        mod on_the_host {
            $(#[test] fn $test() { super::$test(&mut super::Clocked::host()); })*
        }
        mod samples_in_the_kernel {
            $(
                #[test]
                #[ignore = "needs a kernel"]
                fn $test() { super::$test(&mut super::Clocked::kernel()); }
            )*
        }
    };
}

in_both_engines! {
    a_transaction_is_sampled_as_a_whole_or_not_at_all
    a_burst_is_capped_and_what_is_left_out_is_counted
    errors_with_a_short_quote_are_sampled_by_token
    samples_hold_the_packet_and_are_lost_by_count
}
