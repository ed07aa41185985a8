//! What Ethernet frames carry that the packet program does not open on a live interface: `PPPoE` and MPLS, and VLAN tags
//! with older numbers.

/// Length of an Ethernet header, with the type at its end.
pub(super) const HEADER: usize = 14;

pub(super) const IPV4: [u8; 2] = [0x08, 0x00];
pub(super) const IPV6: [u8; 2] = [0x86, 0xdd];
const TAG: [u8; 2] = [0x81, 0x00];
const SERVICE_TAG: [u8; 2] = [0x88, 0xa8];
/// Two tags as it was before IEEE 802.1ad had a number for it.
const OLD_TAGS: [[u8; 2]; 2] = [[0x91, 0x00], [0x92, 0x00]];
const PPPOE: [u8; 2] = [0x88, 0x64];
const MPLS: [[u8; 2]; 2] = [[0x88, 0x47], [0x88, 0x48]];
/// Tags that are looked behind.
const TAGS: usize = 4;
/// And labels of MPLS.
const LABELS: usize = 8;

fn two(frame: &[u8], at: usize) -> Option<[u8; 2]> {
    frame.get(at..)?.first_chunk::<2>().copied()
}

/// Puts a frame into the buffer, with what `PPPoE` or MPLS carries directly behind its Ethernet header.
pub(super) fn put(frame: &[u8], buffer: &mut Vec<u8>) {
    buffer.clear();
    let mut at = HEADER - 2;
    for _ in 0..=TAGS {
        let Some(kind) = two(frame, at) else { break };
        if let Some((ethertype, start)) = carried(kind, frame, at + 2) {
            buffer.extend(&frame[..HEADER - 2]);
            buffer.extend(ethertype);
            buffer.extend(frame.get(start..).unwrap_or_default());
            return;
        }
        if kind != TAG && kind != SERVICE_TAG && !OLD_TAGS.contains(&kind) {
            break;
        }
        at += 4;
    }
    buffer.extend(frame);
    for at in (HEADER - 2..=at).step_by(4) {
        if two(frame, at).is_some_and(|kind| OLD_TAGS.contains(&kind)) {
            buffer[at..at + 2].copy_from_slice(&SERVICE_TAG);
        }
    }
}

/// The `EtherType` of what is carried, and where it begins.
fn carried(kind: [u8; 2], frame: &[u8], at: usize) -> Option<([u8; 2], usize)> {
    if kind == PPPOE {
        // Version, code, session and length; then the protocol of PPP.
        return Some((of_ppp(two(frame, at + 6)?)?, at + 8));
    }
    if !MPLS.contains(&kind) {
        return None;
    }
    for label in 0..LABELS {
        let start = at + label * 4;
        let is_last = frame.get(start + 2)? & 1 == 1;
        if is_last {
            return Some((by_version(*frame.get(start + 4)?)?, start + 4));
        }
    }
    None
}

/// What a protocol number of PPP is as an `EtherType` (RFC 1332, RFC 5072).
pub(super) fn of_ppp(protocol: [u8; 2]) -> Option<[u8; 2]> {
    match protocol {
        [0x00, 0x21] => Some(IPV4),
        [0x00, 0x57] => Some(IPV6),
        _ => None,
    }
}

/// By the version in the first byte of an IP packet.
pub(super) fn by_version(first: u8) -> Option<[u8; 2]> {
    match first >> 4 {
        4 => Some(IPV4),
        6 => Some(IPV6),
        _ => None,
    }
}
