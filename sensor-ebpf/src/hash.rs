//! Keyed 64-bit hashes. `tests/hash_quality.rs` holds them to what the sketches need.

// Odd constants with no structure: the golden ratio, and one of the xxHash primes.
const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const LAST: u64 = 0xd6e8_feb8_6659_fd93;

/// One round: multiply, and bring the well-mixed high half down.
#[inline(always)]
#[must_use]
pub fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(FIRST).swap_bytes()
}

/// The low half takes part of the high half again: without it, sequential addresses collide far
/// more often than chance.
#[inline(always)]
#[must_use]
pub fn finish(hash: u64) -> u64 {
    let hash = hash.wrapping_mul(LAST);
    (hash ^ hash >> 32).wrapping_mul(FIRST)
}

/// The same with the high half folded down once more, for use of the lowest bits.
#[inline(always)]
#[must_use]
pub fn fold(hash: u64) -> u64 {
    let hash = finish(hash);
    hash ^ hash >> 32
}
