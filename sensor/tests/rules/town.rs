//! Servers, their clients and what goes wrong, as the windows that a sensor would see of them.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytemuck::Zeroable;
use sensor::detect::{
    Detector, Level, Observation, Place, Reading, Rule, State, Subject, Thresholds,
};
use sensor::measure::address::key;
use sensor::measure::latency::Latency;
use sensor::measure::reading::{OwnCost, Waiting};
use sensor::measure::sighting::{Role, Sighting};
use sensor::measure::sketch::{Heavy, Prefix};
use sensor::measure::window::{ServerWindow, Sources, Window};
use sensor_common::class::ErrorKind;
use sensor_common::latency::{BUCKETS, UNIT_BITS, bucket};
use sensor_common::server::{ServerCounters, ServerKey};

pub const TICK: Duration = Duration::from_millis(250);
const TICKS_A_SECOND: u64 = 4;
/// Time for an answer, in ticks.
const TIMEOUT: u64 = 8;
/// As the packet program has it.
const SLOT: Duration = Duration::from_nanos(1 << 28);
/// Queries of a server that are sampled in a tick.
const SAMPLED: u64 = 16;
/// Seconds that heavy sources are told of.
const SOURCES: usize = 10;

pub const WARNING: State = State::Fires(Level::Warning);
pub const CRITICAL: State = State::Fires(Level::Critical);

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn server(number: usize) -> ServerKey {
    let [.., high, low] = number.to_be_bytes();
    key(IpAddr::V4(Ipv4Addr::new(192, 0, high, low)))
}

/// Each in a network of its own.
pub fn client(number: u64) -> ServerKey {
    let [.., high, low] = number.to_be_bytes();
    key(IpAddr::V4(Ipv4Addr::new(10, high, low, 7)))
}

pub fn flooder() -> ServerKey {
    key(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66)))
}

/// How a query ends that is not answered.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Silence,
    /// An ICMP error of which no more than so many a minute are sent: the other queries end in silence.
    Error(ErrorKind, u64),
}

/// What one server gets and gives.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Of all clients.
    pub queries_a_minute: u64,
    pub clients: u64,
    /// Number of the first client.
    pub first_client: u64,
    /// Queries a second of one source more.
    pub flooder: u64,
    /// Share of the queries, in percent and of the first clients, that end so.
    pub failing: u64,
    pub fate: Fate,
    pub latency: Duration,
    /// Share of the responses with this rcode, in percent.
    pub rcode: (usize, u64),
    pub truncated: u64,
    /// Different names a second.
    pub names: u64,
    pub any: bool,
    pub query_bytes: u32,
    pub response_bytes: u32,
    /// Responses a second that nobody asked for.
    pub unmatched: u64,
    /// ICMP errors a second that quote what was never sent.
    pub forged: u64,
    /// ICMP errors a minute about packets that are too big.
    pub too_big: u64,
    /// ICMP errors a second about responses.
    pub backscatter: u64,
    /// Queries a second that are sent again.
    pub repeated: u64,
    /// Answers a second that come after the time-out.
    pub late: u64,
}

impl Load {
    /// Steady and healthy.
    pub const fn of(queries_a_second: u64) -> Self {
        Self {
            queries_a_minute: queries_a_second * 60,
            clients: 20,
            first_client: 0,
            flooder: 0,
            failing: 0,
            fate: Fate::Silence,
            latency: Duration::from_millis(20),
            rcode: (0, 0),
            truncated: 0,
            names: 20,
            any: false,
            query_bytes: 40,
            response_bytes: 100,
            unmatched: 0,
            forged: 0,
            too_big: 0,
            backscatter: 0,
            repeated: 0,
            late: 0,
        }
    }

    pub const fn clients(mut self, clients: u64) -> Self {
        self.clients = clients;
        self
    }

    pub const fn flooder(mut self, queries_a_second: u64) -> Self {
        self.flooder = queries_a_second;
        self
    }

    pub const fn silent(mut self, percent: u64) -> Self {
        (self.failing, self.fate) = (percent, Fate::Silence);
        self
    }

