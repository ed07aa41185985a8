//! Packets that claim to be of this host and come in from outside: whoever made them wants something to be
//! believed of a server that runs here.

use sensor_common::transactions::OWN_WORDS;

use crate::address::Address;
use crate::store::Store;

/// Odd, with no structure. No secret: whoever seeks addresses that have the same bit gains a look-up for each packet.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Word and bit of [`sensor_common::transactions::Control::own`] for an address.
#[inline(always)]
#[must_use]
pub fn place<A: Address>(address: A) -> (usize, u64) {
    let hash = address.folded().wrapping_mul(FACTOR) >> 32;
    ((hash >> 16) as usize & (OWN_WORDS - 1), 1 << (hash >> 26))
}

/// Whether the sender of a packet cannot have sent it.
#[inline(always)]
pub fn is_forged<A: Address, S: Store>(store: &S, sender: A) -> bool {
    let (word, bit) = place(sender);
    // Nearly always the first test tells.
    store.own_word(word) & bit != 0 && store.is_from_outside() && store.is_own(&sender.key())
}

const _: () = assert!(OWN_WORDS.is_power_of_two());
