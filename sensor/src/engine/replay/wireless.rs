//! 802.11 data frames, with or without a radiotap header.

use super::ethernet;

/// Type of data frames, in the frame control.
const DATA: u8 = 2;
/// A subtype without a body has this bit.
const NO_DATA: u8 = 4;
/// A subtype with quality of service has this bit.
const QOS: u8 = 8;
/// Flags of the frame control.
const TO_AND_FROM_DS: u8 = 3;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
/// LLC and SNAP in front of an `EtherType` (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];
/// The flags of radiotap that are read: that the header is padded.
const PADDED: u8 = 0x20;

/// Behind a radiotap header.
pub(super) fn radiotap(frame: &[u8]) -> Option<([u8; 2], usize)> {
    let length = usize::from(u16::from_le_bytes(*frame.get(2..)?.first_chunk()?));
    let present = u32::from_le_bytes(*frame.get(4..)?.first_chunk()?);
    let is_padded = flags(frame, present).is_some_and(|flags| flags & PADDED != 0);
    let (ethertype, start) = network(frame.get(length..)?, is_padded)?;
    Some((ethertype, length + start))
}

/// The field "flags", which has the second bit: behind the words of what is present, and behind the time of 8 bytes.
fn flags(frame: &[u8], present: u32) -> Option<u8> {
    if present & 2 == 0 {
        return None;
    }
    let mut at = 4;
    while u32::from_le_bytes(*frame.get(at..)?.first_chunk()?) >> 31 == 1 {
        at += 4;
    }
    at += 4;
    if present & 1 == 1 {
        at = at.next_multiple_of(8) + 8;
    }
    frame.get(at).copied()
}

/// The `EtherType` of a data frame and where its body begins; nothing of other frames, and of those that are encrypted.
pub(super) fn network(frame: &[u8], is_padded: bool) -> Option<([u8; 2], usize)> {
    let [first, second] = *frame.first_chunk::<2>()?;
    let (kind, subtype) = (first >> 2 & 3, first >> 4);
    if kind != DATA || subtype & NO_DATA != 0 || second & PROTECTED != 0 {
        return None;
    }
    let mut length = 24_usize;
    if second & TO_AND_FROM_DS == TO_AND_FROM_DS {
        length += 6;
    }
    if subtype & QOS != 0 {
        length += 2;
        if second & ORDER != 0 {
            length += 4;
        }
    }
    if is_padded {
        length = length.next_multiple_of(4);
    }
    let body = frame.get(length..)?;
    if body.get(..6)? != SNAP {
        return None;
    }
    let ethertype: [u8; 2] = *body.get(6..)?.first_chunk()?;
    let is_ip = [ethernet::IPV4, ethernet::IPV6].contains(&ethertype);
    is_ip.then_some((ethertype, length + 8))
}
