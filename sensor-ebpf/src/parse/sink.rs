//! Where the parser puts what it finds.

#[cfg(doc)]
use sensor_common::class::IcmpType;
use sensor_common::class::Quoted;
use sensor_common::totals::Totals;

use super::message::{Connection, DnsPort, Garbage, IcmpError, Query, Response};
use crate::packet::Packet;

/// Receives what a packet tells beyond its class.
pub trait Sink {
    /// Which of two ports, in network byte order, is a DNS port.
    fn dns_port(&self, source: u16, destination: u16) -> DnsPort;

    /// Counters of this hook.
    fn totals(&mut self) -> &mut Totals;

    /// Secret of the hashes.
    fn hash_key(&self) -> u64;

    /// A UDP packet on a DNS port with a whole DNS header and QR 0. `udp` is at its UDP header.
    fn query<P: Packet>(&mut self, query: &Query, udp: P);

    /// The same with QR 1.
    fn response<P: Packet>(&mut self, response: &Response, udp: P);

    /// A UDP packet on a DNS port that can be no genuine message. Where it holds no DNS header it is malformed, and all
    /// there is of it was seen.
    fn garbage(&mut self, garbage: &Garbage);

    /// A TCP segment on a DNS port that opens or refuses a connection.
    fn tcp(&mut self, connection: &Connection);

    /// An ICMP error that quotes something else than DNS, what can be no genuine message, or too little to tell. By
    /// the index of its [`IcmpType`].
    fn icmp_error_of_other(&mut self, icmp_type: u8, code: u8, quoted: Quoted);

    /// An ICMP error that quotes DNS. `udp` is at the quoted UDP header.
    fn icmp_error<P: Packet>(&mut self, error: &IcmpError, udp: P);
}
