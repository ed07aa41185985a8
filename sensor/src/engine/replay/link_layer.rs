//! Link layers of captures.

use pcap_parser::Linktype;

/// Ethernet header that is put in front of packets that have none.
const ETHERNET_HEADER: usize = 14;

/// What the packets of a capture begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkLayer {
    Ethernet,
    Raw,
    Cooked,
    Cooked2,
    Loopback,
}

impl LinkLayer {
    /// The frame with an Ethernet header in a buffer, made where it has another link layer.
    pub(super) fn put(self, frame: &[u8], buffer: &mut Vec<u8>) {
        buffer.clear();
        if self == Self::Ethernet {
            buffer.extend(frame);
        } else if let Some((ethertype, start)) = self.network(frame) {
            buffer.resize(ETHERNET_HEADER - ethertype.len(), 0);
            buffer.extend(ethertype);
            buffer.extend(frame.get(start..).unwrap_or_default());
        }
        // A frame that ends inside its own link-layer header stays too short for one.
    }

    /// By the numbers of <https://www.tcpdump.org/linktypes.html>.
    pub(super) fn of(link: Linktype) -> Option<Self> {
        match link.0 {
            1 => Some(Self::Ethernet),
            // 12 and 14 are what some systems write for raw IP; 228 and 229 are IPv4 and IPv6.
            12 | 14 | 101 | 228 | 229 => Some(Self::Raw),
            113 => Some(Self::Cooked),
            276 => Some(Self::Cooked2),
            0 | 108 => Some(Self::Loopback),
            _ => None,
        }
    }

    /// The `EtherType` and where the network layer begins; `None` for a header cut short.
    fn network(self, frame: &[u8]) -> Option<([u8; 2], usize)> {
        let two = |at: usize| frame.get(at..at + 2)?.first_chunk::<2>().copied();
        match self {
            Self::Ethernet => None,
            Self::Raw => Some((by_version(*frame.first()?), 0)),
            Self::Cooked => Some((two(14)?, 16)),
            Self::Cooked2 => frame.get(..20).and(Some((two(0)?, 20))),
            Self::Loopback => {
                // A protocol family in the byte order of the machine that wrote it; 2 is IPv4
                // everywhere, and what IPv6 is depends on the system.
                let family = frame.first_chunk::<4>()?;
                let family = u32::from_le_bytes(*family).min(u32::from_be_bytes(*family));
                let ethertype = match family {
                    2 => [0x08, 0x00],
                    10 | 24 | 28 | 30 => [0x86, 0xdd],
                    _ => [0, 0],
                };
                Some((ethertype, 4))
            }
        }
    }
}

fn by_version(first: u8) -> [u8; 2] {
    if first >> 4 == 6 {
        [0x86, 0xdd]
    } else {
        // Anything else is malformed as IPv4, which is what it will be counted as.
        [0x08, 0x00]
    }
}
