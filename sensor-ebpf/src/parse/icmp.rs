//! ICMP errors and the packets they quote (RFC 792, RFC 4443, RFC 1122 3.2.2, RFC 1812 4.3.2.3).

use sensor_common::class::{Class, IcmpType, Malformed, Quoted};

use super::datagram::{self, Datagram, V4_HEADER, V6_HEADER};
use super::extension::{Walk, walk};
use super::message::{DnsPort, Flags, IcmpError};
use super::outcome::{Outcome, whole};
use super::sink::Sink;
use super::{dns, udp};
use crate::address::Words;
use crate::packet::{Packet, be16, raw16};

/// ICMP header of an error, before the quoted packet.
const HEADER: usize = 8;
/// Quoted headers of UDP and DNS.
const WHOLE: usize = udp::HEADER + dns::HEADER;

/// An ICMP error before its quote is read.
#[derive(Clone, Copy)]
struct Error<P> {
    payload: P,
    sender: Words,
    receiver: Words,
    family: u8,
    /// Index of the [`IcmpType`].
    icmp_type: u8,
    code: u8,
}

/// For each number in the header the index of the [`IcmpType`], or [`NO_ERROR`]. Tables and not a match: the verifier
/// would follow the rest once for each type.
static V4_TYPES: [u8; 256] = types("v4");
/// The same of `ICMPv6`.
static V6_TYPES: [u8; 256] = types("v6");
/// A message that is no error, or none about an undelivered packet.
const NO_ERROR: u8 = u8::MAX;

const fn types(family: &str) -> [u8; 256] {
    let mut types = [NO_ERROR; 256];
    let mut at = 0;
    while at < IcmpType::ALL.len() {
        let icmp_type = IcmpType::ALL[at];
        // The last byte tells the two names apart.
        if icmp_type.family().as_bytes()[1] == family.as_bytes()[1] {
            types[icmp_type.number() as usize] = icmp_type as u8;
        }
        at += 1;
    }
    types
}

#[inline(always)]
pub(super) fn parse_v4<P: Packet, S: Sink>(datagram: &Datagram<P>, sink: &mut S) -> Outcome {
    let (number, code) = whole!(header(datagram), Malformed::IcmpHeader);
    let icmp_type = V4_TYPES[usize::from(number)];
    if icmp_type == NO_ERROR {
        return Class::NotDns.into();
    }
    let quote = datagram.payload.skip(HEADER);
    let room = datagram.room - HEADER as u32;
    quoted_v4(&error(datagram, icmp_type, code), quote, room, sink)
}

#[inline(always)]
pub(super) fn parse_v6<P: Packet, S: Sink>(datagram: &Datagram<P>, sink: &mut S) -> Outcome {
    let (number, code) = whole!(header(datagram), Malformed::IcmpHeader);
    let icmp_type = V6_TYPES[usize::from(number)];
    if icmp_type == NO_ERROR {
        return Class::NotDns.into();
    }
    let quote = datagram.payload.skip(HEADER);
    let room = datagram.room - HEADER as u32;
    quoted_v6(&error(datagram, icmp_type, code), quote, room, sink)
}

#[inline(always)]
fn error<P: Packet>(datagram: &Datagram<P>, icmp_type: u8, code: u8) -> Error<P> {
    Error {
        payload: datagram.payload,
        sender: datagram.source,
        receiver: datagram.destination,
        family: datagram.family,
        icmp_type,
        code,
    }
}

/// Type and code.
#[inline(always)]
fn header<P: Packet>(datagram: &Datagram<P>) -> Option<(u8, u8)> {
    let header = datagram.payload.bytes::<HEADER>()?;
    (datagram.room >= HEADER as u32).then_some((header[0], header[1]))
}

/// An error whose quote is not DNS.
#[inline(always)]
fn other<P, S: Sink>(error: &Error<P>, sink: &mut S) -> Outcome {
    sink.icmp_error_of_other(error.icmp_type, error.code, Quoted::Other);
    Class::IcmpError.into()
}

/// An error whose quote ends too early.
#[inline(always)]
fn unreadable<P: Packet, S: Sink>(error: &Error<P>, sink: &mut S) -> Outcome {
    if !error.payload.is_whole() {
        return Malformed::Unreadable.into();
    }
    sink.icmp_error_of_other(error.icmp_type, error.code, Quoted::Unreadable);
    Class::IcmpError.into()
}

