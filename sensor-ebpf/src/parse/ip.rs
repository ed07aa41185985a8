//! IPv4 with options (RFC 791) and IPv6 with extension headers (RFC 8200).

use sensor_common::class::{Class, Malformed};
use sensor_common::server::{FAMILY_V4, FAMILY_V6};

use super::datagram::{
    Datagram, ICMP, ICMPV6, TCP, UDP, V4_HEADER, V4_MORE_FRAGMENTS, V6_HEADER, v4_address,
    v4_header_length, v4_is_later_fragment, v6_addresses,
};
use super::ethernet::{self, Network};
use super::extension::{HOP_BY_HOP, Walk, walk};
use super::message::Carriage;
use super::outcome::{Outcome, whole};
use super::sink::Sink;
use super::{icmp, tcp, udp};
use crate::packet::{Packet, be16, raw16};

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
    if v4_is_later_fragment(header) {
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
            more_fragments: raw16(header, 6) & V4_MORE_FRAGMENTS,
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
