//! IP addresses as the packet path wants them: words in memory order, and a keyed hash.

use crate::packet::{raw32, raw64};
use sensor_common::server::{FAMILY_V4, FAMILY_V6, ServerKey};

/// An address of either family. The parser is compiled once for each.
pub trait Address: Copy + PartialEq {
    /// The key of the server with this address.
    fn key(self) -> ServerKey;

    /// Whether a key is this address.
    fn is(self, key: &ServerKey) -> bool;

    /// A 64-bit hash under a secret key. The two families are hashed apart.
    fn hash(self, secret: u64) -> u64;
}

/// An IPv4 address, the four bytes as they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V4(pub u32);

/// An IPv6 address, twice eight bytes as they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V6(pub u64, pub u64);

// Odd constants with no structure: the golden ratio, and one of the xxHash primes.
const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const LAST: u64 = 0xd6e8_feb8_6659_fd93;

/// One round: multiply, and bring the well-mixed high half down.
#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(FIRST).swap_bytes()
}

/// The low half takes part of the high half again: without it, sequential addresses collide far
/// more often than chance.
#[inline(always)]
fn finish(hash: u64) -> u64 {
    let hash = hash.wrapping_mul(LAST);
    (hash ^ hash >> 32).wrapping_mul(FIRST)
}

impl Address for V4 {
    #[inline(always)]
    fn is(self, key: &ServerKey) -> bool {
        key.family == FAMILY_V4 && raw32(&key.address, 0) == self.0
    }

    #[inline(always)]
    fn key(self) -> ServerKey {
        let [a, b, c, d] = self.0.to_ne_bytes();
        ServerKey {
            address: [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            family: FAMILY_V4,
            reserved: [0; 7],
        }
    }

    #[inline(always)]
    fn hash(self, secret: u64) -> u64 {
        finish(mix(secret, u64::from(self.0)))
    }
}

impl Address for V6 {
    #[inline(always)]
    fn is(self, key: &ServerKey) -> bool {
        key.family == FAMILY_V6
            && raw64(&key.address, 0) == self.0
            && raw64(&key.address, 8) == self.1
    }

    #[inline(always)]
    fn key(self) -> ServerKey {
        let mut address = [0; 16];
        let (high, low) = address.split_at_mut(8);
        high.copy_from_slice(&self.0.to_ne_bytes());
        low.copy_from_slice(&self.1.to_ne_bytes());
        ServerKey {
            address,
            family: FAMILY_V6,
            reserved: [0; 7],
        }
    }

    #[inline(always)]
    fn hash(self, secret: u64) -> u64 {
        // Finished in between: a flip of the top bit would pass the multiplication alone, and could
        // be cancelled by a flip in the second word.
        finish(mix(finish(mix(!secret, self.0)), self.1))
    }
}
