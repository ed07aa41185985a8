//! Link layers of serial lines: PPP, Cisco HDLC and frame relay.

use super::ethernet::{self, of_ppp};

/// Address and control of PPP in frames like HDLC, where they are not left out.
const ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];
/// A network-layer protocol by its own identifier (RFC 2427).
const UI: u8 = 0x03;
const NLPID_SNAP: u8 = 0x80;
const NLPID_IPV4: u8 = 0xcc;
const NLPID_IPV6: u8 = 0x8e;

/// PPP, with or without address and control; the protocol has one byte where that is odd (RFC 1661).
pub(super) fn ppp(frame: &[u8]) -> Option<([u8; 2], usize)> {
    let at = if frame.starts_with(&ADDRESS_AND_CONTROL) {
        2
    } else {
        0
    };
    let first = *frame.get(at)?;
    if first & 1 == 1 {
        return Some((of_ppp([0, first])?, at + 1));
    }
    Some((of_ppp([first, *frame.get(at + 1)?])?, at + 2))
}

/// PPP behind a byte that says which way the packet went.
pub(super) fn ppp_with_direction(frame: &[u8]) -> Option<([u8; 2], usize)> {
    let (ethertype, start) = ppp(frame.get(1..)?)?;
    Some((ethertype, start + 1))
}

/// Cisco HDLC: address, control, and an `EtherType`.
pub(super) fn hdlc(frame: &[u8]) -> Option<([u8; 2], usize)> {
    Some((*frame.get(2..)?.first_chunk()?, 4))
}

/// Frame relay: an address of two to four bytes, of which the last has its lowest bit set; then RFC 2427.
pub(super) fn frame_relay(frame: &[u8]) -> Option<([u8; 2], usize)> {
    let end = frame.iter().take(4).position(|byte| byte & 1 == 1)?;
    let at = end + 1;
    let body = frame.get(at..)?;
    match body {
        [UI, NLPID_IPV4, ..] => Some((ethernet::IPV4, at + 2)),
        [UI, NLPID_IPV6, ..] => Some((ethernet::IPV6, at + 2)),
        [UI, 0, NLPID_SNAP, 0, 0, 0, high, low, ..] => Some(([*high, *low], at + 8)),
        // Cisco's own encapsulation has an EtherType.
        [high @ (0x08 | 0x86), low, ..] => Some(([*high, *low], at + 2)),
        _ => None,
    }
}
