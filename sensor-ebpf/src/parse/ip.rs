//! IPv4 with options (RFC 791) and IPv6 with extension headers (RFC 8200).

use sensor_common::class::{Class, Malformed};
use sensor_common::server::{FAMILY_V4, FAMILY_V6};
use sensor_common::settings::MAX_EXTENSION_HEADERS;

use super::ethernet::{self, Network};
use super::{Carriage, Outcome, Sink, icmp, tcp, udp, whole};
use crate::address::Words;
use crate::packet::{Packet, be16, raw16, raw32, raw64};

/// IPv4 header without options.
pub(super) const V4_HEADER: usize = 20;
/// IPv6 header without extensions.
pub(super) const V6_HEADER: usize = 40;

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

const V4_MORE_FRAGMENTS: u16 = 0x2000_u16.to_be();
const V4_OFFSET: u16 = 0x1fff_u16.to_be();
const V6_MORE_FRAGMENTS: u16 = 0x0001_u16.to_be();
const V6_OFFSET: u16 = 0xfff8_u16.to_be();

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

/// The network layer of a device without a link-layer header: the version is in the first byte.
#[inline(always)]
pub(super) fn without_link<P: Packet>(packet: P, tagged: u16) -> Result<Network<P>, Malformed> {
    let [first] = packet.bytes::<1>().ok_or(Malformed::IpHeader)?;
    let ethertype = match first >> 4 {
        4 => ethernet::IPV4,
        6 => ethernet::IPV6,
        _ => return Err(Malformed::IpHeader),
    };
    Ok(Network {
        ethertype,
        packet,
        tagged,
    })
}

#[inline(always)]
pub(super) fn parse_v4<P: Packet, S: Sink>(packet: P, tagged: u16, sink: &mut S) -> Outcome {
    let header = whole!(packet.bytes::<V4_HEADER>(), Malformed::IpHeader);
    let length = whole!(v4_header_length(header), Malformed::IpHeader);
    let fragment = raw16(header, 6);
    if fragment & V4_OFFSET != 0 {
        return Class::Fragment.into();
    }
    let total = u32::from(be16(header, 2));
    let datagram = |room| Datagram {
        payload: packet.skip(usize::from(length)),
        room,
        family: FAMILY_V4,
        source: v4_address(header, 12),
        destination: v4_address(header, 16),
        carriage: Carriage {
            tagged,
            more_fragments: fragment & V4_MORE_FRAGMENTS,
        },
    };
    let room = total.checked_sub(u32::from(length));
    match header[9] {
        UDP => udp::parse(&datagram(whole!(room, Malformed::IpLength)), sink),
        TCP => {
            // 0 is what segmentation offload leaves in a packet over 64 KiB (BIG TCP): unknown then.
            let room = if total == 0 { Some(u32::MAX) } else { room };
            tcp::parse(&datagram(whole!(room, Malformed::IpLength)), sink)
        }
        ICMP => icmp::parse_v4(&datagram(whole!(room, Malformed::IpLength)), sink),
        _ => Class::NotDns.into(),
    }
}

/// Length of an IPv4 header with its options, 20 to 60; `None` for another version or IHL under 5.
#[inline(always)]
pub(super) fn v4_header_length(header: &[u8; V4_HEADER]) -> Option<u8> {
    let length = (header[0] & 15) * 4;
    (header[0] >> 4 == 4 && usize::from(length) >= V4_HEADER).then_some(length)
}

/// Whether a quoted IPv4 packet is a fragment without ports.
#[inline(always)]
pub(super) fn v4_is_later_fragment(header: &[u8; V4_HEADER]) -> bool {
    raw16(header, 6) & V4_OFFSET != 0
}

