//! Link layers of captures.

use super::ethernet::{self, HEADER, by_version};
use super::link_names::LinkType;
use super::{serial, wireless};

/// What the packets of a capture begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkLayer {
    Ethernet,
    Raw,
    Cooked,
    Cooked2,
    Loopback,
    Nflog,
    Ppp,
    PppWithDirection,
    Hdlc,
    FrameRelay,
    Pktap,
    Enc,
    Radiotap,
    Wireless,
    Ipoib,
}

impl LinkLayer {
    /// The frame with an Ethernet header in a buffer, made where it has another link layer.
    pub(super) fn put(self, frame: &[u8], buffer: &mut Vec<u8>) {
        match self {
            Self::Ethernet => ethernet::put(frame, buffer),
            Self::Pktap => match pktap(frame) {
                Some((link, start)) => link.put(frame.get(start..).unwrap_or_default(), buffer),
                None => buffer.clear(),
            },
            _ => self.put_network(frame, buffer),
        }
    }

    fn put_network(self, frame: &[u8], buffer: &mut Vec<u8>) {
        buffer.clear();
        match self.network(frame) {
            Some((ethertype, start)) => {
                buffer.resize(HEADER - ethertype.len(), 0);
                buffer.extend(ethertype);
                buffer.extend(frame.get(start..).unwrap_or_default());
            }
            // A frame that ends inside its own link-layer header stays too short for one; where others carry no IP
            // packet, that is not DNS.
            None if self.carries_others() => {
                buffer.resize(HEADER, 0);
            }
            None => {}
        }
    }

    /// # Errors
    /// It is not read here.
    pub(super) fn of(link: LinkType) -> Result<Self, LinkType> {
        match link.0 {
            1 => Ok(Self::Ethernet),
            // 12 and 14 are what some systems write for raw IP; 228 and 229 are IPv4 and IPv6.
            12 | 14 | 101 | 228 | 229 => Ok(Self::Raw),
            113 => Ok(Self::Cooked),
            276 => Ok(Self::Cooked2),
            0 | 108 => Ok(Self::Loopback),
            9 | 50 => Ok(Self::Ppp),
            // 166 is what pppd writes, 204 the same by its name.
            166 | 204 => Ok(Self::PppWithDirection),
            104 => Ok(Self::Hdlc),
            105 => Ok(Self::Wireless),
            107 => Ok(Self::FrameRelay),
            109 => Ok(Self::Enc),
            127 => Ok(Self::Radiotap),
            239 => Ok(Self::Nflog),
            242 => Ok(Self::Ipoib),
            258 => Ok(Self::Pktap),
            _ => Err(link),
        }
    }

    /// Whether frames without an IP packet in them are ordinary.
    fn carries_others(self) -> bool {
        matches!(
            self,
            Self::Ppp
                | Self::PppWithDirection
                | Self::FrameRelay
                | Self::Radiotap
                | Self::Wireless
                | Self::Nflog
        )
    }

    /// The `EtherType` and where the network layer begins; `None` for a header cut short.
    fn network(self, frame: &[u8]) -> Option<([u8; 2], usize)> {
        let two = |at: usize| frame.get(at..at + 2)?.first_chunk::<2>().copied();
        match self {
            Self::Ethernet | Self::Pktap => None,
            // Anything else is malformed as IPv4, which is what it will be counted as.
            Self::Raw => Some((by_version(*frame.first()?).unwrap_or(ethernet::IPV4), 0)),
            Self::Cooked => Some((two(14)?, 16)),
            Self::Cooked2 => frame.get(..20).and(Some((two(0)?, 20))),
            Self::Loopback => Some((by_family(*frame.first_chunk::<4>()?), 4)),
            // The family, how it is protected and how, in 12 bytes.
            Self::Enc => frame
                .get(..12)
                .and(Some((by_family(*frame.first_chunk::<4>()?), 12))),
            Self::Nflog => nflog(frame),
            Self::Ppp => serial::ppp(frame),
            Self::PppWithDirection => serial::ppp_with_direction(frame),
            Self::Hdlc => serial::hdlc(frame),
            Self::FrameRelay => serial::frame_relay(frame),
            Self::Radiotap => wireless::radiotap(frame),
            Self::Wireless => wireless::network(frame, false),
            // A destination of 40 bytes, an EtherType, and two bytes of nothing (RFC 4391).
            Self::Ipoib => frame.get(..44).and(Some((two(40)?, 44))),
        }
    }
}

/// A protocol family in the byte order of the machine that wrote it; 2 is IPv4 everywhere, and what IPv6 is depends on
/// the system.
fn by_family(family: [u8; 4]) -> [u8; 2] {
    let family = u32::from_le_bytes(family).min(u32::from_be_bytes(family));
    match family {
        2 => ethernet::IPV4,
        10 | 24 | 28 | 30 => ethernet::IPV6,
        _ => [0, 0],
    }
}

/// Linux netfilter log messages: a family, then attributes, of which one is the packet.
fn nflog(frame: &[u8]) -> Option<([u8; 2], usize)> {
    const PAYLOAD: u16 = 9;
    let ethertype = match frame.first()? {
        2 => ethernet::IPV4,
        10 => ethernet::IPV6,
        _ => return None,
    };
    let mut at = 4;
    loop {
        let word = |at: usize| Some(u16::from_le_bytes(*frame.get(at..)?.first_chunk()?));
        // In the byte order of the machine that captured; no attribute is as long as 256 times 4 bytes or more but the
        // packet, and none as short as 4 has data.
        let (length, kind) = (word(at)?, word(at + 2)?);
        let (length, kind) = if kind & 0x7fff > 0xff {
            (length.swap_bytes(), kind.swap_bytes())
        } else {
            (length, kind)
        };
        if kind & 0x7fff == PAYLOAD {
            return Some((ethertype, at + 4));
        }
        if length < 4 {
            return None;
        }
        at += usize::from(length).next_multiple_of(4);
    }
}

/// What a packet of Apple's PKTAP carries, and where it begins.
fn pktap(frame: &[u8]) -> Option<(LinkLayer, usize)> {
    let word = |at: usize| Some(u32::from_le_bytes(*frame.get(at..)?.first_chunk()?));
    let (length, link) = (word(0)? as usize, word(8)?);
    let link = LinkLayer::of(LinkType(u16::try_from(link).ok()?)).ok()?;
    // It is in no packet of its own kind.
    (link != LinkLayer::Pktap && length >= 12).then_some((link, length))
}
