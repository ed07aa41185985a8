//! Settings that the loader writes into the object before it is loaded, and the caps on work that
//! one packet can cause.

use bytemuck::{Pod, Zeroable};

/// DNS ports that can be watched at once.
pub const MAX_PORTS: usize = 8;
/// Words of the set of DNS ports: a bit for each of the 65,536.
pub const PORT_WORDS: usize = 65_536 / 64;
/// Interfaces that can be watched at once.
pub const MAX_INTERFACES: usize = 8;
/// Interfaces that count as watched when a packet leaves: those watched, and the bridges, bonds and
/// VLANs above them.
pub const MAX_INGRESS: usize = 16;
/// Directions, and so lanes, of each interface.
pub const DIRECTIONS: usize = 2;

/// IPv6 extension headers walked before a packet is given up (RFC 8200, 4.1 names six kinds, one
/// of them twice).
pub const MAX_EXTENSION_HEADERS: usize = 8;
/// Labels of a question name that are walked. RFC 1035 allows 127; names in use have fewer than
/// ten, and each label costs about 1 ns.
pub const MAX_LABELS: usize = 16;
/// Bytes copied for parsing where the start of a packet is outside the linear part. A power of two.
pub const SCRATCH_BYTES: usize = 16_384;
/// Longest read at one place in the copy: room behind it that keeps the verifier content.
pub const SCRATCH_SLACK: usize = 64;

/// Direction that a packet crosses the interface in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// Received.
    Ingress = 0,
    /// Sent.
    Egress = 1,
}

/// What the loader decides and the programs only read.
///
/// A *slot* is the place of an interface, `(ifindex * slot_multiplier) >> 28` in 32 bits; the
/// loader picks a multiplier that gives every watched interface its own. A *lane* is a slot and a
/// direction, `slot * 2 + direction`, and has its own [`crate::totals::Totals`] on each CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Settings {
    /// Secret of the hashes; makes collisions unpredictable from outside.
    pub hash_key: u64,
    /// See the type. 0 puts everything in slot 0.
    pub slot_multiplier: u32,
    /// Lanes of each CPU: slots times two.
    pub lanes: u32,
    /// Bit n set: packets of slot n begin with the IP header (tun, `WireGuard`).
    pub layer3_slots: u32,
    /// Time after which a query is unanswered, in units of 1,024 ns.
    pub timeout: u32,
    /// Bits of the time, in those units, below a tick of [`crate::server::ServerEntry::cohorts`].
    pub tick_bits: u32,
    /// The only DNS port, in network byte order; 0 where there are several, and then `port_set` has
    /// them. The common case costs one comparison.
    pub single_port: u32,
    /// Index of the loopback interface, on which the host asks itself; 0 where there is none.
    pub loopback: u32,
    /// 1 where the kernel tells the cgroup of a packet that leaves (`bpf_skb_cgroup_id`), else 0.
    pub cgroups: u16,
    /// Port, in network byte order, that the sensor's own probes are sent from; 0 where it sends none. What this host
    /// sends from it, and what comes back, is counted beside its class and nowhere else.
    pub probe_port: u16,
    /// Indexes of interfaces with a program on ingress, and of those above them; unused ones are 0. A
    /// packet that came in through one of them was attributed to its server there.
    pub ingress_interfaces: [u32; MAX_INGRESS],
    /// Bit n % 64 of word n / 64 set: n, in network byte order, is a DNS port.
    pub port_set: [u64; PORT_WORDS],
}

impl Settings {
    /// One interface with an Ethernet header, port 53.
    pub const DEFAULT: Self = Self {
        hash_key: 0x243f_6a88_85a3_08d3,
        slot_multiplier: 0,
        lanes: DIRECTIONS as u32,
        layer3_slots: 0,
        timeout: (2_000_000_000_u64 >> crate::latency::UNIT_BITS) as u32,
        tick_bits: 18,
        single_port: 53_u16.to_be() as u32,
        loopback: 0,
        cgroups: 0,
        probe_port: 0,
        ingress_interfaces: [0; MAX_INGRESS],
        port_set: [0; PORT_WORDS],
    };

    /// Whether a port, in network byte order, is in `port_set`.
    #[inline(always)]
    #[must_use]
    pub const fn in_set(word: u64, port: u16) -> bool {
        word >> (port & 63) & 1 != 0
    }

    /// Whether a port, in network byte order, is a DNS port.
    #[must_use]
    pub const fn is_dns_port(&self, port: u16) -> bool {
        match self.single_port {
            0 => Self::in_set(self.port_set[(port >> 6) as usize], port),
            single => port as u32 == single,
        }
    }

    /// Slot of an interface under this multiplier, 0 to 15.
    #[inline(always)]
    #[must_use]
    pub const fn slot(slot_multiplier: u32, ifindex: u32) -> u32 {
        ifindex.wrapping_mul(slot_multiplier) >> 28
    }
}

const _: () = assert!(size_of::<Settings>() == 104 + 8 * PORT_WORDS && align_of::<Settings>() == 8);
