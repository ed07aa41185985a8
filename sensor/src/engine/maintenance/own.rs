//! The addresses of this host, as the packet program first asks for them.

use std::collections::BTreeSet;

use sensor_common::server::{FAMILY_V4, ServerKey};
use sensor_common::transactions::OWN_WORDS;
use sensor_ebpf::address::{V4, V6};
use sensor_ebpf::forgery::place;
use sensor_ebpf::packet::{raw32, raw64};

/// The Bloom filter of addresses; see [`sensor_common::transactions::Control::own`].
#[must_use]
pub fn own_words(addresses: &BTreeSet<ServerKey>) -> [u64; OWN_WORDS] {
    let mut words = [0; OWN_WORDS];
    for key in addresses {
        let bytes = &key.address;
        let (word, bit) = if key.family == FAMILY_V4 {
            place(V4(raw32(bytes, 0)))
        } else {
            place(V6(raw64(bytes, 0), raw64(bytes, 8)))
        };
        words[word] |= bit;
    }
    words
}
