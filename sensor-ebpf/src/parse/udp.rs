//! UDP (RFC 768).

use sensor_common::class::{Class, Malformed};

use super::datagram::Datagram;
use super::dns;
use super::message::{DnsPort, Flags};
use super::outcome::{Outcome, whole};
use super::sink::Sink;
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
    let (source_port, destination_port) = (raw16(headers, 0), raw16(headers, 2));
    if sink.dns_port(source_port, destination_port) == DnsPort::Neither {
        return Class::NotDns.into();
    }
    let length = u32::from(be16(headers, 4));
    let present = whole!(present(datagram, length), Malformed::UdpLength);
    let flags = Flags(raw16(headers, 10));
    if present < TO_QUESTION as u32 {
        return too_short(datagram, present, flags);
    }
    let header = dns::Header {
        source_port,
        destination_port,
        id: raw16(headers, 8),
        flags,
        questions: raw16(headers, 12),
    };
    let body = packet.skip(TO_QUESTION);
    dns::parse(datagram, header, body, length - HEADER as u32, sink)
}

/// A datagram whose frame ends before a DNS header would.
#[inline(always)]
fn short<P: Packet, S: Sink>(datagram: &Datagram<P>, sink: &S) -> Outcome {
    let header = whole!(datagram.payload.bytes::<HEADER>(), Malformed::UdpHeader);
    if datagram.room < HEADER as u32 {
        return Malformed::UdpHeader.into();
    }
    if sink.dns_port(raw16(header, 0), raw16(header, 2)) == DnsPort::Neither {
        return Class::NotDns.into();
    }
    let length = u32::from(be16(header, 4));
    let present = whole!(present(datagram, length), Malformed::UdpLength);
    match datagram.payload.bytes::<TO_FLAGS>() {
        Some(bytes) => too_short(datagram, present, Flags(raw16(bytes, 10))),
        None => too_short(datagram, 0, Flags(0)),
    }
}

/// A DNS message that ends inside its header. `present` is the bytes of the datagram that its IP packet has.
#[inline(always)]
fn too_short<P>(datagram: &Datagram<P>, present: u32, flags: Flags) -> Outcome {
    let flags = (present >= TO_FLAGS as u32).then_some(flags);
    Outcome::short_dns(datagram.carriage, flags)
}

/// The bytes of the datagram that its IP packet has, by the UDP length: fewer in the first of several
/// fragments. `None` for a length that cannot be.
#[inline(always)]
fn present<P>(datagram: &Datagram<P>, length: u32) -> Option<u32> {
    if length < HEADER as u32 {
        None
    } else if length <= datagram.room {
        Some(length)
    } else if datagram.carriage.more_fragments != 0 {
        Some(datagram.room)
    } else {
        None
    }
}
