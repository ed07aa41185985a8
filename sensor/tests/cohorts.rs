//! Transactions by the time at which they were asked: on two CPUs, with servers that lose their places.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use sensor::engine::replay::counting::Counting;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::{for_ports, set_timeout};
use sensor::measure::window::CohortChange;
use sensor_common::server::WAYS;
use sensor_common::settings::Settings;
use sensor_common::transactions::{CELLS, MAX_SHIFT};
use sensor_ebpf::address::{Address, V4};
use sensor_ebpf::eviction::set_of;
use sensor_ebpf::parse::Link;
use sensor_ebpf::sampling;
use sensor_ebpf::transactions::transaction;
use support::traffic::{Exchange, exchange};

const CPUS: usize = 2;
/// Servers that share a set of four places.
const SERVERS: usize = 9;
/// Transactions of a run.
const TRANSACTIONS: usize = 300;
const SECRET: u64 = 1;

#[derive(Clone, Debug)]
enum Step {
    Query,
    Answer(Index),
    Error(Index),
    Wait(u64),
    Read,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        6 => Just(Step::Query),
        4 => any::<Index>().prop_map(Step::Answer),
        2 => any::<Index>().prop_map(Step::Error),
        2 => (1_u64..400).prop_map(Step::Wait),
        1 => Just(Step::Read),
    ];
    proptest::collection::vec((0..CPUS, step), 1..TRANSACTIONS)
}

/// Nine servers with one set.
fn servers() -> Vec<Ipv4Addr> {
    let all = (0x0a00_0000_u32..).map(Ipv4Addr::from);
    all.filter(|address| set_of(hash(*address) | 1) == 5)
        .take(SERVERS)
        .collect()
}

fn hash(address: Ipv4Addr) -> u64 {
    V4(u32::from_ne_bytes(address.octets())).hash(SECRET)
}

/// Transactions of which no two share a cell.
fn transactions() -> Vec<Exchange> {
    let servers = servers();
    let client: Ipv4Addr = "192.0.2.7".parse().expect("an address");
    let mut cells = BTreeSet::new();
    let all = (0_u16..).map(|id| Exchange {
        server: IpAddr::V4(servers[usize::from(id) % SERVERS]),
        id,
        ..exchange(4)
    });
    let alone = |exchange: &Exchange| {
        let IpAddr::V4(server) = exchange.server else {
            return false;
        };
        let (port, id) = (exchange.port.to_be(), exchange.id.to_be());
        let hash = transaction(sampling::hash(hash(client), port, id), hash(server));
        cells.insert((hash >> MAX_SHIFT) as usize & (CELLS - 1))
    };
    all.filter(alone).take(TRANSACTIONS).collect()
}

/// Asked, answered, errored.
type Sums = (i64, i64, i64);

fn add(sums: &mut Sums, change: &CohortChange) {
    sums.0 += change.asked;
    sums.1 += change.answered;
    sums.2 += change.errored;
}

fn signed(sent: u64, answered: u64, errored: u64) -> Sums {
    (
        sent.cast_signed(),
        answered.cast_signed(),
        errored.cast_signed(),
    )
}

/// An engine, and what is true of the traffic it is given.
struct Run {
    engine: HostEngine,
    settings: Box<Settings>,
    begin: Duration,
    now: Duration,
    unused: std::vec::IntoIter<Exchange>,
    /// With the time of their query.
    open: Vec<(Exchange, Duration)>,
    /// By slot.
    truth: BTreeMap<u64, Sums>,
    told: BTreeMap<u64, Sums>,
}