#[inline(always)]
pub(super) fn parse_v6<P: Packet, S: Sink>(packet: P, tagged: u16, sink: &mut S) -> Outcome {
    let header = whole!(packet.bytes::<V6_HEADER>(), Malformed::IpHeader);
    if header[0] >> 4 != 6 {
        return Malformed::IpHeader.into();
    }
    let (source, destination) = v6_addresses(header);
    let (next, length) = (header[6], u32::from(be16(header, 4)));
    let payload = packet.skip(V6_HEADER);
    // 0 is a jumbogram (RFC 2675) or BIG TCP: what the packet holds is the limit.
    let (protocol, payload, room, more_fragments) = match next {
        UDP => (UDP, payload, length, 0),
        TCP if length == 0 => (TCP, payload, u32::MAX, 0),
        TCP => (TCP, payload, length, 0),
        ICMPV6 => (ICMPV6, payload, length, 0),
        next => {
            let room = match length {
                0 if next == HOP_BY_HOP => u32::MAX,
                length => length,
            };
            match walk(payload, next) {
                Err(reason) => return reason.into(),
                Ok(Walk::LaterFragment) => return Class::Fragment.into(),
                Ok(Walk::Transport {
                    protocol,
                    payload,
                    offset,
                    more_fragments,
                }) => {
                    // A packet that ends before its own extension headers do has no room left.
                    let room = room.saturating_sub(offset as u32);
                    (protocol, payload, room, more_fragments)
                }
            }
        }
    };
    let datagram = Datagram {
        payload,
        room,
        family: FAMILY_V6,
        source,
        destination,
        carriage: Carriage {
            tagged,
            more_fragments,
        },
    };
    match protocol {
        UDP => udp::parse(&datagram, sink),
        TCP => tcp::parse(&datagram, sink),
        ICMPV6 => icmp::parse_v6(&datagram, sink),
        _ => Class::NotDns.into(),
    }
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

/// Where the extension headers lead.
pub(super) enum Walk<P> {
    /// To a transport, or to a protocol that is not walked (ESP, a tunnel).
    Transport {
        protocol: u8,
        /// Its first byte.
        payload: P,
        /// Bytes from the first extension header to it.
        offset: usize,
        /// See [`Carriage::more_fragments`].
        more_fragments: u16,
    },
    /// Nowhere: the packet is a fragment without ports.
    LaterFragment,
}

/// Walks IPv6 extension headers from `next` on.
#[inline(always)]
pub(super) fn walk<P: Packet>(start: P, next: u8) -> Result<Walk<P>, Malformed> {
    let mut protocol = next;
    let mut offset = 0;
    let mut more_fragments = 0;
    // An inclusive range would cost six instructions more a round.
    for _ in 0..HEADERS {
        let header = start.skip(offset);
        let kind = EXTENSIONS[usize::from(protocol)];
        if kind == NONE {
            return Ok(Walk::Transport {
                protocol,
                payload: header,
                offset,
                more_fragments,
            });
        }
        let header = header.bytes::<8>().ok_or(Malformed::Ipv6Extension)?;
        let length = match kind {
            IN_EIGHTS => (usize::from(header[1]) + 1) * 8,
            // RFC 4302, 2.2: in words of four bytes, minus two.
            IN_WORDS => (usize::from(header[1]) + 2) * 4,
            _ => {
                let fragment = raw16(header, 2);
                if fragment & V6_OFFSET != 0 {
                    return Ok(Walk::LaterFragment);
                }
                // Neither offset nor more to come: an atomic fragment (RFC 6946), whole.
                more_fragments |= fragment & V6_MORE_FRAGMENTS;
                8
            }
        };
        protocol = header[0];
        offset = start.skip(offset + length).since(start);
        if offset > MAX_EXTENSION_BYTES {
            return Err(Malformed::Ipv6Extension);
        }
    }
    Err(Malformed::Ipv6ExtensionCount)
}

/// For each protocol, whether it is an extension header and how its length is told. A table takes fewer
/// instructions than comparisons.
static EXTENSIONS: [u8; 256] = extensions();
/// Not an extension header.
const NONE: u8 = 0;
/// In units of eight bytes, without the first (RFC 8200, 4.2).
const IN_EIGHTS: u8 = 1;
/// In units of four bytes, without the first two.
const IN_WORDS: u8 = 2;
/// Always eight bytes.
const FIXED: u8 = 3;

const fn extensions() -> [u8; 256] {
    let mut extensions = [NONE; 256];
    extensions[HOP_BY_HOP as usize] = IN_EIGHTS;
    extensions[ROUTING as usize] = IN_EIGHTS;
    extensions[DESTINATION as usize] = IN_EIGHTS;
    extensions[AUTHENTICATION as usize] = IN_WORDS;
    extensions[FRAGMENT as usize] = FIXED;
    extensions
}

/// Headers to look at: the extensions, and what follows the last of them.
const HEADERS: usize = MAX_EXTENSION_HEADERS + 1;

/// Bytes that all extension headers may have together. Eight of the longest are 16,384.
const MAX_EXTENSION_BYTES: usize = 16_384;
