//! Counters in maps.

use core::arch::asm;

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use sensor_common::class::Quoted;
use sensor_common::server::ServerKey;
use sensor_common::settings::{Direction, MAX_INGRESS, Settings};
use sensor_common::shard::Shard;
use sensor_common::totals::Totals;
use sensor_common::transactions::{CELLS, TUPLES, lowest};
use sensor_ebpf::account;
use sensor_ebpf::packet::Packet;
use sensor_ebpf::parse::{
    Connection, DnsPort, Garbage, IcmpError, Link, Query, Response, Sink, dns_offset,
};
use sensor_ebpf::sampling::Wanted;
use sensor_ebpf::store::{Origin, Shared, Store};

use super::context::{Context, Sampled};
use super::maps::{
    CONTROL, GARBAGE, SCRATCH, SHARDS, TOTALS, TRANSACTIONS, TUPLES_SEEN, control, setting,
};
use super::own::is_own;

/// Index of no shard: for a forwarded packet, which was attributed where it came in.
const NO_SHARD: u32 = u32::MAX;

/// Where the packet at hand is counted.
///
/// Plain additions are exact: XDP and TC programs run with bottom halves disabled, so no two of
/// them interleave on one CPU, and each CPU has its own values.
pub struct Maps<C> {
    context: *const C,
    direction: Direction,
    totals: &'static mut Totals,
    /// Current CPU, or [`NO_SHARD`].
    shard: u32,
    table: Table,
}

impl<C: Context> Maps<C> {
    /// The values for a packet at this hook. `None` cannot happen with maps of the right size; then
    /// the packet passes uncounted, and the loader sees `seen` stand still.
    #[inline(always)]
    pub fn of(context: *const C, direction: Direction) -> Option<Self> {
        let lane = slot(context) * 2 + direction as u32;
        // SAFETY: the helper has no preconditions.
        let cpu = unsafe { bpf_get_smp_processor_id() } as u32;
        let totals = TOTALS.get_ptr_mut(cpu * setting!(lanes) + lane)?;
        let is_forwarded = match direction {
            Direction::Ingress => false,
            Direction::Egress => received_by_us(C::received_on(context)),
        };
        Some(Self {
            context,
            direction,
            // SAFETY: a map value of that type; no one else writes the values of this CPU meanwhile.
            totals: unsafe { &mut *totals },
            shard: if is_forwarded { NO_SHARD } else { cpu },
            table: Table,
        })
    }

    /// The copying buffer of this CPU.
    #[inline(always)]
    pub fn scratch(&mut self) -> Option<*mut u8> {
        let scratch = SCRATCH.get_ptr_mut(0)?;
        self.totals.copied += 1;
        Some(scratch.cast())
    }
}

impl<C: Sampled> Maps<C> {
    #[inline(always)]
    fn sample(&self, wanted: Wanted, dns_offset: u32) {
        C::sample(self.context, self.direction, dns_offset, wanted);
    }
}

/// What packets of this interface begin with.
#[inline(always)]
pub fn link<C: Context>(context: *const C) -> Link {
    let layer3 = setting!(layer3_slots);
    if layer3 != 0 && layer3 >> (slot(context) & 31) & 1 != 0 {
        Link::Layer3
    } else {
        Link::Ethernet
    }
}

#[inline(always)]
fn slot<C: Context>(context: *const C) -> u32 {
    match setting!(slot_multiplier) {
        0 => 0,
        multiplier => Settings::slot(multiplier, C::ifindex(context)),
    }
}

/// Whether a packet that leaves came in through an interface that we watch.
#[inline(always)]
fn received_by_us(ifindex: u32) -> bool {
    if ifindex == 0 {
        return false;
    }
    let mut found = false;
    let mut at = 0;
    while at < MAX_INGRESS {
        found |= setting!(ingress_interfaces[at]) == ifindex;
        at += 1;
    }
    found
}

