//! The library half of `sensor-ebpf`, bound to byte slices and plain memory.

use std::collections::VecDeque;
use std::time::Duration;

use bytemuck::{Zeroable, cast_slice, cast_slice_mut, zeroed_box};
use sensor_common::class::{IcmpType, Quoted};
use sensor_common::sample::{MIN_RING_BYTES, SAMPLE_BYTES, Sample};
use sensor_common::settings::{Direction, Settings};
use sensor_common::shard::Shard;
use sensor_common::totals::Totals;
use sensor_common::transactions::{CELLS, Control, TUPLES};
use sensor_ebpf::account;
use sensor_ebpf::packet::{Bytes, Packet};
use sensor_ebpf::parse::{Connection, DnsPort, IcmpError, Link, Query, Response, Sink, dns_offset};
use sensor_ebpf::rare::Rare;
use sensor_ebpf::sampling::Wanted;
use sensor_ebpf::store::{Shared, Store};

use crate::engine::maintenance::{Servers, State, TICK, Upkeep};
use crate::engine::settings::dns_port;
use crate::measure::reading::{Lane, Snapshot};

/// Samples that wait to be read, as many as the kernel's smallest buffer holds.
const SAMPLES: usize = MIN_RING_BYTES / (size_of::<Sample>() + 8);
/// Ticks that are made up for at the begin of a silence, until every query before it has its end, and at its
/// end. Between them one in so many is enough, until all that happened before is over and forgotten; more would
/// change nothing.
const FIRST_TICKS: u32 = 40;
const LAST_TICKS: u32 = 24;
const ONE_TICK_IN: usize = 20;
const ALL_OVER: u32 = 3_000;

/// The state that the kernel engine has in maps.
struct Memory {
    settings: Box<Settings>,
    totals: Box<Totals>,
    /// One for each CPU.
    shards: Vec<Box<Shard>>,
    /// The one that counts the next packet.
    cpu: usize,
    table: Table,
    /// Whether a sample of the packet at hand is wanted, and where its DNS header begins.
    sample: (Wanted, u32),
}

/// The state that all CPUs share in the kernel.
struct Table {
    control: Control,
    timeout: u32,
    tick_bits: u32,
    cells: Box<[u64]>,
    tuples: Box<[u32]>,
}

impl Sink for Memory {
    fn dns_port(&self, source: u16, destination: u16) -> DnsPort {
        dns_port(&self.settings, source, destination)
    }

    fn totals(&mut self) -> &mut Totals {
        &mut self.totals
    }

    fn hash_key(&self) -> u64 {
        self.settings.hash_key
    }

    fn query<P: Packet>(&mut self, query: &Query, udp: P) {
        self.sample = (account::query(query, self), dns_offset(udp));
    }

    fn response<P: Packet>(&mut self, response: &Response, udp: P) {
        self.sample = (account::response(response, self), dns_offset(udp));
    }

    fn tcp(&mut self, connection: &Connection) {
        account::tcp(connection, self);
    }

    fn icmp_error_of_other(&mut self, icmp_type: IcmpType, code: u8, quoted: Quoted) {
        account::count_icmp_error(&mut self.totals, icmp_type as u8, code, quoted as u8);
    }

    fn icmp_error<P: Packet>(&mut self, error: &IcmpError, udp: P) {
        let dns_offset = match error.verifiable {
            0 => 0,
            _ => dns_offset(udp),
        };
        self.sample = (account::icmp_error(error, self), dns_offset);
    }
}

impl Store for Memory {
    type Shared = Table;

    fn hash_key(&self) -> u64 {
        self.settings.hash_key
    }

    fn totals(&mut self) -> &mut Totals {
        &mut self.totals
    }

    fn state(&mut self) -> Option<(&mut Shard, &mut Table)> {
        Some((&mut self.shards[self.cpu], &mut self.table))
    }
}

impl Rare for Table {}

impl Shared for Table {
    fn shift(&self) -> u32 {
        self.control.shift
    }

    fn match_shift(&self) -> u32 {
        self.control.match_shift
    }

    fn unmatched_shift(&self) -> u32 {
        self.control.unmatched_shift
    }

    fn bank(&self) -> u32 {
        self.control.bank
    }

    fn tick(&self) -> u32 {
        self.control.tick
    }

    fn sample_shift(&self) -> u32 {
        self.control.sample_shift
    }

    fn raise(&mut self, shift: u32) {
        self.control.shift = shift;
        self.control.unmatched_shift = self.control.unmatched_shift.max(shift);
    }

