//! From the bytes of a packet to its class.
//!
//! Each layer is one file and hands on to the next. What is worth counting beyond the class goes to
//! a [`Sink`], and only once the packet is known to be whole: a parse that fails has told the sink
//! nothing and can be repeated with more bytes. Only of a malformed packet on a DNS port that is whole it is told.

use sensor_common::class::Class;

use crate::packet::Packet;

mod datagram;
mod dns;
pub mod ethernet;
mod extension;
mod icmp;
mod ip;
mod message;
mod outcome;
mod sink;
mod tcp;
mod udp;

pub use message::{
    Carriage, Connection, DnsPort, Flags, Garbage, IcmpError, Message, Query, Response,
};
pub use outcome::Outcome;
pub use sink::Sink;

/// What precedes the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// An Ethernet header.
    Ethernet,
    /// Nothing: tun, `WireGuard` and other devices without a link-layer header.
    Layer3,
}

/// Bytes from the beginning of the packet to the DNS header, by a cursor at the UDP header.
#[inline(always)]
#[must_use]
pub fn dns_offset<P: Packet>(udp: P) -> u32 {
    (udp.offset() + udp::HEADER) as u32
}

/// Finds the class of a packet.
///
/// `tagged` tells that the packet had a VLAN tag that is no longer among its bytes.
/// A malformed packet has told the sink nothing, or that it is garbage where all of it was seen.
#[inline(always)]
pub fn parse<P: Packet, S: Sink>(packet: P, link: Link, tagged: bool, sink: &mut S) -> Outcome {
    let network = match link {
        Link::Ethernet => ethernet::parse(packet, u16::from(tagged)),
        Link::Layer3 => ip::without_link(packet, u16::from(tagged)),
    };
    let network = match network {
        Ok(network) => network,
        Err(reason) => return reason.into(),
    };
    // Lengths below 0x600 (LLC, SNAP) are not_dns too: Linux does not take IP over them either.
    match network.ethertype {
        ethernet::IPV4 => ip::parse_v4(network.packet, network.tagged, sink),
        ethernet::IPV6 => ip::parse_v6(network.packet, network.tagged, sink),
        _ => Class::NotDns.into(),
    }
}
