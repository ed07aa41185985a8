//! The addresses of this host, as the packet program first asks for them.

use std::collections::BTreeSet;

use sensor_common::server::ServerKey;
use sensor_common::transactions::OWN_WORDS;
use sensor_ebpf::forgery::place;

/// The Bloom filter of addresses; see [`sensor_common::transactions::Control::own`].
#[must_use]
pub fn own_words(addresses: &BTreeSet<ServerKey>) -> [u64; OWN_WORDS] {
    let mut words = [0; OWN_WORDS];
    for key in addresses {
        let (word, bit) = place(key);
        words[word] |= bit;
    }
    words
}

/// What follows a [`sensor_common::transactions::Control::own_generation`].
#[must_use]
pub fn next_generation(generation: u32) -> u32 {
    generation.checked_add(1).unwrap_or(1)
}
