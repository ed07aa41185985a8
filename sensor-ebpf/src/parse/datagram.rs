//! What IP headers say, those of packets and those of quoted packets.

use super::message::Carriage;
use crate::address::Words;
use crate::packet::{raw16, raw32, raw64};

/// IPv4 header without options.
pub(super) const V4_HEADER: usize = 20;
/// IPv6 header without extensions.
pub(super) const V6_HEADER: usize = 40;

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;

pub(super) const V4_MORE_FRAGMENTS: u16 = 0x2000_u16.to_be();
const V4_OFFSET: u16 = 0x1fff_u16.to_be();

/// What an IP header hands to the transport.
#[derive(Clone, Copy)]
pub(super) struct Datagram<P> {
    /// First byte of the transport header.
    pub payload: P,
    /// Bytes of payload that the IP header promises. The frame may hold more (padding) or less.
    pub room: u32,
    pub family: u8,
    pub source: Words,
    pub destination: Words,
    pub carriage: Carriage,
}

/// Length of an IPv4 header with its options, 20 to 60; `None` for another version or IHL under 5.
#[inline(always)]
pub(super) fn v4_header_length(header: &[u8; V4_HEADER]) -> Option<u8> {
    let length = (header[0] & 15) * 4;
    (header[0] >> 4 == 4 && usize::from(length) >= V4_HEADER).then_some(length)
}

/// Whether an IPv4 packet is a fragment without ports.
#[inline(always)]
pub(super) fn v4_is_later_fragment(header: &[u8; V4_HEADER]) -> bool {
    raw16(header, 6) & V4_OFFSET != 0
}

#[inline(always)]
pub(super) fn v6_addresses(header: &[u8; V6_HEADER]) -> (Words, Words) {
    (
        [raw64(header, 8), raw64(header, 16)],
        [raw64(header, 24), raw64(header, 32)],
    )
}

#[inline(always)]
pub(super) fn v4_address(header: &[u8; V4_HEADER], at: usize) -> Words {
    [u64::from(raw32(header, at)), 0]
}
