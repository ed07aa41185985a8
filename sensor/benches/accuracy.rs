//! Sketches against exact counts: `cargo xtask bench`.
//!
//! Streams of queries from Zipf, uniform, sequential and one-prefix sources go through the sketches of
//! the packet program, on the host; the loader's own arithmetic reads them. Every stream is measured
//! under several hash keys.

mod rig;

use std::collections::{BTreeSet, HashMap};
use std::process::ExitCode;

use anyhow::Result;
use bytemuck::zeroed_box;
use clap::Parser;
use rig::{Arguments, Format};
use sensor::measure::heavy::Counts;
use sensor::measure::sketch::{Distinct, Prefix};
use sensor_common::server::ServerKey;
use sensor_common::sketch::Sketches;
use sensor_ebpf::address::{Address, V4};
use sensor_ebpf::sketch;
use serde::Serialize;

/// Sources that a stream draws from.
const POPULATION: u32 = 1_000_000;
/// Heaviest that must be found.
const TOP: usize = 10;

#[derive(Serialize)]
struct Accuracy {
    kind: &'static str,
    stream: &'static str,
    queries: u64,
    distinct: u64,
    /// Of the ten heaviest, where the tenth is above the stated bound; over all keys. A source that is
    /// lighter than the tenth by less than the bound counts as found.
    top10_recall: Option<f64>,
    networks_recall: Option<f64>,
    /// Largest over all keys, in percent.
    cardinality_error: f64,
    /// Share of estimates within the stated bound; 0.98 is promised.
    within_bound: Option<f64>,
}

fn main() -> ExitCode {
    rig::exit(run())
}

fn run() -> Result<bool> {
    let arguments = Arguments::parse();
    let (queries, keys) = if arguments.quick {
        (300_000, 4)
    } else {
        (2_000_000, 20)
    };
    if arguments.output == Format::Text {
        println!(
            "stream         queries  sources  top 10 found  networks found  cardinality off  in bound"
        );
    }
    let mut good = true;
    for (stream, source) in streams() {
        let accuracy = measure(stream, &source, queries, keys);
        good &= accuracy.top10_recall.is_none_or(|recall| recall >= 0.99)
            && accuracy.cardinality_error <= 3.0;
        let share =
            |recall: Option<f64>| recall.map_or("-".into(), |r| format!("{:.1} %", r * 100.0));
        match arguments.output {
            Format::Json => println!("{}", serde_json::to_string(&accuracy)?),
            Format::Text => println!(
                "{:<12} {:>9} {:>8} {:>13} {:>15} {:>14.2} % {:>9}",
                accuracy.stream,
                accuracy.queries,
                accuracy.distinct,
                share(accuracy.top10_recall),
                share(accuracy.networks_recall),
                accuracy.cardinality_error,
                share(accuracy.within_bound),
            ),
        }
    }
    Ok(good || !arguments.check)
}

type Source = Box<dyn Fn(u64) -> u32>;

/// Each gives the source address for a random number.
fn streams() -> Vec<(&'static str, Source)> {
    let zipf = |exponent: f64| -> Source {
        let mut sums = Vec::with_capacity(POPULATION as usize);
        let mut sum = 0.0;
        for rank in 1..=POPULATION {
            sum += f64::from(rank).powf(-exponent);
            sums.push(sum);
        }
        Box::new(move |random| {
            let at = unit(random) * sum;
            let rank = sums.partition_point(|sum| *sum < at) as u32;
            // Ranks are no addresses: neighbours in rank are not neighbours in the network.
            rank.wrapping_mul(0x9e37_79b1)
        })
    };
    vec![
        ("zipf 1.0", zipf(1.0)),
        ("zipf 1.2", zipf(1.2)),
        ("zipf 1.4", zipf(1.4)),
        ("uniform", Box::new(|random| (random >> 32) as u32)),
        (
            "sequential",
            Box::new({
                let next = std::cell::Cell::new(0x0a00_0000);
                move |_| next.replace(next.get() + 1)
            }),
        ),
        // Two thirds from one /24, without a dominant address in it.
        (
            "one prefix",
            Box::new(|random| {
                let source = (random >> 32) as u32;
                if random % 3 == 0 {
                    source
                } else {
                    0x0a01_0100 | source & 0xff
                }
            }),
        ),
    ]
}

