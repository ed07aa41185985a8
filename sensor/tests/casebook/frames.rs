//! Frames: Ethernet, IPv4 or IPv6, and what is in them.

use std::net::IpAddr;
use std::time::Duration;

/// A frame that passes the sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub at: Duration,
    pub bytes: Vec<u8>,
}

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const FRAGMENT: u8 = 44;

pub const SYN: u8 = 0x02;
pub const SYN_ACK: u8 = 0x12;
pub const ACK: u8 = 0x10;
pub const PUSH: u8 = 0x18;
pub const FIN: u8 = 0x11;
pub const RESET: u8 = 0x14;

/// What an Ethernet frame can carry.
const MTU: usize = 1500;

/// Two addresses, and which way the packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub source: IpAddr,
    pub destination: IpAddr,
}

impl Way {
    pub fn back(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
        }
    }
}

/// Sums 16-bit words as RFC 1071 does.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Puts the checksum of a segment where it belongs.
fn sum(way: Way, protocol: u8, segment: &mut [u8], at: usize) {
    let length = (segment.len() as u32).to_be_bytes();
    let (source, destination) = (octets(way.source), octets(way.destination));
    let total = checksum(&[&source, &destination, &length, &[0, protocol], segment]);
    // 0 would mean that UDP has none.
    let total = if total == 0 { 0xffff } else { total };
    segment[at..at + 2].copy_from_slice(&total.to_be_bytes());
}

pub fn udp(way: Way, ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let mut segment = Vec::with_capacity(usize::from(length));
    for word in [ports[0], ports[1], length, 0] {
        segment.extend(word.to_be_bytes());
    }
    segment.extend(payload);
    sum(way, UDP, &mut segment, 6);
    segment
}

pub fn tcp(way: Way, ports: [u16; 2], flags: u8, numbers: [u32; 2], payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(ports[0].to_be_bytes());
    segment.extend(ports[1].to_be_bytes());
    segment.extend(numbers[0].to_be_bytes());
    segment.extend(numbers[1].to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    sum(way, TCP, &mut segment, 16);
    segment
}

/// An IP packet without fragmentation.
pub fn packet(way: Way, protocol: u8, payload: &[u8], id: u16) -> Vec<u8> {
    part(way, protocol, payload, id, 0)
}

/// A packet, or a part of one: `fragment` has the offset in units of 8 bytes and the flag 0x2000 for "more".
fn part(way: Way, protocol: u8, payload: &[u8], id: u16, fragment: u16) -> Vec<u8> {
    let mut packet = Vec::with_capacity(MTU + 14);
    let (source, destination) = (octets(way.source), octets(way.destination));
    if way.source.is_ipv4() {
        packet.extend([0x45, 0]);
        packet.extend(((20 + payload.len()) as u16).to_be_bytes());
        packet.extend(id.to_be_bytes());
        packet.extend(fragment.to_be_bytes());
        packet.extend([64, protocol, 0, 0]);
        packet.extend(source);
        packet.extend(destination);
        let header = checksum(&[&packet]);
        packet[10..12].copy_from_slice(&header.to_be_bytes());
    } else {
        let extension = if fragment == 0 { 0 } else { 8 };
        packet.extend([0x60, 0, 0, 0]);
        packet.extend(((payload.len() + extension) as u16).to_be_bytes());
        packet.extend([if fragment == 0 { protocol } else { FRAGMENT }, 64]);
        packet.extend(source);
        packet.extend(destination);
        if fragment != 0 {
            let offset = (fragment & 0x1fff) << 3 | u16::from(fragment & 0x2000 != 0);
            packet.extend([protocol, 0]);
            packet.extend(offset.to_be_bytes());
            packet.extend([0, 0]);
            packet.extend(id.to_be_bytes());
        }
    }
    packet.extend(payload);
    packet
}

/// A packet, in fragments where it does not fit into one.
pub fn packets(way: Way, protocol: u8, payload: &[u8], id: u16) -> Vec<Vec<u8>> {
    let header = if way.source.is_ipv4() { 20 } else { 40 };
    if header + payload.len() <= MTU {
        return vec![packet(way, protocol, payload, id)];
    }
    let room = (MTU - header - 8) / 8 * 8;
    let count = payload.len().div_ceil(room);
    payload
        .chunks(room)
        .enumerate()
        .map(|(n, chunk)| {
            let more = if n + 1 < count { 0x2000 } else { 0 };
            part(way, protocol, chunk, id, more | (n * room / 8) as u16)
        })
        .collect()
}

/// A later fragment alone.
pub fn later_fragment(way: Way, bytes: usize, id: u16) -> Vec<u8> {
    part(way, UDP, &vec![0x55; bytes], id, 185)
}

/// An ICMP error about a packet, of which it quotes the IP header and so many bytes more.
pub fn error(way: Way, codes: [[u8; 2]; 2], quoted: &[u8], quote: usize) -> Vec<u8> {
    let is_ipv4 = way.source.is_ipv4();
    let [kind, code] = codes[usize::from(!is_ipv4)];
    let header = if quoted.first().is_some_and(|byte| byte >> 4 == 4) {
        20
    } else {
        40
    };
    let quoted = &quoted[..quoted.len().min(header + quote)];
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    // The MTU of "too big".
    if [kind, code] == [3, 4] || (!is_ipv4 && kind == 2) {
        message[6..8].copy_from_slice(&1280_u16.to_be_bytes());
    }
    message.extend(quoted);
    if is_ipv4 {
        let total = checksum(&[&message]);
        message[2..4].copy_from_slice(&total.to_be_bytes());
        return packet(way, ICMP, &message, 0);
    }
    sum(way, ICMPV6, &mut message, 2);
    packet(way, ICMPV6, &message, 0)
}

/// The hosts of a link layer address tell the direction: the sensor's own host, or the router beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

/// That of a frame made here.
pub fn direction(frame: &[u8]) -> Direction {
    match frame.get(5) {
        Some(2) => Direction::Out,
        _ => Direction::In,
    }
}

/// An Ethernet frame around a packet.
pub fn ethernet(direction: Direction, packet: &[u8]) -> Vec<u8> {
    let (here, router) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let (destination, source) = match direction {
        Direction::In => (here, router),
        Direction::Out => (router, here),
    };
    let mut frame = Vec::with_capacity(14 + packet.len());
    frame.extend(destination);
    frame.extend(source);
    let is_ipv4 = packet.first().is_some_and(|byte| byte >> 4 == 4);
    frame.extend(if is_ipv4 { [8, 0] } else { [0x86, 0xdd] });
    frame.extend(packet);
    frame
}
