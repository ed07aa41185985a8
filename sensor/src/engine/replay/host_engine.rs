//! The library half of `sensor-ebpf`, bound to byte slices and plain memory.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytemuck::{Zeroable, cast_slice, cast_slice_mut, zeroed_box};
use sensor_common::class::Quoted;
use sensor_common::sample::{MIN_RING_BYTES, SAMPLE_BYTES, Sample};
use sensor_common::server::ServerKey;
use sensor_common::settings::{Direction, Settings};
use sensor_common::shard::Shard;
use sensor_common::totals::Totals;
use sensor_common::transactions::{CELLS, Control, TUPLES, lowest};
use sensor_ebpf::account;
use sensor_ebpf::packet::{Bytes, Packet};
use sensor_ebpf::parse::{
    Connection, DnsPort, Garbage, IcmpError, Link, Query, Response, Sink, dns_offset,
};
use sensor_ebpf::rare::Rare;
use sensor_ebpf::sampling::Wanted;
use sensor_ebpf::store::{Shared, Store};

use super::clock::{PacketClock, nanoseconds};
use super::counting::Counting;
use crate::engine::kernel::load::LoadError;
use crate::engine::lanes::Hooks;
use crate::engine::ledger::Ledger;
use crate::engine::maintenance::{State, next_generation};
use crate::engine::reader::Reader;
use crate::measure::window::Reading;

/// Samples that wait to be read, as many as the kernel's smallest buffer holds.
const SAMPLES: usize = MIN_RING_BYTES / (size_of::<Sample>() + 8);

/// The state that the kernel engine has in maps.
struct Memory {
    settings: Box<Settings>,
    totals: Box<Totals>,
    /// One for each CPU.
    shards: Vec<Box<Shard>>,
    /// The one that counts the next packet.
    cpu: usize,
    table: Table,
    /// Which way the next packet goes, seen from the host of [`Table::own`].
    direction: Direction,
    /// Whether a sample of the packet at hand is wanted, and where its DNS header begins.
    sample: (Wanted, u32),
}

/// The state that all CPUs share in the kernel.
struct Table {
    control: Control,
    timeout: u32,
    tick_bits: u32,
    probe_port: u16,
    cells: Box<[u64]>,
    tuples: Box<[u32]>,
    /// Addresses of the host that sees the packets.
    own: BTreeSet<ServerKey>,
}

impl Sink for Memory {
    fn dns_port(&self, source: u16, destination: u16) -> DnsPort {
        DnsPort::of(&self.settings, source, destination)
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

    fn garbage(&mut self, garbage: &Garbage) {
        self.sample = (account::garbage(garbage, self), 0);
    }

    fn tcp(&mut self, connection: &Connection) {
        account::tcp(connection, self);
    }

    fn icmp_error_of_other(&mut self, icmp_type: u8, code: u8, quoted: Quoted) {
        account::count_icmp_error(self, icmp_type, code, quoted as u8);
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
    type Origin = Direction;

    fn hash_key(&self) -> u64 {
        self.settings.hash_key
    }

    fn totals(&mut self) -> &mut Totals {
        &mut self.totals
    }

    fn origin(&self) -> Direction {
        self.direction
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

    fn mask(&self) -> u64 {
        self.control.mask
    }

    fn match_mask(&self) -> u64 {
        self.control.match_mask
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

    fn sample_mask(&self) -> u64 {
        self.control.sample_mask
    }

    fn own_generation(&self) -> u32 {
        self.control.own_generation
    }

    fn is_own(&self, address: &ServerKey) -> bool {
        self.own.contains(address)
    }

    fn raise(&mut self, shift: u32) {
        self.control.shift = shift;
        self.control.mask = lowest(shift);
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

    fn probe_port(&self) -> u16 {
        self.probe_port
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

    fn write_byte(&mut self, cpu: u32, offset: usize, byte: u8) {
        let shard = std::slice::from_mut(&mut *self.shards[cpu as usize]);
        let bytes: &mut [u8] = cast_slice_mut(shard);
        bytes[offset] = byte;
    }

    fn clear(&mut self, cpu: u32, offset: usize, words: usize) {
        let shard = std::slice::from_mut(&mut *self.shards[cpu as usize]);
        let shard: &mut [u64] = cast_slice_mut(shard);
        shard[offset / 8..][..words].fill(0);
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

    fn frames(&self) -> Option<u64> {
        Some(self.totals.seen)
    }
}

impl Hooks for Memory {
    /// The one hook counts for all of them.
    fn hook_cpus(&self) -> u32 {
        1
    }

    fn seen(&self, _: u32, _: u32) -> u64 {
        self.totals.seen
    }

    fn read_totals(&self, _: u32, _: u32, totals: &mut Totals) {
        *totals = *self.totals;
    }
}

/// Counts packets without a kernel.
pub struct HostEngine {
    memory: Memory,
    reader: Reader,
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
        let mut reader = Reader::new(&settings, cpus as u32);
        reader.add_lane(0, &name.into(), Direction::Ingress);
        Self {
            reader,
            memory: Memory {
                table: Table {
                    control: Control::DEFAULT,
                    timeout: settings.timeout,
                    tick_bits: settings.tick_bits,
                    probe_port: settings.probe_port,
                    cells: vec![0; CELLS].into(),
                    tuples: vec![0; TUPLES].into(),
                    own: BTreeSet::new(),
                },
                settings,
                totals: zeroed_box(),
                shards: (0..cpus).map(|_| zeroed_box()).collect(),
                cpu: 0,
                direction: Direction::Ingress,
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
            self.maintain(at);
            on_tick(self, at);
        }
        self.set_clock(now);
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

    /// The addresses of the host that sees the frames: what comes in and claims to be from one of them is forged. None
    /// for a capture, which does not say what came in.
    pub fn set_own_addresses(&mut self, addresses: BTreeSet<ServerKey>) {
        let mut control = self.memory.control();
        control.own_generation = next_generation(control.own_generation);
        self.memory.set_control(control);
        self.memory.table.own = addresses;
    }

    /// Whether the frames from now on come in, which they do where nothing is said, or leave.
    pub fn set_direction(&mut self, direction: Direction) {
        self.memory.direction = direction;
    }

    /// Samples taken since this was last asked.
    pub fn samples(&mut self) -> impl Iterator<Item = Sample> {
        self.samples.drain(..)
    }

    /// Totals alone, which cost nothing to ask for.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.memory.totals
    }
}

impl Counting for HostEngine {
    const NAME: &str = "host";

    fn maintain(&mut self, at: Duration) {
        self.set_clock(at);
        self.reader.maintain(&mut self.memory);
    }

    fn owes_second(&self) -> bool {
        self.reader.owes_second(&self.memory)
    }

    fn set_clock(&mut self, now: Duration) {
        self.memory.table.control.clock = nanoseconds(now);
    }

    fn count_frame(&mut self, frame: &[u8]) -> Result<(), LoadError> {
        self.count(frame, Link::Ethernet);
        Ok(())
    }

    fn take_samples(&mut self, samples: &mut Vec<Sample>) {
        samples.extend(self.samples());
    }

    fn flush(&mut self) {
        self.reader.flush(&mut self.memory);
    }

    fn reading(&mut self, at: Duration) -> Reading {
        self.reader.read(&mut self.memory, at)
    }

    fn ledger(&self) -> &Ledger {
        self.reader.ledger()
    }
}
