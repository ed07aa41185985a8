//! Look-up in the server table.
//!
//! Kernel LRU maps cost three times as much and evict without telling. This table is 4-way
//! set-associative; see [`crate::eviction`] for who has a place.

use sensor_common::server::{ServerEntry, ServerKey, ServerTable, WAYS};

use crate::address::{Address, is_same};
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
    find(table, hash, |key| server.is(key), || server.key(), shared)
}

/// The same for a server whose family is known only at run time: its code is there once.
#[inline(always)]
pub fn entry_of<'t, S: Rare>(
    table: &'t mut ServerTable,
    server: &ServerKey,
    hash: u64,
    shared: &mut S,
) -> &'t mut ServerEntry {
    find(table, hash, |key| is_same(key, server), || *server, shared)
}

#[inline(always)]
fn find<'t, S: Rare>(
    table: &'t mut ServerTable,
    hash: u64,
    is: impl Fn(&ServerKey) -> bool,
    key: impl Fn() -> ServerKey,
    shared: &mut S,
) -> &'t mut ServerEntry {
    // 0 marks an unused place.
    let tag = hash | 1;
    let at = set_of(tag);
    let (set, places) = (&table.sets[at], &table.places[at]);
    // The tag alone would do but for collisions, which can be sought by whoever learns the secret.
    let holds = |way: usize| set.tags[way] == tag && is(&places[way].key);
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
        match shared.take_place(table, tag, &key()) as usize {
            way if way < WAYS => way,
            _ => return &mut table.other,
        }
    };
    table.sets[at].used[way] = 1;
    &mut table.places[at][way]
}