impl Run {
    fn new(timeout: Duration) -> Self {
        let mut settings = for_ports(&[]).expect("port 53");
        settings.hash_key = SECRET;
        set_timeout(&mut settings, timeout);
        let mut engine = HostEngine::with_cpus("test", settings.clone(), CPUS);
        let begin = Duration::from_millis(1_234_567);
        engine.set_time(begin);
        engine.reading(Duration::ZERO);
        Self {
            engine,
            settings,
            begin,
            now: begin,
            unused: transactions().into_iter(),
            open: Vec::new(),
            truth: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// Now, on the time line of the readings.
    fn at(&self) -> Duration {
        self.now.saturating_sub(self.begin)
    }

    fn slot(&self, time: Duration) -> u64 {
        (time.as_nanos() as u64 >> 10) >> self.settings.tick_bits
    }

    fn step(&mut self, cpu: usize, step: &Step) {
        self.engine.on_cpu(cpu);
        match step {
            Step::Query => {
                let exchange = self.unused.next().expect("enough transactions");
                self.count(&exchange.query("www.example.org"));
                self.open.push((exchange, self.now));
                self.truth.entry(self.slot(self.now)).or_default().0 += 1;
            }
            Step::Answer(which) if !self.open.is_empty() => {
                let at = which.index(self.open.len());
                let (exchange, asked) = self.open.remove(at);
                self.count(&exchange.response());
                if self.is_in_time(asked) {
                    self.truth.entry(self.slot(asked)).or_default().1 += 1;
                }
            }
            Step::Error(which) if !self.open.is_empty() => {
                let at = which.index(self.open.len());
                let (exchange, asked) = self.open[at];
                self.count(&exchange.error(exchange.server, 100));
                if self.is_in_time(asked) {
                    self.open.remove(at);
                    self.truth.entry(self.slot(asked)).or_default().2 += 1;
                }
            }
            Step::Wait(ms) => {
                self.now += Duration::from_millis(*ms);
                self.engine.set_time(self.now);
            }
            Step::Read => {
                self.read();
            }
            _ => {}
        }
    }

    fn is_in_time(&self, asked: Duration) -> bool {
        let units = |time: Duration| time.as_nanos() as u64 >> 10;
        units(self.now) - units(asked) < u64::from(self.settings.timeout)
    }

    fn count(&mut self, frame: &[u8]) {
        self.engine.count(frame, Link::Ethernet);
    }

    /// A window: each server's cohorts sum to its counters. Whether there was a gap.
    fn read(&mut self) -> bool {
        let window = self.engine.reading(self.at()).window;
        assert!(window.servers.len() <= SERVERS);
        let servers = window.servers.values();
        let servers = servers.map(|server| (&server.cohorts, server.counters.transactions));
        let other = (&window.other_cohorts, window.other.transactions);
        for (cohorts, counted) in servers.chain([other]) {
            let mut sums = Sums::default();
            for change in cohorts {
                assert!(change.asked >= 0);
                add(&mut sums, change);
                add(self.told.entry(change.slot).or_default(), change);
                assert!(window.slot_end(change.slot) + Duration::from_secs(8) > window.slots.at);
            }
            let counted = signed(counted.sent, counted.answered, counted.errored);
            assert_eq!(sums, counted);
            assert!(cohorts.is_sorted_by_key(|change| change.slot));
        }
        assert_eq!(
            window.slot_end(self.slot(self.now) - 1),
            self.begin_of_slot()
        );
        window.gap
    }

    /// When the slot began that is running, on the time line of the readings.
    fn begin_of_slot(&self) -> Duration {
        let length = 1 << (self.settings.tick_bits + 10);
        let into = self.now.as_nanos() as u64 % length;
        self.at().saturating_sub(Duration::from_nanos(into))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cohorts_sum_to_the_counters_and_each_is_of_the_time_it_was_asked(
        steps in steps(),
        timeout in prop_oneof![Just(200_u64), Just(2_000), Just(3_000), Just(5_000)],
    ) {
        let mut run = Run::new(Duration::from_millis(timeout));
        for (cpu, step) in &steps {
            run.step(*cpu, step);
            // The session reads every 250 ms; it may be a little late.
            if matches!(step, Step::Wait(_)) {
                prop_assert!(!run.read());
            }
        }
        run.read();
        prop_assert_eq!(&run.told, &run.truth);
    }

    #[test]
    fn after_a_gap_the_sums_are_right_still(steps in steps()) {
        let mut run = Run::new(Duration::from_secs(2));
        for (cpu, step) in &steps {
            run.step(*cpu, step);
        }
        run.read();
        let sum = |slots: &BTreeMap<u64, Sums>| {
            slots.values().fold(Sums::default(), |sum, slot| {
                (sum.0 + slot.0, sum.1 + slot.1, sum.2 + slot.2)
            })
        };
        prop_assert_eq!(sum(&run.told), sum(&run.truth));
    }
}

/// The traffic of the properties meets what they are about.
#[test]
fn servers_lose_their_places_in_these_runs() {
    let mut run = Run::new(Duration::from_secs(2));
    for step in 0..200 {
        run.step(step % CPUS, &Step::Query);
    }
    let window = run.engine.reading(Duration::ZERO).window;
    assert!(window.evicted > 10 && window.refused > 10);
    assert_eq!(window.cost.followed, 200);
    // Both CPUs have given away all places of the set.
    assert_eq!(window.cost.places, CPUS * WAYS);
}

/// A reading after two seconds may belong to a slot or to the one before in its place.
#[test]
fn a_long_time_between_two_readings_is_a_gap() {
    let mut run = Run::new(Duration::from_secs(2));
    for (ms, gap) in [(250, false), (1_300, false), (2_000, true)] {
        let asked = run.now;
        run.step(0, &Step::Query);
        run.step(0, &Step::Wait(ms));
        let window = run.engine.reading(run.at()).window;
        assert_eq!(window.gap, gap, "{ms} ms");
        let cohorts = window.servers.values().flat_map(|server| &server.cohorts);
        let slots: Vec<u64> = cohorts.map(|change| change.slot).collect();
        let told = if gap { run.now } else { asked };
        assert_eq!(slots, [run.slot(told)], "{ms} ms");
    }
}