    fn now(&self) -> u64 {
        self.control.clock
    }

    fn timeout(&self) -> u32 {
        self.timeout
    }

    fn tick_bits(&self) -> u32 {
        self.tick_bits
    }

    fn cell(&self, at: usize) -> u64 {
        self.cells[at]
    }

    fn set_cell(&mut self, at: usize, cell: u64) {
        self.cells[at] = cell;
    }

    fn tuple(&self, at: usize) -> u32 {
        self.tuples[at]
    }

    fn set_tuple(&mut self, at: usize, cell: u32) {
        self.tuples[at] = cell;
    }
}

impl State for Memory {
    fn cpus(&self) -> u32 {
        self.shards.len() as u32
    }

    fn read(&self, cpu: u32, offset: usize, words: &mut [u64]) {
        let shard: &[u64] = cast_slice(std::slice::from_ref(&*self.shards[cpu as usize]));
        words.copy_from_slice(&shard[offset / 8..][..words.len()]);
    }

    fn write(&mut self, cpu: u32, offset: usize, words: &[u64]) {
        let shard = std::slice::from_mut(&mut *self.shards[cpu as usize]);
        let shard: &mut [u64] = cast_slice_mut(shard);
        shard[offset / 8..][..words.len()].copy_from_slice(words);
    }

    fn servers(&self, cpu: u32) -> Servers {
        Servers::of(&self.shards[cpu as usize].servers)
    }

    fn control(&self) -> Control {
        self.table.control
    }

    fn set_control(&mut self, control: Control) {
        self.table.control = control;
    }

    fn clock(&self) -> u64 {
        self.table.control.clock
    }
}

/// The clock of a capture, by the time of its packets.
#[derive(Default)]
pub struct PacketClock {
    now: Duration,
    next_tick: Option<Duration>,
}

/// How far back a packet may lie in time, behind one that was captured on another CPU. Further back, the
/// clock was set.
pub const DISORDER: Duration = Duration::from_secs(1);

impl PacketClock {
    /// Moves to the time of a packet. Gives the ticks that have passed, and the time now: a packet that
    /// is a little behind others does not turn it back, and one far behind begins anew.
    pub fn advance(
        &mut self,
        time: Duration,
    ) -> (impl Iterator<Item = Duration> + use<>, Duration) {
        if time.saturating_add(DISORDER) < self.now {
            self.now = time;
            self.next_tick = None;
        }
        self.now = self.now.max(time);
        let first = self.next_tick.unwrap_or(self.now);
        let passed = self.now.checked_sub(first);
        let passed = passed.map_or(0, |since| since.as_nanos() / TICK.as_nanos() + 1);
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        let next = first.saturating_add(TICK.saturating_mul(passed));
        self.next_tick = Some(next);
        let begin = passed.min(FIRST_TICKS);
        let end = (passed - begin).min(LAST_TICKS);
        let between = (begin..(passed - end).min(ALL_OVER)).step_by(ONE_TICK_IN);
        let ticks = (0..begin).chain(between).chain(passed - end..passed);
        let ticks = ticks.map(move |number| first.saturating_add(TICK.saturating_mul(number)));
        (ticks, self.now)
    }
}

/// Counts packets without a kernel.
pub struct HostEngine {
    name: String,
    memory: Memory,
    upkeep: Upkeep,
    clock: PacketClock,
    samples: VecDeque<Sample>,
}

impl HostEngine {
    /// Nothing counted yet. `name` stands where an interface's name would.
    #[must_use]
    pub fn new(name: impl Into<String>, settings: Box<Settings>) -> Self {
        Self::with_cpus(name, settings, 1)
    }

    /// The same, as it would be on a host with so many CPUs.
    #[must_use]
    pub fn with_cpus(name: impl Into<String>, settings: Box<Settings>, cpus: usize) -> Self {
        Self {
            name: name.into(),
            upkeep: Upkeep::new(&settings),
            memory: Memory {
                table: Table {
                    control: Control::DEFAULT,
                    timeout: settings.timeout,
                    tick_bits: settings.tick_bits,
                    cells: vec![0; CELLS].into(),
                    tuples: vec![0; TUPLES].into(),
                },
                settings,
                totals: zeroed_box(),
                shards: (0..cpus).map(|_| zeroed_box()).collect(),
                cpu: 0,
                sample: (Wanted::NOTHING, 0),
            },
            clock: PacketClock::default(),
            samples: VecDeque::new(),
        }
    }

