//! IPv6 extension headers (RFC 8200, 4).

use sensor_common::class::Malformed;
use sensor_common::settings::MAX_EXTENSION_HEADERS;

#[cfg(doc)]
use super::message::Carriage;
use crate::packet::{Packet, raw16};

/// Options that every router reads. A jumbogram has them first.
pub(super) const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

const V6_MORE_FRAGMENTS: u16 = 0x0001_u16.to_be();
const V6_OFFSET: u16 = 0xfff8_u16.to_be();

/// Where the extension headers lead.
pub(super) enum Walk<P> {
    /// To a transport, or to a protocol that is not walked (ESP, a tunnel).
    Transport {
        protocol: u8,
        /// Its first byte.
        payload: P,
        /// Bytes from the first extension header to it.
        offset: usize,
        /// See [`Carriage::more_fragments`].
        more_fragments: u16,
    },
    /// Nowhere: the packet is a fragment without ports.
    LaterFragment,
}

/// Walks IPv6 extension headers from `next` on.
#[inline(always)]
pub(super) fn walk<P: Packet>(start: P, next: u8) -> Result<Walk<P>, Malformed> {
    let mut protocol = next;
    let mut offset = 0;
    let mut more_fragments = 0;
    // An inclusive range would cost six instructions more a round.
    for _ in 0..HEADERS {
        let header = start.skip(offset);
        let kind = EXTENSIONS[usize::from(protocol)];
        if kind == NONE {
            return Ok(Walk::Transport {
                protocol,
                payload: header,
                offset,
                more_fragments,
            });
        }
        let header = header.bytes::<8>().ok_or(Malformed::Ipv6Extension)?;
        let length = match kind {
            IN_EIGHTS => (usize::from(header[1]) + 1) * 8,
            // RFC 4302, 2.2: in words of four bytes, minus two.
            IN_WORDS => (usize::from(header[1]) + 2) * 4,
            _ => {
                let fragment = raw16(header, 2);
                if fragment & V6_OFFSET != 0 {
                    return Ok(Walk::LaterFragment);
                }
                // Neither offset nor more to come: an atomic fragment (RFC 6946), whole.
                more_fragments |= fragment & V6_MORE_FRAGMENTS;
                8
            }
        };
        protocol = header[0];
        offset = start.skip(offset + length).since(start);
        if offset > MAX_EXTENSION_BYTES {
            return Err(Malformed::Ipv6Extension);
        }
    }
    Err(Malformed::Ipv6ExtensionCount)
}

/// For each protocol, whether it is an extension header and how its length is told. A table takes fewer
/// instructions than comparisons.
static EXTENSIONS: [u8; 256] = extensions();
/// Not an extension header.
const NONE: u8 = 0;
/// In units of eight bytes, without the first (RFC 8200, 4.2).
const IN_EIGHTS: u8 = 1;
/// In units of four bytes, without the first two.
const IN_WORDS: u8 = 2;
/// Always eight bytes.
const FIXED: u8 = 3;

const fn extensions() -> [u8; 256] {
    let mut extensions = [NONE; 256];
    extensions[HOP_BY_HOP as usize] = IN_EIGHTS;
    extensions[ROUTING as usize] = IN_EIGHTS;
    extensions[DESTINATION as usize] = IN_EIGHTS;
    extensions[AUTHENTICATION as usize] = IN_WORDS;
    extensions[FRAGMENT as usize] = FIXED;
    extensions
}

/// Headers to look at: the extensions, and what follows the last of them.
const HEADERS: usize = MAX_EXTENSION_HEADERS + 1;

/// Bytes that all extension headers may have together. Eight of the longest are 16,384.
const MAX_EXTENSION_BYTES: usize = 16_384;
