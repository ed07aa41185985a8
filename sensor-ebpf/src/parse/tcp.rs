//! TCP (RFC 9293): only segments on a DNS port that open or refuse a connection.

use sensor_common::class::{Class, Malformed, TcpEvent};

use super::datagram::Datagram;
use super::message::{Connection, DnsPort};
use super::outcome::{Outcome, whole};
use super::sink::Sink;
use crate::packet::{Packet, raw16, raw32};

/// Up to the flags.
const TO_FLAGS: usize = 14;
/// Where the sequence number is.
const SEQUENCE: usize = 4;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

#[inline(always)]
pub(super) fn parse<P: Packet, S: Sink>(datagram: &Datagram<P>, sink: &mut S) -> Outcome {
    let header = whole!(datagram.payload.bytes::<TO_FLAGS>(), Malformed::TcpHeader);
    if datagram.room < TO_FLAGS as u32 {
        return Malformed::TcpHeader.into();
    }
    let (source, destination) = (raw16(header, 0), raw16(header, 2));
    let port = sink.dns_port(source, destination);
    if port == DnsPort::Neither {
        return Class::NotDns.into();
    }
    let to_server = port == DnsPort::Destination;
    let flags = header[13];
    let event = if flags & RST != 0 {
        Some(if to_server {
            TcpEvent::ClientRst
        } else if flags & ACK != 0 && raw32(header, SEQUENCE) == 0 {
            TcpEvent::Refused
        } else {
            TcpEvent::ServerRst
        })
    } else if flags & SYN == 0 {
        None
    } else if flags & ACK != 0 {
        Some(TcpEvent::SynAck)
    } else {
        Some(TcpEvent::Syn)
    };
    if let Some(event) = event {
        // Both ports may be DNS ports; the handshake tells who is the server, a reset does not: it counts as a client's.
        let (client, client_port, server) = match event {
            TcpEvent::Syn | TcpEvent::ClientRst => (datagram.source, source, datagram.destination),
            TcpEvent::SynAck | TcpEvent::ServerRst | TcpEvent::Refused => {
                (datagram.destination, destination, datagram.source)
            }
        };
        sink.tcp(&Connection {
            client,
            server,
            client_port: u32::from(client_port),
            family: u32::from(datagram.family),
            event: u32::from(datagram.payload.forget(event as u16)),
        });
    }
    Class::DnsTcp.into()
}