#[inline(always)]
fn quoted_v4<P: Packet, S: Sink>(error: &Error<P>, quote: P, room: u32, sink: &mut S) -> Outcome {
    let Some(header) = quote.bytes::<V4_HEADER>().filter(|_| room >= 20) else {
        return unreadable(error, sink);
    };
    let Some(length) = datagram::v4_header_length(header) else {
        return unreadable(error, sink);
    };
    if header[9] != datagram::UDP || datagram::v4_is_later_fragment(header) {
        return other(error, sink);
    }
    let (source, destination) = (
        datagram::v4_address(header, 12),
        datagram::v4_address(header, 16),
    );
    quoted_udp(
        error,
        quote.skip(usize::from(length)),
        room.saturating_sub(u32::from(length)),
        (source, destination),
        sink,
    )
}

#[inline(always)]
fn quoted_v6<P: Packet, S: Sink>(error: &Error<P>, quote: P, room: u32, sink: &mut S) -> Outcome {
    let Some(header) = quote.bytes::<V6_HEADER>().filter(|_| room >= 40) else {
        return unreadable(error, sink);
    };
    if header[0] >> 4 != 6 {
        return unreadable(error, sink);
    }
    let addresses = datagram::v6_addresses(header);
    let (payload, offset) = match walk(quote.skip(V6_HEADER), header[6]) {
        Ok(Walk::Transport {
            protocol: datagram::UDP,
            payload,
            offset,
            ..
        }) => (payload, offset),
        Ok(_) => return other(error, sink),
        Err(_) => return unreadable(error, sink),
    };
    let room = room.saturating_sub((V6_HEADER + offset) as u32);
    quoted_udp(error, payload, room, addresses, sink)
}

/// The quoted UDP header, and as much of the DNS message as was quoted. `room` is what is left of
/// the error's own IP payload: what follows is padding.
#[inline(always)]
fn quoted_udp<P: Packet, S: Sink>(
    error: &Error<P>,
    packet: P,
    room: u32,
    (source, destination): (Words, Words),
    sink: &mut S,
) -> Outcome {
    // Four bytes hold the ports; RFC 792 promises eight.
    let Some(ports) = packet.bytes::<4>().filter(|_| room >= 4) else {
        return unreadable(error, sink);
    };
    let port = sink.dns_port(raw16(ports, 0), raw16(ports, 2));
    if port == DnsPort::Neither {
        return other(error, sink);
    }
    let ports = P::anew(ports);
    let mut report = IcmpError {
        sender: error.sender,
        server: destination,
        client: error.receiver,
        client_port: raw16(ports, 0),
        id: 0,
        family: error.family,
        icmp_type: error.icmp_type,
        code: error.code,
        quoted: Quoted::Query as u8,
        verifiable: 0,
    };
    let is_query;
    let whole = packet
        .bytes::<WHOLE>()
        .filter(|headers| room >= WHOLE as u32 && usize::from(be16(headers, 4)) >= WHOLE);
    if let Some(headers) = whole {
        let flags = Flags(raw16(headers, 10));
        is_query = !flags.is_response();
        // A query is sent to a DNS port and a response from one.
        let port = if is_query {
            sink.dns_port(raw16(ports, 0), raw16(ports, 2))
        } else {
            sink.dns_port(raw16(ports, 2), raw16(ports, 0))
        };
        if port != DnsPort::Destination || !flags.is_assigned() {
            // It counts by its QR bit, and for no server.
            let quoted = [Quoted::Response, Quoted::Query][usize::from(is_query)];
            sink.icmp_error_of_other(error.icmp_type, error.code, quoted);
            return Class::IcmpError.into();
        }
        report.id = raw16(headers, 8);
        report.verifiable = 1;
    } else if !error.payload.is_whole() {
        return Malformed::Unreadable.into();
    } else {
        is_query = sink.dns_port(raw16(ports, 0), raw16(ports, 2)) == DnsPort::Destination;
    }
    if !is_query {
        report.server = source;
        report.client = destination;
        report.client_port = raw16(ports, 2);
        report.quoted = Quoted::Response as u8;
    }
    sink.icmp_error(&report, packet);
    Class::IcmpError.into()
}