impl<C: Sampled> Sink for Maps<C> {
    #[inline(always)]
    fn dns_port(&self, source: u16, destination: u16) -> DnsPort {
        let single = setting!(single_port);
        let is_dns = |port: u16| match single {
            0 => Settings::in_set(setting!(port_set[usize::from(port >> 6)]), port),
            single => u32::from(port) == single,
        };
        if is_dns(destination) {
            DnsPort::Destination
        } else if is_dns(source) {
            DnsPort::Source
        } else {
            DnsPort::Neither
        }
    }

    #[inline(always)]
    fn totals(&mut self) -> &mut Totals {
        self.totals
    }

    #[inline(always)]
    fn hash_key(&self) -> u64 {
        setting!(hash_key)
    }

    #[inline(always)]
    fn query<P: Packet>(&mut self, query: &Query, udp: P) {
        let wanted = account::query(query, self);
        if !wanted.is_nothing() {
            self.sample(wanted, dns_offset(udp));
        }
    }

    #[inline(always)]
    fn response<P: Packet>(&mut self, response: &Response, udp: P) {
        let wanted = account::response(response, self);
        if !wanted.is_nothing() {
            self.sample(wanted, dns_offset(udp));
        }
    }

    #[inline(always)]
    fn garbage(&mut self, garbage: &Garbage) {
        // Noted for the functions of `kernel/garbage.rs`.
        if let Some(noted) = GARBAGE.get_ptr_mut(0) {
            // SAFETY: a map value of that type; no one else writes that of this CPU meanwhile.
            unsafe { noted.write(*garbage) };
        }
    }

    #[inline(always)]
    fn tcp(&mut self, connection: &Connection) {
        account::tcp(connection, self);
    }

    #[inline(always)]
    fn icmp_error_of_other(&mut self, icmp_type: u8, code: u8, quoted: Quoted) {
        account::count_icmp_error(self, icmp_type, code, opaque(quoted as u8));
    }

    #[inline(always)]
    fn icmp_error<P: Packet>(&mut self, error: &IcmpError, udp: P) {
        let error = IcmpError {
            quoted: opaque(error.quoted),
            ..*error
        };
        let wanted = account::icmp_error(&error, self);
        if !wanted.is_nothing() {
            let dns_offset = match error.verifiable {
                0 => 0,
                _ => dns_offset(udp),
            };
            self.sample(wanted, dns_offset);
        }
    }
}

/// The same number, of which the compiler no longer knows which enum it comes from: it would drop the
/// masks that the verifier needs.
#[inline(always)]
fn opaque(number: u8) -> u8 {
    let mut number = u64::from(number);
    // SAFETY: moves a register to itself.
    unsafe { asm!("{0} = {0}", inout(reg) number, options(pure, nomem, nostack)) };
    number as u8
}

impl<C: Context> Store for Maps<C> {
    type Shared = Table;
    type Origin = Arrival<C>;

    #[inline(always)]
    fn hash_key(&self) -> u64 {
        setting!(hash_key)
    }

    #[inline(always)]
    fn totals(&mut self) -> &mut Totals {
        self.totals
    }

    #[inline(always)]
    fn origin(&self) -> Arrival<C> {
        Arrival {
            context: self.context,
            direction: self.direction,
        }
    }

    #[inline(always)]
    fn state(&mut self) -> Option<(&mut Shard, &mut Table)> {
        let shard = SHARDS.get_ptr_mut(self.shard)?;
        // SAFETY: as for the totals.
        Some((unsafe { &mut *shard }, &mut self.table))
    }

    #[inline(always)]
    fn at_most<const LAST: usize>(index: usize) -> usize {
        let mut index = index as u64;
        // The comparison and the index are one register. Of two reloads of a number on the stack the
        // compiler compares one and uses the other; only from Linux 6.9 on does the verifier know that
        // they are the same.
        // SAFETY: changes that register alone.
        unsafe {
            asm!(
                "if {index} < {last} goto +1",
                "{index} = {last}",
                index = inout(reg) index,
                last = const LAST,
                options(pure, nomem, nostack),
            );
        }
        let index = index as usize;
        // SAFETY: that is what the two instructions do.
        unsafe { core::hint::assert_unchecked(index <= LAST) };
        index
    }
}