/// 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are what is wanted")]
fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// `SplitMix64`.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
fn measure(stream: &'static str, source: &Source, queries: u64, keys: u64) -> Accuracy {
    let mut tally = Tally::default();
    let (mut worst, mut distinct) = (0.0_f64, 0);
    for key in 0..keys {
        let mut state = 1_000 + key;
        let secret = random(&mut state);
        let mut sketches: Box<Sketches> = zeroed_box();
        let mut hosts: HashMap<Prefix, u64> = HashMap::new();
        for number in 0..queries {
            let drawn = random(&mut state);
            let address = V4(source(drawn).to_be());
            let hash = address.hash(secret);
            let query = sketch::Source {
                address,
                hash,
                prefix_hash: address.prefix_hash(secret),
                name: 0,
                transaction: random(&mut state),
                number,
                is_flood: true,
            };
            sketch::add(&mut sketches, 0, query);
            *hosts.entry(Prefix::host(address.key())).or_default() += 1;
        }
        let mut networks: HashMap<Prefix, u64> = HashMap::new();
        for (host, count) in &hosts {
            *networks.entry(Prefix::network(host.address)).or_default() += count;
        }
        let bank = &sketches.banks[0];
        let found = bank.candidates.as_flattened().iter();
        let found: BTreeSet<ServerKey> = found.filter(|c| c.tag != 0).map(|c| c.key).collect();
        let of_hosts = found.iter().copied().map(Prefix::host).collect();
        let of_networks = found.iter().copied().map(Prefix::network).collect();
        let counts = |columns: &[u32]| {
            let mut counts = Counts::default();
            counts.add(columns);
            counts
        };
        let addresses = counts(sketches.addresses.columns.as_flattened());
        let prefixes = counts(sketches.prefixes.columns.as_flattened());
        tally.add(0, &addresses, &of_hosts, &hosts, secret);
        tally.add(1, &prefixes, &of_networks, &networks, secret);
        let mut estimate = Distinct::default();
        estimate.add_registers(&bank.sources.highest);
        distinct = hosts.len() as u64;
        let off = estimate.estimate().abs_diff(distinct) as f64;
        worst = worst.max(100.0 * off / distinct as f64);
    }
    let recall = |of: usize| {
        let (found, all) = tally.found[of];
        (all > 0).then(|| found as f64 / all as f64)
    };
    Accuracy {
        kind: "accuracy",
        stream,
        queries,
        distinct,
        top10_recall: recall(0),
        networks_recall: recall(1),
        cardinality_error: worst,
        within_bound: (tally.estimates > 0).then(|| tally.within as f64 / tally.estimates as f64),
    }
}

/// What was found, of hosts and of networks.
#[derive(Default)]
struct Tally {
    found: [(u64, u64); 2],
    within: u64,
    estimates: u64,
}

impl Tally {
    fn add(
        &mut self,
        of: usize,
        counts: &Counts,
        candidates: &BTreeSet<Prefix>,
        exact: &HashMap<Prefix, u64>,
        secret: u64,
    ) {
        let mut heaviest: Vec<(&Prefix, &u64)> = exact.iter().collect();
        heaviest.sort_by_key(|(source, count)| (std::cmp::Reverse(**count), **source));
        for heavy in counts.top(candidates, usize::MAX, secret) {
            let count = exact.get(&heavy.source).copied().unwrap_or(0);
            self.estimates += 1;
            self.within += u64::from(heavy.at_least <= count && count <= heavy.at_most);
        }
        let Some((_, tenth)) = heaviest.get(TOP - 1) else {
            return;
        };
        if **tenth <= counts.error() {
            return;
        }
        let top = counts.top(candidates, TOP, secret);
        self.found[of].1 += TOP as u64;
        // What is lighter than the tenth by no more than the stated bound cannot be told from it.
        let least = *tenth - counts.error();
        self.found[of].0 += top
            .iter()
            .filter(|heavy| {
                exact
                    .get(&heavy.source)
                    .is_some_and(|count| *count >= least)
            })
            .count() as u64;
    }
}
