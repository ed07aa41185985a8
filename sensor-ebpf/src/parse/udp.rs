//! UDP (RFC 768).

use sensor_common::class::{Class, Malformed};

use super::datagram::Datagram;
use super::dns;
use super::message::{DnsPort, Flags, Garbage};
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
    let port = sink.dns_port(source_port, destination_port);
    if port == DnsPort::Neither {
        return Class::NotDns.into();
    }
    let headers = P::anew(headers);
    let (source_port, destination_port) = (raw16(headers, 0), raw16(headers, 2));
    let length = u32::from(be16(headers, 4));
    let present = present(datagram, length);
    let flags = Flags(raw16(headers, 10));
    if present < TO_QUESTION as u32 {
        let outcome = too_short(datagram, present, flags, present);
        let to_server = sink.dns_port(source_port, destination_port) == DnsPort::Destination;
        let to_server = packet.forget(u16::from(to_server));
        return garbage(datagram, to_server, outcome, sink);
    }
    let header = dns::Header {
        source_port,
        destination_port,
        id: raw16(headers, 8),
        flags,
        questions: raw16(headers, 12),
        additional: raw16(headers, 18),
    };
    let body = packet.skip(TO_QUESTION);
    dns::parse(datagram, header, body, length - HEADER as u32, sink)
}

/// A datagram whose frame ends before a DNS header would.
#[inline(always)]
fn short<P: Packet, S: Sink>(datagram: &Datagram<P>, sink: &mut S) -> Outcome {
    let header = whole!(datagram.payload.bytes::<HEADER>(), Malformed::UdpHeader);
    if datagram.room < HEADER as u32 {
        return Malformed::UdpHeader.into();
    }
    let port = sink.dns_port(raw16(header, 0), raw16(header, 2));
    if port == DnsPort::Neither {
        return Class::NotDns.into();
    }
    let to_server = u16::from(port == DnsPort::Destination);
    let to_server = datagram.payload.forget(to_server);
    let length = u32::from(be16(header, 4));
    let present = present(datagram, length);
    let (flags, read) = match datagram.payload.bytes::<TO_FLAGS>() {
        Some(bytes) => (Flags(raw16(bytes, 10)), present),
        None => (Flags(0), 0),
    };
    let outcome = too_short(datagram, present, flags, read);
    if present < TO_QUESTION as u32 {
        garbage(datagram, to_server, outcome, sink)
    } else {
        // A capture has cut the frame.
        outcome
    }
}

/// A datagram that holds no DNS header, if this is all of it: else it is looked at once more.
#[inline(always)]
fn garbage<P: Packet, S: Sink>(
    datagram: &Datagram<P>,
    to_server: u16,
    outcome: Outcome,
    sink: &mut S,
) -> Outcome {
    if datagram.payload.is_whole() {
        let garbage = Garbage::new(datagram.destination, datagram.family, to_server);
        sink.garbage(&garbage);
        return outcome.as_garbage();
    }
    outcome
}

/// A DNS message that ends inside its header. `present` is as below, `read` how much of that could be read.
#[inline(always)]
fn too_short<P>(datagram: &Datagram<P>, present: u32, flags: Flags, read: u32) -> Outcome {
    if present == 0 {
        return Malformed::UdpLength.into();
    }
    let flags = (read >= TO_FLAGS as u32).then_some(flags);
    Outcome::short_dns(datagram.carriage, flags)
}

/// The bytes of the datagram that its IP packet has, by the UDP length: fewer in the first of several
/// fragments. 0 for a length that cannot be.
#[inline(always)]
fn present<P>(datagram: &Datagram<P>, length: u32) -> u32 {
    if length < HEADER as u32 {
        0
    } else if length <= datagram.room {
        length
    } else if datagram.carriage.more_fragments != 0 {
        datagram.room
    } else {
        0
    }
}
