//! The first bytes of a packet, as evidence.

use bytemuck::{Pod, Zeroable};

/// Bytes of a packet that are kept.
pub const SAMPLE_BYTES: usize = 128;
/// Bytes of the ring buffer; a power of two and whole pages.
pub const RING_BYTES: usize = 256 * 1024;
/// Samples that each CPU may take in a tick of the loader (250 ms).
pub const SAMPLES_PER_TICK: u64 = 64;

/// One sampled packet: a DNS message over UDP, or an ICMP error that quotes one.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Sample {
    /// Time in nanoseconds, as [`crate::transactions::Control::clock`].
    pub time: u64,
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
    /// The packet from its first byte.
    pub bytes: [u8; SAMPLE_BYTES],
}

const _: () = assert!(size_of::<Sample>() == 32 + SAMPLE_BYTES);
