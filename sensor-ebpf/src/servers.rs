//! Look-up and eviction in the server table.
//!
//! Kernel LRU maps cost three times as much and evict without telling. This table is 4-way
//! set-associative with a second chance for places used since the last eviction, and what an
//! evicted server had counted is added to `other`.

use sensor_common::server::{
    SETS, ServerCounters, ServerEntry, ServerKey, ServerSet, ServerTable, WAYS,
};

use crate::address::Address;

const SET_BITS: u32 = SETS.trailing_zeros();

/// The entry of a server; takes a place for it if it has none.
#[inline(always)]
pub fn entry<A: Address>(table: &mut ServerTable, server: A, secret: u64) -> &mut ServerEntry {
    // 0 marks an unused place.
    let tag = server.hash(secret) | 1;
    let ServerTable {
        evicted,
        other,
        sets,
    } = table;
    let set = &mut sets[(tag >> (64 - SET_BITS)) as usize];
    // The tag alone would do but for collisions, which can be sought by whoever learns the secret.
    let holds = |way: usize| set.tags[way] == tag && server.is(&set.entries[way].key);
    let way = if holds(0) {
        0
    } else if holds(1) {
        1
    } else if holds(2) {
        2
    } else if holds(3) {
        3
    } else {
        let key = server.key();
        (take(set, tag, &key, evicted, other) as usize) & (WAYS - 1)
    };
    set.used[way] = 1;
    &mut set.entries[way]
}

/// Gives a place of the set to a new server. A call, because it is rare and would otherwise stand in
/// the program once for each kind of packet.
#[inline(never)]
fn take(
    set: &mut ServerSet,
    tag: u64,
    key: &ServerKey,
    evicted: &mut u64,
    other: &mut ServerCounters,
) -> u64 {
    // Masked where the compiler cannot drop the mask, so that the verifier has a bound.
    let way = core::hint::black_box(victim(set)) & (WAYS - 1);
    if set.tags[way] != 0 {
        *evicted += 1;
        add(other, &set.entries[way].counters);
    }
    // A reader in userspace that sees an odd or a changed sequence reads the set again.
    set.sequence = set.sequence.wrapping_add(1);
    barrier();
    set.tags[way] = tag;
    let entry = &mut set.entries[way];
    entry.key = *key;
    entry.error_sender.family = 0;
    clear(&mut entry.counters);
    barrier();
    set.sequence = set.sequence.wrapping_add(1);
    way as u64
}

/// The first place not used since the hand last passed; if all were, all lose their mark.
#[inline(always)]
fn victim(set: &mut ServerSet) -> usize {
    for way in 0..WAYS - 1 {
        if set.used[way] == 0 {
            return way;
        }
    }
    for way in 0..WAYS - 1 {
        set.used[way] = 0;
    }
    WAYS - 1
}

/// Keeps the compiler from moving stores of an eviction across its sequence numbers. x86 keeps the
/// order of stores by itself; on other CPUs a reader may at worst take one torn entry for a tick.
#[inline(always)]
fn barrier() {
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
}

#[inline(always)]
fn clear(counters: &mut ServerCounters) {
    let ServerCounters {
        queries,
        responses,
        query_bytes,
        response_bytes,
        rcode,
        truncated,
        tcp,
        errors,
        errors_from_server,
        errors_unverifiable,
        backscatter,
    } = counters;
    for counter in [
        queries,
        responses,
        query_bytes,
        response_bytes,
        truncated,
        errors_from_server,
        errors_unverifiable,
        backscatter,
    ] {
        *counter = 0;
    }
    rcode.fill(0);
    tcp.fill(0);
    errors.fill(0);
}

/// Adds one server's counters to a sum.
#[inline(always)]
pub fn add(sum: &mut ServerCounters, of: &ServerCounters) {
    sum.queries += of.queries;
    sum.responses += of.responses;
    sum.query_bytes += of.query_bytes;
    sum.response_bytes += of.response_bytes;
    for (sum, of) in sum.rcode.iter_mut().zip(&of.rcode) {
        *sum += of;
    }
    sum.truncated += of.truncated;
    for (sum, of) in sum.tcp.iter_mut().zip(&of.tcp) {
        *sum += of;
    }
    for (sum, of) in sum.errors.iter_mut().zip(&of.errors) {
        *sum += of;
    }
    sum.errors_from_server += of.errors_from_server;
    sum.errors_unverifiable += of.errors_unverifiable;
    sum.backscatter += of.backscatter;
}