    pub const fn failing(mut self, percent: u64, kind: ErrorKind) -> Self {
        (self.failing, self.fate) = (percent, Fate::Error(kind, u64::MAX));
        self
    }

    pub const fn rcode(mut self, rcode: usize, percent: u64) -> Self {
        self.rcode = (rcode, percent);
        self
    }

    pub const fn latency_ms(mut self, milliseconds: u64) -> Self {
        self.latency = Duration::from_millis(milliseconds);
        self
    }
}

/// Queries that wait.
struct Open {
    sent: u64,
    queries: u64,
    answer: Option<u64>,
}

struct Server {
    load: Load,
    flooder: ServerKey,
    sent: u64,
    answered: u64,
    sampled: u64,
    open: VecDeque<Open>,
}

/// Queries of a second, by who asks.
#[derive(Clone, Copy, Default)]
struct Second {
    queries: u64,
    flooder: u64,
    clients: u64,
    names: u64,
}

pub struct Town {
    pub detector: Detector,
    servers: Vec<Server>,
    tick: u64,
    second: Second,
    seconds: VecDeque<Second>,
    signs: BTreeSet<(Subject, Rule, Level)>,
    /// The one source of a flood.
    pub flooder: ServerKey,
    /// Ticks from one reading of the heaviest sources to the next.
    pub sources_every: u64,
    /// One packet in so many is sampled, of those that could be, by chance.
    pub sampled_one_in: u64,
    chance: u64,
}

/// What a rate gives in a tick, without a remainder in the long run.
fn in_tick(a_minute: u64, tick: u64) -> u64 {
    let until =
        |tick: u64| u128::from(a_minute) * u128::from(tick) / u128::from(60 * TICKS_A_SECOND);
    u64::try_from(until(tick + 1) - until(tick)).expect("no rate is that high")
}

/// A number by chance, and always the same ones (xorshift64).
fn draw(last: &mut u64) -> u64 {
    *last ^= *last << 13;
    *last ^= *last >> 7;
    *last ^= *last << 17;
    *last
}

/// What is a percentage of things `from` to `to`, the first of them before others.
fn part(percent: u64, from: u64, to: u64) -> u64 {
    (to * percent).div_ceil(100) - (from * percent).div_ceil(100)
}

impl Town {
    /// Seen from the path between clients and servers.
    pub fn new() -> Self {
        Self::with(Thresholds::default(), Place::default())
    }

    /// Seen from the first server.
    pub fn on_server() -> Self {
        Self::at([server(0)])
    }

    /// Seen from the first client.
    pub fn on_client() -> Self {
        Self::at([client(0)])
    }

    fn at(addresses: [ServerKey; 1]) -> Self {
        let place = Place {
            addresses: addresses.into(),
            ..Place::default()
        };
        Self::with(Thresholds::default(), place)
    }

    pub fn with(thresholds: Thresholds, place: Place) -> Self {
        let timeout = TICK * u32::try_from(TIMEOUT).expect("a few ticks");
        Self {
            detector: Detector::new(thresholds, place, timeout, SLOT),
            servers: Vec::new(),
            tick: 0,
            second: Second::default(),
            seconds: VecDeque::new(),
            signs: BTreeSet::new(),
            flooder: flooder(),
            sources_every: TICKS_A_SECOND,
            sampled_one_in: 1,
            chance: 1,
        }
    }

    /// After a minute in which nothing was wrong and nothing was said.
    pub fn used_to(self, load: Load) -> Self {
        self.used_for(load, seconds(60))
    }

    /// After more time than that, or less.
    pub fn used_for(mut self, load: Load, time: Duration) -> Self {
        self.pass(load, time);
        assert!(self.signs.is_empty(), "{:?}", self.signs);
        self
    }

    /// What a server gets from now on.
    pub fn set(&mut self, server: usize, load: Load) {
        while self.servers.len() <= server {
            self.servers.push(Server {
                load: Load::of(0),
                flooder: self.flooder,
                sent: 0,
                answered: 0,
                sampled: 0,
                open: VecDeque::new(),
            });
        }
        self.servers[server].load = load;
    }

