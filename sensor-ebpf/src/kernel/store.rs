//! Counters in maps.

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use sensor_common::server::ServerTable;
use sensor_common::settings::{Direction, MAX_INGRESS, Settings};
use sensor_common::totals::Totals;
use sensor_ebpf::parse::Link;
use sensor_ebpf::store::Store;

use super::frame::Context;
use super::maps::{SCRATCH, SERVERS, TOTALS, setting};

/// The map values of the current CPU.
///
/// Plain additions are exact: XDP and TC programs run with bottom halves disabled, so no two of
/// them interleave on one CPU, and each CPU has its own values.
pub struct Maps {
    totals: &'static mut Totals,
    cpu: u32,
    slot: u32,
    /// Interface that the packet came in through, if it now leaves; else 0.
    received_on: u32,
}

impl Maps {
    /// The values for a packet at this hook. `None` cannot happen with maps of the right size; then
    /// the packet passes uncounted, and the loader sees `seen` stand still.
    #[inline(always)]
    pub fn of<C: Context>(context: *const C, direction: Direction) -> Option<Self> {
        let multiplier = setting!(slot_multiplier);
        let slot = if multiplier == 0 {
            0
        } else {
            Settings::slot(multiplier, C::ifindex(context))
        };
        // SAFETY: the helper has no preconditions.
        let cpu = unsafe { bpf_get_smp_processor_id() } as u32;
        let lane = slot * 2 + direction as u32;
        let totals = TOTALS.get_ptr_mut(cpu * setting!(lanes) + lane)?;
        Some(Self {
            // SAFETY: a map value of that type; no one else writes the values of this CPU meanwhile.
            totals: unsafe { &mut *totals },
            cpu,
            slot,
            received_on: match direction {
                Direction::Ingress => 0,
                Direction::Egress => C::received_on(context),
            },
        })
    }

    /// What the packets of this interface begin with.
    #[inline(always)]
    pub fn link(&self) -> Link {
        let layer3 = setting!(layer3_slots);
        if layer3 != 0 && layer3 >> (self.slot & 31) & 1 != 0 {
            Link::Layer3
        } else {
            Link::Ethernet
        }
    }

    /// The copying buffer of this CPU.
    #[inline(always)]
    pub fn scratch(&mut self) -> Option<*mut u8> {
        let scratch = SCRATCH.get_ptr_mut(0)?;
        self.totals.copied += 1;
        Some(scratch.cast())
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

impl Store for Maps {
    #[inline(always)]
    fn is_dns_port(&self, port: u16) -> bool {
        match setting!(single_port) {
            0 => Settings::in_set(setting!(port_set[usize::from(port >> 6)]), port),
            single => u32::from(port) == single,
        }
    }

    #[inline(always)]
    fn hash_key(&self) -> u64 {
        setting!(hash_key)
    }

    #[inline(always)]
    fn totals(&mut self) -> &mut Totals {
        self.totals
    }

    #[inline(always)]
    fn servers(&mut self) -> Option<&mut ServerTable> {
        if received_by_us(self.received_on) {
            return None;
        }
        let servers = SERVERS.get_ptr_mut(self.cpu)?;
        // SAFETY: as for the totals.
        Some(unsafe { &mut *servers })
    }
}
