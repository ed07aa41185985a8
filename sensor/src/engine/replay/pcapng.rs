//! The pcapng format: blocks, of which some are packets.

use super::interface::{Interface, Times};
use super::link_layer::LinkLayer;
use super::link_names::LinkType;
use super::record::{Broken, MAX_FRAME, Order, Packet, Record, Unread, check_length};
use super::source::Source;

/// Types of blocks.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// Superseded by [`ENHANCED_PACKET`], and still found in old files.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Options of an interface.
const END_OF_OPTIONS: u16 = 0;
const RESOLUTION: u16 = 9;
const OFFSET: u16 = 14;
/// A block has its type, its length, and its length again at its end.
const LEAST: u32 = 12;
/// Longer blocks are no packets but the secrets, names and comments of others; none is as long as this.
const MAX_BLOCK: u32 = 64 << 20;
/// The magic number of a section in the byte order of the machine that wrote it.
const MAGIC: u32 = 0x1a2b_3c4d;

/// See the module.
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
}

impl Pcapng {
    /// By the first bytes of a file; `None` where it is no pcapng file.
    pub(super) fn of(begin: &[u8]) -> Option<Self> {
        Some(Self {
            order: order(begin)?,
            interfaces: Vec::new(),
        })
    }

    pub(super) fn next(&mut self, source: &mut Source<'_>) -> Result<Record, Broken> {
        let head = source.peek(LEAST as usize)?;
        if head.is_empty() {
            return Ok(Record::End);
        }
        if head.len() < LEAST as usize {
            return Err(Broken::Ends);
        }
        if Order::Little.u32(head, 0) == SECTION {
            let invalid = || Broken::Invalid("a section header without its magic number".into());
            self.order = order(head).ok_or_else(invalid)?;
            self.interfaces.clear();
        }
        let (kind, length) = (self.order.u32(head, 0), self.order.u32(head, 4));
        if length < LEAST || !length.is_multiple_of(4) || length > MAX_BLOCK {
            let text = format!("invalid block length {length} (limit {MAX_BLOCK})");
            return Err(Broken::Invalid(text));
        }
        let length = length as usize;
        let block = source.peek(length)?;
        if block.len() < length {
            return Err(Broken::Ends);
        }
        let body = &block[8..length - 4];
        match kind {
            INTERFACE => {
                self.interfaces.push(interface(self.order, body));
                Ok(Record::Other(length))
            }
            ENHANCED_PACKET if body.len() >= 20 => {
                let number = self.order.u32(body, 0);
                self.packet(body, number as usize, length)
            }
            PACKET if body.len() >= 20 => {
                let number = self.order.u16(body, 0);
                self.packet(body, usize::from(number), length)
            }
            SIMPLE_PACKET if body.len() >= 4 => self.simple_packet(body, length),
            ENHANCED_PACKET | PACKET | SIMPLE_PACKET => {
                let text = format!("a packet block of {length} bytes, too short for its fields");
                Err(Broken::Invalid(text))
            }
            _ => Ok(Record::Other(length)),
        }
    }

    /// The block of type 2 has its fields in the same places, but for the number of its interface.
    fn packet(&self, body: &[u8], number: usize, length: usize) -> Result<Record, Broken> {
        const DATA: usize = 20;
        let word = |at| self.order.u32(body, at);
        let (captured, original) = (word(12), word(16));
        check_length(captured)?;
        if DATA + captured as usize > body.len() {
            let text = format!(
                "invalid captured length {captured} (limit {} of its block)",
                body.len() - DATA
            );
            return Err(Broken::Invalid(text));
        }
        let Some(interface) = self.interfaces.get(number) else {
            return Ok(Record::Skipped(Unread::NoInterface, length));
        };
        let units = u64::from(word(4)) << 32 | u64::from(word(8));
        Ok(match interface.link {
            Ok(link) => Record::Packet(Packet {
                link,
                time: Some(interface.times.time(units)),
                start: 8 + DATA,
                captured: captured as usize,
                original,
                length,
            }),
            Err(link) => Record::Skipped(Unread::Link(link), length),
        })
    }

    /// It has no captured length: that is the original or the snapshot length.
    fn simple_packet(&self, body: &[u8], length: usize) -> Result<Record, Broken> {
        const DATA: usize = 4;
        let Some(interface) = self.interfaces.first() else {
            return Ok(Record::Skipped(Unread::NoInterface, length));
        };
        let original = self.order.u32(body, 0);
        let captured = match interface.snap_length {
            0 => original,
            snap => original.min(snap),
        };
        let captured = (captured as usize).min(body.len() - DATA);
        check_length(u32::try_from(captured).unwrap_or(MAX_FRAME + 1))?;
        Ok(match interface.link {
            Ok(link) => Record::Packet(Packet {
                link,
                time: None,
                start: 8 + DATA,
                captured,
                original,
                length,
            }),
            Err(link) => Record::Skipped(Unread::Link(link), length),
        })
    }
}

/// Byte order of a section, by its header.
fn order(begin: &[u8]) -> Option<Order> {
    let is_section = Order::Little.u32(begin, 0) == SECTION && begin.len() >= 12;
    let orders = [Order::Little, Order::Big];
    orders
        .into_iter()
        .find(|order| is_section && order.u32(begin, 8) == MAGIC)
}

fn interface(order: Order, body: &[u8]) -> Interface {
    let mut times = Times::MICROSECONDS;
    let mut offset = 0;
    let mut options = body.get(8..).unwrap_or_default();
    while options.len() >= 4 {
        let (code, length) = (order.u16(options, 0), usize::from(order.u16(options, 2)));
        let value = options.get(4..4 + length).unwrap_or_default();
        match (code, value) {
            (END_OF_OPTIONS, _) => break,
            (RESOLUTION, [resolution, ..]) => times = Times::of_resolution(*resolution),
            (OFFSET, [_, _, _, _, _, _, _, _, ..]) => {
                let (first, second) = (order.u32(value, 0), order.u32(value, 4));
                let (high, low) = match order {
                    Order::Little => (second, first),
                    Order::Big => (first, second),
                };
                offset = (u64::from(high) << 32 | u64::from(low)).cast_signed();
            }
            _ => {}
        }
        let next = (4 + length).next_multiple_of(4);
        options = options.get(next..).unwrap_or_default();
    }
    times.offset = offset;
    Interface {
        link: LinkLayer::of(LinkType(order.u16(body, 0))),
        times,
        snap_length: order.u32(body, 4),
    }
}
