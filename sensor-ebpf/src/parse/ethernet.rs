//! Ethernet II and VLAN tags (IEEE 802.3, 802.1Q, 802.1ad).

use sensor_common::class::Malformed;

use crate::packet::{Packet, raw16};

/// Ethernet header: two addresses and a type.
pub const HEADER: usize = 14;
/// A tag: its control word and the next type.
const TAG: usize = 4;

/// Type of IPv4, in network byte order.
pub const IPV4: u16 = 0x0800_u16.to_be();
/// Type of IPv6, in network byte order.
pub const IPV6: u16 = 0x86dd_u16.to_be();
const VLAN: u16 = 0x8100_u16.to_be();
const SERVICE_VLAN: u16 = 0x88a8_u16.to_be();

/// Where the network layer begins.
pub(super) struct Network<P> {
    /// `EtherType` in network byte order.
    pub ethertype: u16,
    pub packet: P,
    /// See [`super::message::Carriage`].
    pub tagged: u16,
}

#[inline(always)]
pub(super) fn parse<P: Packet>(packet: P, tagged: u16) -> Result<Network<P>, Malformed> {
    let header = packet.bytes::<HEADER>().ok_or(Malformed::LinkHeader)?;
    let mut ethertype = raw16(header, 12);
    if !is_tag(ethertype) {
        return Ok(Network {
            ethertype,
            packet: packet.skip(HEADER),
            tagged,
        });
    }
    // Two tags at most (QinQ); what has three is not_dns.
    let mut length = HEADER + TAG;
    ethertype = raw16(&tag(packet.skip(HEADER))?, 2);
    if is_tag(ethertype) {
        ethertype = raw16(&tag(packet.skip(length))?, 2);
        length += TAG;
    }
    // One tag or two: the rest of the program need not be followed once for each.
    let length = packet.skip(length).since(packet) & 31;
    Ok(Network {
        ethertype,
        packet: packet.skip(length),
        tagged: 1,
    })
}

#[inline(always)]
fn tag<P: Packet>(packet: P) -> Result<[u8; TAG], Malformed> {
    packet.bytes().copied().ok_or(Malformed::VlanTag)
}

#[inline(always)]
fn is_tag(ethertype: u16) -> bool {
    ethertype == VLAN || ethertype == SERVICE_VLAN
}