    /// Some time with this load on the first server.
    pub fn pass(&mut self, load: Load, time: Duration) {
        self.set(0, load);
        self.wait(time);
    }

    /// Some time with each server's load as it is.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            self.tick();
        }
    }

    /// The time that it takes until a rule fires at some level or a worse one, if it does within `most`.
    pub fn until(&mut self, rule: Rule, level: Level, most: Duration) -> Option<Duration> {
        let begun = self.now();
        while self.now() < begun + most {
            self.tick();
            let found = self.of_rule(rule).filter_map(Reading::level).max();
            if found >= Some(level) {
                return Some(self.now().saturating_sub(begun));
            }
        }
        None
    }

    /// What a rule says of the first server, or of the network.
    pub fn says(&self, rule: Rule) -> State {
        self.reading(rule).state
    }

    /// The reading behind that.
    pub fn reading(&self, rule: Rule) -> &Reading {
        let network = matches!(rule, Rule::Reflection | Rule::Scan);
        let subject = if network {
            Subject::Network
        } else {
            Subject::Server(server(0))
        };
        self.reading_of(subject, rule)
    }

    pub fn says_of(&self, number: usize, rule: Rule) -> State {
        self.reading_of(Subject::Server(server(number)), rule).state
    }

    fn reading_of(&self, subject: Subject, rule: Rule) -> &Reading {
        let readings = self.detector.readings().get(&subject);
        let mut readings = readings.expect("a subject that was seen").iter();
        readings
            .find(|reading| reading.rule == rule)
            .expect("every rule is read")
    }

    fn of_rule(&self, rule: Rule) -> impl Iterator<Item = &Reading> {
        let readings = self.detector.readings().values().flatten();
        readings.filter(move |reading| reading.rule == rule)
    }

    /// The worst that a rule has said of anything up to now.
    pub fn worst(&self, rule: Rule) -> Option<Level> {
        let signs = self.signs.iter().filter(|(_, found, _)| *found == rule);
        signs.map(|(_, _, level)| *level).max()
    }

    /// Rules that have fired up to now.
    pub fn fired(&self) -> BTreeSet<Rule> {
        self.signs.iter().map(|(_, rule, _)| *rule).collect()
    }

    pub fn now(&self) -> Duration {
        TICK * u32::try_from(self.tick).expect("hours, not years")
    }

    /// Lets a tick pass.
    pub fn tick(&mut self) {
        let mut window = Window {
            elapsed: TICK,
            lanes: Vec::new(),
            servers: std::collections::BTreeMap::new(),
            other: Zeroable::zeroed(),
            other_cohorts: Vec::new(),
            other_unanswered: 0,
            slots: sensor::measure::cohort::Slots::default(),
            gap: false,
            evicted: 0,
            refused: 0,
            sources: Sources::default(),
            names: 0,
            cost: OwnCost::default(),
        };
        let mut sightings = Vec::new();
        for (number, at) in self.servers.iter_mut().enumerate() {
            let counted = at.tick(self.tick, server(number), &mut sightings);
            self.second.count(&at.load, self.tick);
            if self.sampled_one_in > 1 {
                sightings.retain(|_| draw(&mut self.chance).is_multiple_of(self.sampled_one_in));
            }
            let silent = bytemuck::bytes_of(&counted.counters)
                .iter()
                .all(|byte| *byte == 0);
            if !silent || counted.unanswered != 0 || counted.waiting.since(0) != 0 {
                window.servers.insert(server(number), counted);
            }
        }
        self.tick += 1;
        if self.tick.is_multiple_of(TICKS_A_SECOND) {
            window.sources.distinct = self.second.distinct();
            window.names = self.second.names.min(self.second.queries);
            self.seconds.push_back(std::mem::take(&mut self.second));
            if self.seconds.len() > SOURCES {
                self.seconds.pop_front();
            }
        }
        let due = self.tick.is_multiple_of(self.sources_every) && !self.seconds.is_empty();
        let sources = due.then(|| self.heaviest());
        self.detector.observe(&Observation {
            now: self.now(),
            window: &window,
            sources: sources.as_ref().map(|(sources, over)| (sources, *over)),
            sightings: &sightings,
        });
        for (subject, readings) in self.detector.readings() {
            for reading in readings {
                let Some(level) = reading.level() else {
                    continue;
                };
                assert!(!reading.said.is_empty(), "{:?} says nothing", reading.rule);
                self.signs.insert((*subject, reading.rule, level));
            }
        }
    }

    /// Who asked in the last seconds, and how many seconds.
    fn heaviest(&self) -> (Sources, Duration) {
        let queries: u64 = self.seconds.iter().map(|second| second.queries).sum();
        let flood: u64 = self.seconds.iter().map(|second| second.flooder).sum();
        let clients = self.seconds.iter().map(|second| second.clients).max();
        let clients = clients.unwrap_or(0);
        let heavy = |address, count| Heavy {
            source: Prefix::host(address),
            at_most: count,
            at_least: count,
        };
        let each = |number| heavy(client(number), (queries - flood) / clients);
        let mut addresses: Vec<Heavy> = (0..clients.min(9)).map(each).collect();
        if flood != 0 {
            addresses.push(heavy(self.flooder, flood));
        }
        addresses.sort_by_key(|heavy| std::cmp::Reverse(heavy.at_least));
        let sources = Sources {
            distinct: clients + u64::from(flood != 0),
            addresses,
            networks: Vec::new(),
            error: 0,
            queries,
        };
        (sources, seconds(self.seconds.len() as u64))
    }
}