    /// Moves the clock to the time of the next packet, and does what is due by then.
    pub fn set_time(&mut self, time: Duration) {
        self.set_time_with(time, |_, _| ());
    }

    /// The same, and calls `on_tick` after each tick, with its time.
    pub fn set_time_with(&mut self, time: Duration, mut on_tick: impl FnMut(&mut Self, Duration)) {
        let (ticks, now) = self.clock.advance(time);
        for at in ticks {
            self.memory.table.control.clock = nanoseconds(at);
            self.upkeep.tick(&mut self.memory);
            on_tick(self, at);
        }
        self.memory.table.control.clock = nanoseconds(now);
    }

    /// The CPU that counts the frames from now on.
    pub fn on_cpu(&mut self, cpu: usize) {
        self.memory.cpu = cpu;
    }

    /// Counts one frame.
    pub fn count(&mut self, frame: &[u8], link: Link) {
        self.memory.sample = (Wanted::NOTHING, 0);
        self.memory.totals.seen += 1;
        let outcome = account::account(Bytes::new(frame), link, false, &mut self.memory);
        if outcome.is_malformed() {
            account::count_malformed(outcome, &mut self.memory.totals);
        }
        let (wanted, dns_offset) = self.memory.sample;
        if !wanted.is_nothing() {
            self.sample(frame, link, wanted, dns_offset);
        }
    }

    fn sample(&mut self, frame: &[u8], link: Link, wanted: Wanted, dns_offset: u32) {
        let sampling = &mut self.memory.shards[self.memory.cpu].sampling;
        if self.samples.len() == SAMPLES {
            sampling.lost += 1;
            return;
        }
        sampling.taken += 1;
        let captured = frame.len().min(SAMPLE_BYTES);
        let mut sample = Sample {
            time: self.memory.table.control.clock,
            transaction: wanted.hash(),
            kind: wanted.kind(),
            shift: self.memory.table.control.sample_shift,
            length: frame.len() as u32,
            captured: captured as u32,
            dns_offset,
            layer3: u32::from(link == Link::Layer3),
            ..Zeroable::zeroed()
        };
        sample.bytes[..captured].copy_from_slice(&frame[..captured]);
        self.samples.push_back(sample);
    }

    /// Samples taken since this was last asked.
    pub fn samples(&mut self) -> impl Iterator<Item = Sample> {
        self.samples.drain(..)
    }

    /// Ends the second that is running, so that the next snapshot has all that was seen.
    pub fn flush(&mut self) {
        self.upkeep.flush(&mut self.memory);
    }

    /// Totals alone, which cost nothing to ask for.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.memory.totals
    }

    /// All counters. `at` is the time of the capture.
    #[must_use]
    pub fn snapshot(&self, at: Duration) -> Snapshot {
        let mut snapshot = Snapshot::empty(at);
        snapshot.lanes.push(Lane {
            interface: self.name.clone(),
            direction: Direction::Ingress,
            totals: *self.memory.totals,
        });
        self.upkeep.read(&self.memory, &mut snapshot);
        snapshot
    }
}

/// Times of captures count from 1970; 64 bits reach to 2554.
#[must_use]
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_capture_ticks_four_times_a_second() {
        let mut clock = PacketClock::default();
        let mut at = |ms: u64| {
            let (ticks, now) = clock.advance(Duration::from_millis(ms));
            let ticks: Vec<u128> = ticks.map(|tick| tick.as_millis()).collect();
            (ticks, now.as_millis())
        };
        assert_eq!(at(10_000), (vec![10_000], 10_000));
        assert_eq!(at(10_249), (vec![], 10_249));
        assert_eq!(at(10_750), (vec![10_250, 10_500, 10_750], 10_750));
        // A packet of another CPU, a little behind.
        assert_eq!(at(10_700), (vec![], 10_750));
        // A long silence: what was before it ends when it did.
        let (ticks, now) = at(10_000_000);
        assert_eq!((ticks[0], ticks[39]), (11_000, 20_750));
        assert_eq!((ticks[40], ticks[41]), (21_000, 26_000));
        assert_eq!((ticks[187], ticks[188]), (756_000, 9_994_250));
        assert_eq!((ticks.len(), now), (212, 10_000_000));
        assert_eq!(ticks.last(), Some(&10_000_000));
        // Another capture behind the first.
        assert_eq!(at(5_000), (vec![5_000], 5_000));
    }
}