/// Where a packet comes from: read only where somebody asks.
pub struct Arrival<C> {
    context: *const C,
    direction: Direction,
}

impl<C> Clone for Arrival<C> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Arrival<C> {}

impl<C: Context> Origin for Arrival<C> {
    #[inline(always)]
    fn is_incoming(self) -> bool {
        self.direction == Direction::Ingress
    }

    #[inline(always)]
    fn is_from_outside(self) -> bool {
        self.is_incoming() && C::ifindex(self.context) != setting!(loopback)
    }
}

/// The tables that all CPUs share. Words are read and written whole.
pub struct Table;

impl Shared for Table {
    #[inline(always)]
    fn shift(&self) -> u32 {
        control!(shift)
    }

    #[inline(always)]
    fn mask(&self) -> u64 {
        control!(mask)
    }

    #[inline(always)]
    fn match_mask(&self) -> u64 {
        control!(match_mask)
    }

    #[inline(always)]
    fn unmatched_shift(&self) -> u32 {
        control!(unmatched_shift)
    }

    #[inline(always)]
    fn bank(&self) -> u32 {
        control!(bank)
    }

    #[inline(always)]
    fn tick(&self) -> u32 {
        control!(tick)
    }

    #[inline(always)]
    fn sample_mask(&self) -> u64 {
        control!(sample_mask)
    }

    #[inline(always)]
    fn own_generation(&self) -> u32 {
        control!(own_generation)
    }

    #[inline(always)]
    fn is_own(&self, address: &ServerKey) -> bool {
        is_own(address) != 0
    }

    #[inline(always)]
    fn probe_port(&self) -> u16 {
        setting!(probe_port)
    }

    #[inline(always)]
    fn raise(&mut self, shift: u32) {
        // SAFETY: aligned words of a static.
        unsafe {
            (&raw mut CONTROL.shift).write_volatile(shift);
            (&raw mut CONTROL.mask).write_volatile(lowest(shift));
            let unmatched = &raw mut CONTROL.unmatched_shift;
            if unmatched.read_volatile() < shift {
                unmatched.write_volatile(shift);
            }
        }
    }

    #[inline(always)]
    fn now(&self) -> u64 {
        match control!(clock) {
            // SAFETY: the helper has no preconditions.
            0 => unsafe { bpf_ktime_get_ns() },
            clock => clock,
        }
    }

    #[inline(always)]
    fn timeout(&self) -> u32 {
        setting!(timeout)
    }

    #[inline(always)]
    fn tick_bits(&self) -> u32 {
        setting!(tick_bits)
    }

    #[inline(always)]
    fn cell(&self, at: usize) -> u64 {
        let cell = TRANSACTIONS.get_ptr((at & (CELLS - 1)) as u32);
        // SAFETY: a map value, aligned.
        cell.map_or(0, |cell| unsafe { cell.read_volatile() })
    }

    #[inline(always)]
    fn set_cell(&mut self, at: usize, value: u64) {
        if let Some(cell) = TRANSACTIONS.get_ptr_mut((at & (CELLS - 1)) as u32) {
            // SAFETY: a map value, aligned.
            unsafe { cell.write_volatile(value) };
        }
    }

    #[inline(always)]
    fn tuple(&self, at: usize) -> u32 {
        // SAFETY: masked to the length of the static.
        unsafe { (&raw const TUPLES_SEEN[at & (TUPLES - 1)]).read_volatile() }
    }

    #[inline(always)]
    fn set_tuple(&mut self, at: usize, value: u32) {
        // SAFETY: masked to the length of the static.
        unsafe { (&raw mut TUPLES_SEEN[at & (TUPLES - 1)]).write_volatile(value) };
    }
}
