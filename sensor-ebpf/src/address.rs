//! IP addresses as the packet path wants them: words in memory order, and a keyed hash.

use sensor_common::server::{FAMILY_V4, FAMILY_V6, ServerKey};

use crate::hash::{finish, mix};
use crate::packet::{raw32, raw64};

/// An address as it lies in memory; of IPv4 only the lower half of the first word is used.
pub type Words = [u64; 2];

/// An address of either family. Accounting is compiled once for each.
pub trait Address: Copy + PartialEq {
    /// From what the parser found.
    fn new(words: Words) -> Self;

    /// The key of the server with this address.
    fn key(self) -> ServerKey;

    /// Whether a key is this address.
    fn is(self, key: &ServerKey) -> bool;

    /// The same where the key is known to be of this family.
    fn is_in(self, key: &ServerKey) -> bool;

    /// A 64-bit hash under a secret key. The two families are hashed apart.
    fn hash(self, secret: u64) -> u64;

    /// A hash of the network it is in: /24 of IPv4, /56 of IPv6.
    fn prefix_hash(self, secret: u64) -> u64;
}

/// The key of an address whose family is known only at run time.
#[inline(always)]
#[must_use]
pub fn key(words: Words, family: u16) -> ServerKey {
    if family == u16::from(FAMILY_V4) {
        V4::new(words).key()
    } else {
        V6::new(words).key()
    }
}

/// The hash of such an address; see [`Address::hash`].
#[inline(always)]
#[must_use]
pub fn hash(words: Words, family: u16, secret: u64) -> u64 {
    if family == u16::from(FAMILY_V4) {
        V4::new(words).hash(secret)
    } else {
        V6::new(words).hash(secret)
    }
}

/// Whether two keys are the same.
#[inline(always)]
#[must_use]
pub fn is_same(one: &ServerKey, other: &ServerKey) -> bool {
    one.family == other.family
        && raw64(&one.address, 0) == raw64(&other.address, 0)
        && raw64(&one.address, 8) == raw64(&other.address, 8)
}

/// An IPv4 address, the four bytes as they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V4(pub u32);

/// An IPv6 address, twice eight bytes as they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V6(pub u64, pub u64);

const V4_PREFIX: u32 = 0xffff_ff00_u32.to_be();
const V6_PREFIX: u64 = 0xffff_ffff_ffff_ff00_u64.to_be();

impl Address for V4 {
    #[inline(always)]
    fn new(words: Words) -> Self {
        Self(words[0] as u32)
    }

    #[inline(always)]
    fn is(self, key: &ServerKey) -> bool {
        key.family == FAMILY_V4 && self.is_in(key)
    }

    #[inline(always)]
    fn is_in(self, key: &ServerKey) -> bool {
        raw32(&key.address, 0) == self.0
    }

    #[inline(always)]
    fn key(self) -> ServerKey {
        let [a, b, c, d] = self.0.to_ne_bytes();
        ServerKey::new([u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0]), 0], FAMILY_V4)
    }

    #[inline(always)]
    fn hash(self, secret: u64) -> u64 {
        finish(mix(secret, u64::from(self.0)))
    }

    #[inline(always)]
    fn prefix_hash(self, secret: u64) -> u64 {
        // Bit 32 keeps it apart from the hash of the address that ends in 0.
        finish(mix(secret, u64::from(self.0 & V4_PREFIX) | 1 << 32))
    }
}

impl Address for V6 {
    #[inline(always)]
    fn new(words: Words) -> Self {
        Self(words[0], words[1])
    }

    #[inline(always)]
    fn is(self, key: &ServerKey) -> bool {
        key.family == FAMILY_V6 && self.is_in(key)
    }

    #[inline(always)]
    fn is_in(self, key: &ServerKey) -> bool {
        raw64(&key.address, 0) == self.0 && raw64(&key.address, 8) == self.1
    }

    #[inline(always)]
    fn key(self) -> ServerKey {
        ServerKey::new([self.0, self.1], FAMILY_V6)
    }

    #[inline(always)]
    fn hash(self, secret: u64) -> u64 {
        // Finished in between: a flip of the top bit would pass the multiplication alone, and could
        // be cancelled by a flip in the second word.
        finish(mix(finish(mix(!secret, self.0)), self.1))
    }

    #[inline(always)]
    fn prefix_hash(self, secret: u64) -> u64 {
        finish(mix(!secret, self.0 & V6_PREFIX))
    }
}