impl Second {
    fn count(&mut self, load: &Load, tick: u64) {
        let flooder = in_tick(load.flooder * 60, tick);
        let queries = in_tick(load.queries_a_minute, tick);
        self.flooder += flooder;
        self.queries += queries + flooder;
        self.clients = self.clients.max(load.clients);
        self.names = self.names.max(load.names);
    }

    fn distinct(&self) -> u64 {
        let others = self.queries - self.flooder;
        self.clients.min(others) + u64::from(self.flooder != 0)
    }
}

impl Server {
    fn tick(&mut self, tick: u64, key: ServerKey, sightings: &mut Vec<Sighting>) -> ServerWindow {
        let load = self.load;
        let mut counters: ServerCounters = Zeroable::zeroed();
        let queries = in_tick(load.queries_a_minute + load.flooder * 60, tick);
        let failing = part(load.failing, self.sent, self.sent + queries);
        self.sent += queries;
        let errored = match load.fate {
            Fate::Silence => 0,
            Fate::Error(kind, limit) => {
                let errored = failing.min(in_tick(limit, tick));
                counters.errors[kind.index()] += errored;
                counters.errors_matched[kind.index()] += errored;
                errored
            }
        };
        self.wait_for(tick, failing - errored, None);
        let delay = load.latency.as_nanos() / TICK.as_nanos();
        let delay = u64::try_from(delay).expect("a few ticks");
        self.wait_for(tick, queries - failing, Some(tick + delay));
        let (answered, unanswered) = self.end(tick);
        let unmatched = in_tick(load.unmatched * 60, tick);
        let late = in_tick(load.late * 60, tick);
        let responses = answered + unmatched + late;
        counters.queries = queries;
        counters.responses = responses;
        counters.query_bytes = queries * u64::from(load.query_bytes);
        counters.response_bytes = responses * u64::from(load.response_bytes);
        let (rcode, percent) = load.rcode;
        let so_coded = part(percent, self.answered, self.answered + responses);
        counters.rcode[rcode] += so_coded;
        counters.rcode[0] += responses - so_coded;
        counters.truncated = part(load.truncated, self.answered, self.answered + responses);
        self.answered += responses;
        counters.errors[ErrorKind::Port.index()] += in_tick(load.forged * 60, tick);
        let too_big = in_tick(load.too_big, tick);
        counters.errors[ErrorKind::TooBig.index()] += too_big;
        counters.errors_matched[ErrorKind::TooBig.index()] += too_big;
        counters.backscatter[ErrorKind::Port.index()] = in_tick(load.backscatter * 60, tick);
        counters.transactions.sent = queries;
        counters.transactions.answered = answered;
        counters.transactions.late = late;
        counters.transactions.errored = errored;
        counters.transactions.retransmitted = in_tick(load.repeated * 60, tick);
        counters.transactions.unmatched = unmatched;
        self.sample(tick, key, queries, errored, sightings);
        self.sample_forged(tick, key, in_tick(load.forged * 60, tick), sightings);
        ServerWindow {
            counters,
            error_sender: None,
            cohorts: Vec::new(),
            unanswered,
            waiting: self.waiting(tick),
            latency: self.latency(answered),
        }
    }

