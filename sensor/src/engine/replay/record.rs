//! What the readers of both formats give.

use std::time::Duration;

use super::interface::{Interface, Times};
use super::link_layer::LinkLayer;
use super::link_names::LinkType;
use super::source::Source;

/// No frame is longer: tcpdump's and Wireshark's largest snapshot length.
pub(super) const MAX_FRAME: u32 = 262_144;

/// A record of a capture that is a packet; its bytes lie in the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub link: LinkLayer,
    pub time: Option<Duration>,
    /// Where its bytes begin in the record, and how many were captured.
    pub start: usize,
    pub captured: usize,
    /// Length of the packet on the wire.
    pub original: u32,
    /// Length of the whole record.
    pub length: usize,
}

/// What comes next in a capture.
pub(super) enum Record {
    Packet(Packet),
    /// A packet that cannot be read, because of its interface; its record has so many bytes.
    Skipped(Unread, usize),
    /// Something else, of so many bytes.
    Other(usize),
    End,
}

/// Why a packet is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unread {
    /// Of a link type that is not read here.
    Link(LinkType),
    /// Of an interface that the capture does not describe.
    NoInterface,
}

/// Why a record cannot be read.
pub(super) enum Broken {
    /// The capture ends inside it.
    Ends,
    /// What is wrong with it.
    Invalid(String),
    /// The file cannot be read on.
    Unreadable(std::io::Error),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// Byte order of the machine that wrote a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// Two bytes; 0 behind the end.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| match self {
            Self::Little => u16::from_le_bytes(*bytes),
            Self::Big => u16::from_be_bytes(*bytes),
        })
    }

    /// Four bytes; 0 behind the end.
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| match self {
            Self::Little => u32::from_le_bytes(*bytes),
            Self::Big => u32::from_be_bytes(*bytes),
        })
    }
}

/// The classic format: a header of 24 bytes, then records with a header of 16.
pub(super) struct Pcap {
    order: Order,
    interface: Interface,
    /// Length of a record's header: the variant of A. Kuznetsov has more in it.
    header: usize,
}

impl Pcap {
    /// Length of the header of the file.
    pub(super) const HEADER: usize = 24;

    /// By the header of a file; `None` where it is of no pcap file.
    pub(super) fn of(begin: &[u8]) -> Option<Self> {
        let (order, times, header) = match begin.first_chunk::<4>()? {
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, Times::MICROSECONDS, 16),
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, Times::MICROSECONDS, 16),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, Times::NANOSECONDS, 16),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, Times::NANOSECONDS, 16),
            [0x34, 0xcd, 0xb2, 0xa1] => (Order::Little, Times::MICROSECONDS, 24),
            [0xa1, 0xb2, 0xcd, 0x34] => (Order::Big, Times::MICROSECONDS, 24),
            _ => return None,
        };
        if begin.len() < Self::HEADER {
            return None;
        }
        // The upper bits of the field are for the length of an FCS.
        let link = LinkType((order.u32(begin, 20) & 0xffff) as u16);
        Some(Self {
            order,
            interface: Interface {
                link: LinkLayer::of(link),
                times,
                snap_length: order.u32(begin, 16),
            },
            header,
        })
    }

    /// The link type of all its packets, where that is not read here.
    pub(super) fn unread(&self) -> Option<LinkType> {
        self.interface.link.err()
    }

    pub(super) fn next(&self, source: &mut Source<'_>) -> Result<Record, Broken> {
        let head = source.peek(self.header)?;
        if head.is_empty() {
            return Ok(Record::End);
        }
        if head.len() < self.header {
            return Err(Broken::Ends);
        }
        let word = |at| self.order.u32(head, at);
        let (seconds, parts, captured, original) = (word(0), word(4), word(8), word(12));
        check_length(captured)?;
        let length = self.header + captured as usize;
        if source.peek(length)?.len() < length {
            return Err(Broken::Ends);
        }
        let second = Duration::from_secs(u64::from(seconds));
        let time = second.saturating_add(self.interface.times.time(u64::from(parts)));
        Ok(match self.interface.link {
            Ok(link) => Record::Packet(Packet {
                link,
                time: Some(time),
                start: self.header,
                captured: captured as usize,
                original,
                length,
            }),
            Err(link) => Record::Skipped(Unread::Link(link), length),
        })
    }
}

/// # Errors
/// No frame is as long.
pub(super) fn check_length(captured: u32) -> Result<(), Broken> {
    if captured <= MAX_FRAME {
        return Ok(());
    }
    let text = format!("invalid captured length {captured} (limit {MAX_FRAME})");
    Err(Broken::Invalid(text))
}
