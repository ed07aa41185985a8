//! Packets that claim to be of this host and come in from outside: whoever made them wants something to be
//! believed of a server that runs here.
//!
//! An address is looked up once for each server, or sender of errors, and stays cleared until the addresses of
//! this host change.

use sensor_common::server::{ServerEntry, ServerKey};
use sensor_common::transactions::OWN_WORDS;

use crate::address::Address;
use crate::packet::raw64;
use crate::store::{Origin, Shared};

/// Odd, with no structure. No secret: whoever seeks addresses that have the same bit gains a look-up for each packet.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Word and bit of [`sensor_common::transactions::Control::own`] for an address. Where the bit is not set, nearly always,
/// the address is none of this host.
#[inline(always)]
#[must_use]
pub fn place(address: &ServerKey) -> (usize, u64) {
    let word = raw64(&address.address, 0) ^ raw64(&address.address, 8);
    let hash = word.wrapping_mul(FACTOR) >> 32;
    ((hash >> 16) as usize & (OWN_WORDS - 1), 1 << (hash >> 26))
}

/// Whether a response cannot be of the server that it says. `entry` is that server's.
#[inline(always)]
pub fn is_forged_response<A: Address>(
    entry: &mut ServerEntry,
    server: A,
    origin: impl Origin,
    shared: &impl Shared,
) -> bool {
    let generation = shared.own_generation();
    if !origin.is_incoming() || entry.cleared == generation {
        return false;
    }
    if shared.is_own(&server.key()) {
        return origin.is_from_outside();
    }
    // The entry of those without a place is of many.
    if entry.key.family != 0 {
        entry.cleared = generation;
    }
    false
}

/// Whether an ICMP error about a query cannot be of the sender that it says; otherwise the entry of the server that was
/// asked remembers the sender.
#[inline(always)]
pub fn is_forged_error<A: Address>(
    entry: &mut ServerEntry,
    sender: A,
    origin: impl Origin,
    shared: &impl Shared,
) -> bool {
    let generation = shared.own_generation();
    if entry.sender_cleared == generation && sender.is_in(&entry.error_sender) {
        return false;
    }
    if is_forged(sender, origin, shared) {
        return true;
    }
    entry.error_sender = sender.key();
    // The entry of those without a place has senders of both families.
    if entry.key.family != 0 {
        entry.sender_cleared = generation;
    }
    false
}

/// Whether a packet cannot be of the sender that it says.
#[inline(always)]
pub fn is_forged<A: Address>(sender: A, origin: impl Origin, shared: &impl Shared) -> bool {
    origin.is_incoming() && shared.is_own(&sender.key()) && origin.is_from_outside()
}

const _: () = assert!(OWN_WORDS.is_power_of_two());
