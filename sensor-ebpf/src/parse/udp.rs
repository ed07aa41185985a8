//! UDP (RFC 768).

use sensor_common::class::{Class, Malformed};

use super::ip::Datagram;
use super::{Flags, Outcome, Sink, dns, whole};
use crate::packet::{Packet, be16, raw16};

/// UDP header.
pub(super) const HEADER: usize = 8;
/// UDP header and the part of a DNS message that holds its flags.
const TO_FLAGS: usize = HEADER + 4;
/// UDP header and DNS header.
const TO_QUESTION: usize = HEADER + dns::HEADER;

#[inline(always)]
pub(super) fn parse<P: Packet, S: Sink>(datagram: &Datagram<P>, sink: &mut S) -> Outcome {
    let packet = datagram.payload;
    // One check covers both headers; whoever is shorter takes the other way.
    let Some(headers) = packet.bytes::<TO_QUESTION>() else {
        return short(datagram, sink);
    };
    if datagram.room < HEADER as u32 {
        return Malformed::UdpHeader.into();
    }
    if !sink.is_dns_port(raw16(headers, 2)) && !sink.is_dns_port(raw16(headers, 0)) {
        return Class::NotDns.into();
    }
    let length = whole!(
        checked_length(datagram, be16(headers, 4)),
        Malformed::UdpLength
    );
    let flags = Flags(be16(headers, 10));
    let present = length.min(datagram.room);
    if present < TO_QUESTION as u32 {
        let flags = (present >= TO_FLAGS as u32).then_some(flags);
        return Outcome::short_dns(datagram.carriage, flags);
    }
    let header = dns::Header {
        source_port: raw16(headers, 0),
        destination_port: raw16(headers, 2),
        id: raw16(headers, 8),
        flags,
        questions: raw16(headers, 12),
    };
    dns::parse(
        datagram,
        header,
        packet.skip(TO_QUESTION),
        length - HEADER as u32,
        sink,
    )
}

/// A datagram whose frame ends before a DNS header would.
#[inline(always)]
fn short<P: Packet, S: Sink>(datagram: &Datagram<P>, sink: &S) -> Outcome {
    let header = whole!(datagram.payload.bytes::<HEADER>(), Malformed::UdpHeader);
    if datagram.room < HEADER as u32 {
        return Malformed::UdpHeader.into();
    }
    if !sink.is_dns_port(raw16(header, 2)) && !sink.is_dns_port(raw16(header, 0)) {
        return Class::NotDns.into();
    }
    let length = whole!(
        checked_length(datagram, be16(header, 4)),
        Malformed::UdpLength
    );
    let flags = match datagram.payload.bytes::<TO_FLAGS>() {
        Some(bytes) if length.min(datagram.room) >= TO_FLAGS as u32 => Some(Flags(be16(bytes, 10))),
        _ => None,
    };
    Outcome::short_dns(datagram.carriage, flags)
}

/// The UDP length, if the IP payload can hold it. The first of several fragments holds only a part.
#[inline(always)]
fn checked_length<P>(datagram: &Datagram<P>, length: u16) -> Option<u32> {
    let length = u32::from(length);
    let too_long = length > datagram.room && datagram.carriage.more_fragments == 0;
    if length < HEADER as u32 || too_long {
        return None;
    }
    Some(length)
}
