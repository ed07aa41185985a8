//! ICMP errors and the packets they quote (RFC 792, RFC 4443, RFC 1122 3.2.2, RFC 1812 4.3.2.3).

use sensor_common::class::{Class, IcmpType, Malformed, Quoted};

use super::ip::{self, Datagram, V4_HEADER, V6_HEADER, Walk};
use super::{Flags, IcmpError, Outcome, Sink, dns, udp, whole};
use crate::address::{Address, V4, V6};
use crate::packet::{Packet, be16, raw16, raw32};

/// ICMP header of an error, before the quoted packet.
const HEADER: usize = 8;
/// Quoted headers of UDP and DNS.
const WHOLE: usize = udp::HEADER + dns::HEADER;

#[inline(always)]
pub(super) fn parse_v4<P: Packet, S: Sink>(datagram: &Datagram<P, V4>, sink: &mut S) -> Outcome {
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
pub(super) fn parse_v6<P: Packet, S: Sink>(datagram: &Datagram<P, V6>, sink: &mut S) -> Outcome {
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
fn header<P: Packet, A>(datagram: &Datagram<P, A>) -> Option<(u8, u8)> {
    let header = datagram.payload.bytes::<HEADER>()?;
    (datagram.room >= HEADER as u32).then_some((header[0], header[1]))
}

#[inline(always)]
fn report<P: Packet, A: Address, S: Sink>(
    datagram: &Datagram<P, A>,
    icmp_type: IcmpType,
    code: u8,
    quote: Quote<A>,
    sink: &mut S,
) -> Outcome {
    let is_cut = quote.quoted == Quoted::Unreadable || !quote.verifiable;
    if is_cut && !datagram.payload.is_whole() {
        return Malformed::Unreadable.into();
    }
    sink.icmp_error(&IcmpError {
        sender: datagram.source,
        icmp_type,
        code,
        quoted: quote.quoted,
        server: quote.server.unwrap_or(datagram.source),
        verifiable: quote.verifiable,
    });
    Class::IcmpError.into()
}

#[derive(Clone, Copy)]
struct Quote<A> {
    quoted: Quoted,
    server: Option<A>,
    verifiable: bool,
}

impl<A> Quote<A> {
    #[inline(always)]
    fn without_server(quoted: Quoted) -> Self {
        Self {
            quoted,
            server: None,
            verifiable: true,
        }
    }
}

#[inline(always)]
fn quoted_v4<P: Packet, S: Sink>(quote: P, room: u32, sink: &S) -> Quote<V4> {
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
        V4(raw32(header, 12)),
        V4(raw32(header, 16)),
        sink,
    )
}

#[inline(always)]
fn quoted_v6<P: Packet, S: Sink>(quote: P, room: u32, sink: &S) -> Quote<V6> {
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
fn quoted_udp<P: Packet, A: Address, S: Sink>(
    packet: P,
    room: u32,
    source: A,
    destination: A,
    sink: &S,
) -> Quote<A> {
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
    let (is_query, verifiable) = match whole {
        Some(headers) => (!Flags(be16(headers, 10)).is_response(), true),
        None => (to_server, false),
    };
    Quote {
        quoted: if is_query {
            Quoted::Query
        } else {
            Quoted::Response
        },
        server: Some(if is_query { destination } else { source }),
        verifiable,
    }
}