    fn wait_for(&mut self, sent: u64, queries: u64, answer: Option<u64>) {
        if queries != 0 {
            self.open.push_back(Open {
                sent,
                queries,
                answer,
            });
        }
    }

    /// Queries that are answered in a tick, and those whose time is over.
    fn end(&mut self, tick: u64) -> (u64, u64) {
        let (mut answered, mut unanswered) = (0, 0);
        self.open.retain(|open| {
            if open.answer == Some(tick) {
                answered += open.queries;
            } else if tick >= open.sent + TIMEOUT {
                unanswered += open.queries;
            } else {
                return true;
            }
            false
        });
        (answered, unanswered)
    }

    /// By age: they are sent in the middle of their tick, and read at its end.
    fn waiting(&self, tick: u64) -> Waiting {
        let slot = |halves: u64| u128::from(halves) * TICK.as_nanos() / 2 / SLOT.as_nanos();
        let mut waiting = Waiting::default();
        for open in &self.open {
            let age = slot(2 * tick + 2) - slot(2 * open.sent + 1);
            let age = usize::try_from(age).expect("a few slots");
            waiting.0[age] += i64::try_from(open.queries).expect("not that many");
        }
        waiting
    }

    fn latency(&self, answered: u64) -> Latency {
        let units = self.load.latency.as_nanos() >> UNIT_BITS;
        let mut buckets = [0; BUCKETS];
        let place = bucket(u32::try_from(units).expect("seconds"));
        buckets[place] = u32::try_from(answered).expect("not that many");
        let mut latency = Latency::fine();
        latency.add(buckets);
        latency
    }

    fn sample(
        &mut self,
        tick: u64,
        key: ServerKey,
        queries: u64,
        mut errored: u64,
        sightings: &mut Vec<Sighting>,
    ) {
        let load = &self.load;
        let all = load.queries_a_minute + load.flooder * 60;
        for _ in 0..queries.min(SAMPLED) {
            let number = self.sampled;
            self.sampled += 1;
            let of_flood = |number: u64| number * load.flooder * 60 / all;
            let floods = of_flood(number) != of_flood(number + 1);
            let one_of = number % load.clients.max(1);
            let mut sighting = Sighting {
                time: u64::try_from(TICK.as_nanos()).expect("short") * tick,
                client: if floods {
                    self.flooder
                } else {
                    client(load.first_client + one_of)
                },
                server: key,
                tuple: ((number >> 16) as u16, number as u16),
                length: load.query_bytes,
                role: Role::Query { any: load.any },
            };
            sightings.push(sighting);
            if floods || one_of * 100 >= load.failing * load.clients {
                sighting.role = Role::Response;
                sighting.length = load.response_bytes;
                sightings.push(sighting);
            } else if let Fate::Error(kind, _) = load.fate
                && errored != 0
            {
                errored -= 1;
                sighting.role = Role::Error { kind, sender: key };
                sighting.length = 0;
                sightings.push(sighting);
            }
        }
    }

    /// They quote queries that those clients could have sent.
    fn sample_forged(&self, tick: u64, key: ServerKey, forged: u64, sightings: &mut Vec<Sighting>) {
        for number in 0..forged.min(SAMPLED) {
            sightings.push(Sighting {
                time: u64::try_from(TICK.as_nanos()).expect("short") * tick,
                client: client(self.load.first_client + (tick + number) % self.load.clients.max(1)),
                server: key,
                tuple: (u16::MAX, number as u16),
                length: 0,
                role: Role::Error {
                    kind: ErrorKind::Port,
                    sender: flooder(),
                },
            });
        }
    }
}
