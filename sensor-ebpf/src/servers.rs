//! Look-up in the server table.
//!
//! Kernel LRU maps cost three times as much and evict without telling. This table is 4-way
//! set-associative; see [`crate::eviction`] for who has a place.

use sensor_common::server::{ServerEntry, ServerTable, WAYS};

use crate::address::Address;
use crate::eviction::{self, set_of};
use crate::rare::Rare;

/// The entry of a server, or `other`. Takes a place for the server if it has none. `hash` is the
/// server's own.
#[inline(always)]
pub fn entry<'t, A: Address, S: Rare>(
    table: &'t mut ServerTable,
    server: A,
    hash: u64,
    shared: &mut S,
) -> &'t mut ServerEntry {
    // 0 marks an unused place.
    let tag = hash | 1;
    let at = set_of(tag);
    let (set, places) = (&table.sets[at], &table.places[at]);
    // The tag alone would do but for collisions, which can be sought by whoever learns the secret.
    let holds = |way: usize| set.tags[way] == tag && server.is(&places[way].key);
    let way = if holds(0) {
        0
    } else if holds(1) {
        1
    } else if holds(2) {
        2
    } else if holds(3) {
        3
    } else if eviction::refuses(table, at) {
        return &mut table.other;
    } else {
        match shared.take_place(table, tag, &server.key()) as usize {
            way if way < WAYS => way,
            _ => return &mut table.other,
        }
    };
    table.sets[at].used[way] = 1;
    &mut table.places[at][way]
}
