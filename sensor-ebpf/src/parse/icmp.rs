//! ICMP errors and the packets they quote (RFC 792, RFC 4443, RFC 1122 3.2.2, RFC 1812 4.3.2.3).

use sensor_common::class::{Class, IcmpType, Malformed, Quoted};

use super::ip::{self, Datagram, V4_HEADER, V6_HEADER, Walk};
use super::{Flags, IcmpError, Outcome, Sink, dns, udp, whole};
use crate::address::Words;
use crate::packet::{Packet, be16, raw16};

/// ICMP header of an error, before the quoted packet.
const HEADER: usize = 8;
/// Quoted headers of UDP and DNS.
const WHOLE: usize = udp::HEADER + dns::HEADER;

#[inline(always)]
pub(super) fn parse_v4<P: Packet, S: Sink>(datagram: &Datagram<P>, sink: &mut S) -> Outcome {
    let (number, code) = whole!(header(datagram), Malformed::IcmpHeader);
    let icmp_type = match number {
        3 => IcmpType::V4Unreachable,
        11 => IcmpType::V4TimeExceeded,
        _ => return Class::NotDns.into(),
    };
    let quote = quoted_v4(
        datagram.payload.skip(HEADER),
        datagram.room - HEADER as u32,
        sink,
    );
    report(datagram, icmp_type, code, quote, sink)
}

#[inline(always)]
pub(super) fn parse_v6<P: Packet, S: Sink>(datagram: &Datagram<P>, sink: &mut S) -> Outcome {
    let (number, code) = whole!(header(datagram), Malformed::IcmpHeader);
    let icmp_type = match number {
        1 => IcmpType::V6Unreachable,
        2 => IcmpType::V6TooBig,
        3 => IcmpType::V6TimeExceeded,
        _ => return Class::NotDns.into(),
    };
    let quote = quoted_v6(
        datagram.payload.skip(HEADER),
        datagram.room - HEADER as u32,
        sink,
    );
    report(datagram, icmp_type, code, quote, sink)
}

/// Type and code.
#[inline(always)]
fn header<P: Packet>(datagram: &Datagram<P>) -> Option<(u8, u8)> {
    let header = datagram.payload.bytes::<HEADER>()?;
    (datagram.room >= HEADER as u32).then_some((header[0], header[1]))
}

#[inline(always)]
fn report<P: Packet, S: Sink>(
    datagram: &Datagram<P>,
    icmp_type: IcmpType,
    code: u8,
    quote: Quote,
    sink: &mut S,
) -> Outcome {
    let is_cut = quote.quoted == Quoted::Unreadable || !quote.verifiable;
    if is_cut && !datagram.payload.is_whole() {
        return Malformed::Unreadable.into();
    }
    sink.icmp_error(&IcmpError {
        sender: datagram.source,
        server: quote.server,
        client: quote.client,
        offset: quote.offset,
        client_port: quote.client_port,
        id: quote.id,
        family: datagram.family,
        icmp_type: icmp_type as u8,
        code,
        quoted: quote.quoted as u8,
        verifiable: u32::from(quote.verifiable),
    });
    Class::IcmpError.into()
}

#[derive(Clone, Copy)]
struct Quote {
    quoted: Quoted,
    verifiable: bool,
    server: Words,
    client: Words,
    client_port: u16,
    id: u16,
    offset: u32,
}

impl Quote {
    #[inline(always)]
    fn without_server(quoted: Quoted) -> Self {
        Self {
            quoted,
            verifiable: true,
            server: [0; 2],
            client: [0; 2],
            client_port: 0,
            id: 0,
            offset: 0,
        }
    }
}

#[inline(always)]
fn quoted_v4<P: Packet, S: Sink>(quote: P, room: u32, sink: &S) -> Quote {
    let Some(header) = quote.bytes::<V4_HEADER>().filter(|_| room >= 20) else {
        return Quote::without_server(Quoted::Unreadable);
    };
    let Some(length) = ip::v4_header_length(header) else {
        return Quote::without_server(Quoted::Unreadable);
    };
    if header[9] != ip::UDP || ip::v4_is_later_fragment(header) {
        return Quote::without_server(Quoted::Other);
    }
    quoted_udp(
        quote.skip(usize::from(length)),
        room.saturating_sub(u32::from(length)),
        ip::v4_address(header, 12),
        ip::v4_address(header, 16),
        sink,
    )
}

#[inline(always)]
fn quoted_v6<P: Packet, S: Sink>(quote: P, room: u32, sink: &S) -> Quote {
    let Some(header) = quote.bytes::<V6_HEADER>().filter(|_| room >= 40) else {
        return Quote::without_server(Quoted::Unreadable);
    };
    if header[0] >> 4 != 6 {
        return Quote::without_server(Quoted::Unreadable);
    }
    let (source, destination) = ip::v6_addresses(header);
    let (payload, offset) = match ip::walk(quote.skip(V6_HEADER), header[6]) {
        Ok(Walk::Transport {
            protocol: ip::UDP,
            payload,
            offset,
            ..
        }) => (payload, offset),
        Ok(_) => return Quote::without_server(Quoted::Other),
        Err(_) => return Quote::without_server(Quoted::Unreadable),
    };
    quoted_udp(
        payload,
        room.saturating_sub((V6_HEADER + offset) as u32),
        source,
        destination,
        sink,
    )
}

/// The quoted UDP header, and as much of the DNS message as was quoted. `room` is what is left of
/// the error's own IP payload: what follows is padding.
#[inline(always)]
fn quoted_udp<P: Packet, S: Sink>(
    packet: P,
    room: u32,
    source: Words,
    destination: Words,
    sink: &S,
) -> Quote {
    // Four bytes hold the ports; RFC 792 promises eight.
    let Some(ports) = packet.bytes::<4>().filter(|_| room >= 4) else {
        return Quote::without_server(Quoted::Unreadable);
    };
    let to_server = sink.is_dns_port(raw16(ports, 2));
    if !to_server && !sink.is_dns_port(raw16(ports, 0)) {
        return Quote::without_server(Quoted::Other);
    }
    let whole = packet
        .bytes::<WHOLE>()
        .filter(|headers| room >= WHOLE as u32 && usize::from(be16(headers, 4)) >= WHOLE);
    let (is_query, id, offset) = match whole {
        Some(headers) => (
            !Flags(be16(headers, 10)).is_response(),
            raw16(headers, 8),
            packet.offset() as u32 + udp::HEADER as u32,
        ),
        None => (to_server, 0, 0),
    };
    let (server, client, client_port) = if is_query {
        (destination, source, raw16(ports, 0))
    } else {
        (source, destination, raw16(ports, 2))
    };
    Quote {
        quoted: if is_query {
            Quoted::Query
        } else {
            Quoted::Response
        },
        verifiable: whole.is_some(),
        server,
        client,
        client_port,
        id,
        offset,
    }
}
