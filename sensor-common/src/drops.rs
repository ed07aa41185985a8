//! What the drop program and the loader share: where the kernel keeps what it reads, and what it counts.
//!
//! The program is in an object of its own, `drops.bpf.o`. It runs for each packet that the kernel drops
//! (tracepoint `kfree_skb`), in every network namespace.

use bytemuck::{Pod, Zeroable};

use crate::settings::MAX_PORTS;

/// Program on the tracepoint `kfree_skb`.
pub const PROGRAM: &str = "drops";
/// The same that does nothing, for benchmarks.
pub const PROGRAM_EMPTY: &str = "empty_drops";
/// The tracepoint of both.
pub const TRACEPOINT: &str = "kfree_skb";
/// Per-CPU array of [`Reason`] by the kernel's number of the reason.
pub const REASONS: &str = "REASONS";
/// Per-CPU hash maps from [`Dropped`] to packets: one is in use while the loader reads the other.
pub const BANKS: [&str; 2] = ["DROPPED_0", "DROPPED_1"];
/// Global: [`Layout`], written before the object is loaded.
pub const LAYOUT: &str = "LAYOUT";
/// Section of the one global that changes while the program runs: which of [`BANKS`] is in use, a `u64`.
pub const BANK: &str = ".data.bank";

/// Reasons that are told apart; those with a higher number count in the last place.
pub const MAX_REASONS: usize = 256;
/// Keys of a bank.
pub const MAX_DROPPED: usize = 1_024;
/// Bytes of the socket buffer that are read at once, at most.
pub const WINDOW: usize = 96;
/// Bits of the kernel's jiffies below a tick of [`Reason::tick`]: 64 of them are 64 ms to 640 ms, by the kernel's
/// configuration. The clock that costs least: programs at tracepoints may not read the coarse one.
pub const TICK_BITS: u32 = 6;
/// Packets of a reason that each CPU parses in a tick. At 100 ns each they take 0.3 % of the shortest.
pub const BUDGET: u32 = 2_048;

/// Where this kernel keeps what is read, from its BTF. Offsets in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Layout {
    /// In `sk_buff`: from where bytes are read that have the next three.
    pub window: u32,
    /// How many.
    pub window_bytes: u32,
    /// `head`, from `window` on.
    pub head: u32,
    /// `network_header`, from `window` on.
    pub network_header: u32,
    /// `skb_iif`, from `window` on.
    pub interface: u32,
    /// The same of a DNS packet, for the next three.
    pub pointers: u32,
    /// How many.
    pub pointers_bytes: u32,
    /// `dev`, from `pointers` on.
    pub device: u32,
    /// `sk`, from `pointers` on.
    pub socket: u32,
    /// `_skb_refdst`, from `pointers` on.
    pub route: u32,
    /// `dev` in `dst_entry`.
    pub route_device: u32,
    /// `flags` in `net_device`.
    pub device_flags: u32,
    /// `nd_net` in `net_device`.
    pub device_net: u32,
    /// `skc_net` in `sock`.
    pub socket_net: u32,
    /// `ns.inum` in `net`.
    pub net_number: u32,
    /// 1 where the tracepoint's fourth argument is the receiving socket (Linux 6.11 and later), or 0.
    pub has_receiver: u32,
    /// DNS ports in use, of [`Layout::ports`].
    pub port_count: u32,
    /// DNS ports in network byte order.
    pub ports: [u16; MAX_PORTS],
}

/// What is counted of a reason on one CPU, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Reason {
    /// Dropped, of any kind.
    pub dropped: u64,
    /// Of those, DNS: counted in a bank or in `full`.
    pub dns: u64,
    /// Of those, for which the bank had no room.
    pub full: u64,
    /// Not parsed, because the budget of the tick was spent.
    pub unparsed: u64,
    /// The tick of `used`.
    pub tick: u32,
    /// Parsed in that tick.
    pub used: u32,
}

/// To the server.
pub const TO_SERVER: u8 = 0;
/// From the server.
pub const FROM_SERVER: u8 = 1;

/// Received, before a route was found.
pub const STAGE_EARLY: u8 = 0;
/// Received, for this namespace.
pub const STAGE_INPUT: u8 = 1;
/// Received, to be sent on.
pub const STAGE_FORWARD: u8 = 2;
/// Sent from this namespace.
pub const STAGE_OUTPUT: u8 = 3;

/// What dropped DNS packets are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct Dropped {
    /// The server's address in network byte order, as in [`crate::server::ServerKey`].
    pub server: [u8; 16],
    /// Inode number of the network namespace; 0 where neither a device nor a socket names it.
    pub namespace: u32,
    /// Index of the interface by which it came in; 0 where it was sent from this namespace.
    pub interface: u32,
    /// The kernel's number.
    pub reason: u32,
    /// [`crate::server::FAMILY_V4`] or [`crate::server::FAMILY_V6`].
    pub family: u8,
    /// [`TO_SERVER`] or [`FROM_SERVER`].
    pub direction: u8,
    /// IP protocol: 17 for UDP, 6 for TCP.
    pub protocol: u8,
    /// `STAGE_EARLY` and so on.
    pub stage: u8,
}

const _: () = assert!(size_of::<Layout>() == 84 && size_of::<Reason>() == 40);
const _: () = assert!(size_of::<Dropped>() == 32);
