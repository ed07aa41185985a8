//! The first bytes of a packet, as evidence.

use bytemuck::{Pod, Zeroable};

use crate::class::SAMPLE_KINDS;

/// Bytes of a packet that are kept.
pub const SAMPLE_BYTES: usize = 128;
/// Bytes of the ring buffer for each CPU, which has room for more than its samples of a tick.
pub const RING_BYTES_PER_CPU: usize = 64 * 1024;
/// Bytes of the ring buffer at least; a power of two and whole pages.
pub const MIN_RING_BYTES: usize = 256 * 1024;
/// Bytes of the ring buffer at most: with more than 128 CPUs, of which all are flooded, samples may be lost.
pub const MAX_RING_BYTES: usize = 8 * 1024 * 1024;
/// Samples that each CPU may take in a tick of the loader (250 ms), by [`crate::class::SampleKind`].
pub const SAMPLES_PER_TICK: [u64; SAMPLE_KINDS] = [256, 32, 8, 8];

/// One sampled packet: a DNS message over UDP, or an ICMP error that quotes one.
///
/// The samples of a transaction share `transaction`, and are all there if as many of its highest bits are 0 as the
/// highest `shift` of its time: where that was raised in between, the later ones may be missing.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Sample {
    /// Time in nanoseconds, as [`crate::transactions::Control::clock`].
    pub time: u64,
    /// Hash of the client's address and port and the id, the same for all packets of a transaction. 0 where they are
    /// not known.
    pub transaction: u64,
    /// Id of the cgroup (v2) of the socket that sent it, which is the inode of its folder below /sys/fs/cgroup; 0
    /// where the packet came in, where it is not of this host, or where the kernel does not tell.
    pub cgroup: u64,
    /// Interface.
    pub ifindex: u32,
    /// [`crate::settings::Direction`].
    pub direction: u32,
    /// Bytes of the whole packet.
    pub length: u32,
    /// Of them in `bytes`.
    pub captured: u32,
    /// Where the DNS header begins; 0 where it is not known.
    pub dns_offset: u32,
    /// 1 where `bytes` begins with the IP header.
    pub layer3: u32,
    /// [`crate::class::SampleKind`].
    pub kind: u32,
    /// One in 2^shift transactions was sampled at the time: see [`crate::transactions::Control::sample_shift`].
    pub shift: u32,
    /// The packet from its first byte.
    pub bytes: [u8; SAMPLE_BYTES],
}

const _: () = assert!(size_of::<Sample>() == 56 + SAMPLE_BYTES);
// With the header of its record in the ring buffer.
const _: () = assert!((size_of::<Sample>() + 8) * 304 < RING_BYTES_PER_CPU);
