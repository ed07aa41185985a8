//! Who gets a place in the server table, and what becomes of those who lose it.
//!
//! A second chance for places used since the last eviction; what an evicted server had counted is
//! added to `other`. Where all four places are taken, three of four packets of newcomers count in
//! `other` at once: a scan of many addresses cannot drive out the servers that are in use, and pays
//! for an eviction only every fourth time.

use sensor_common::server::{
    SETS, ServerCounters, ServerEntry, ServerKey, ServerSet, ServerTable, WAYS,
};
use sensor_common::transactions::TransactionCounters;

const SET_BITS: u32 = SETS.trailing_zeros();
/// Newcomers' packets of which one takes a place in a full set.
const ADMIT_ONE_IN: u64 = 4;

/// Index of the set in which a server has its place.
#[inline(always)]
#[must_use]
pub fn set_of(tag: u64) -> usize {
    (tag >> (64 - SET_BITS)) as usize
}

/// Whether a packet of a newcomer gives it no place in a set, because all are taken.
#[inline(always)]
pub fn refuses(table: &mut ServerTable, set: usize) -> bool {
    if table.sets[set].tags.contains(&0) {
        return false;
    }
    table.refused += 1;
    !table.refused.is_multiple_of(ADMIT_ONE_IN)
}

/// Gives a place to a new server: its way. Rare: the kernel's half makes it a function of its own.
#[inline(always)]
pub fn take_place(table: &mut ServerTable, tag: u64, key: &ServerKey) -> u64 {
    let at = set_of(tag);
    let set = &mut table.sets[at];
    // Masked where the compiler cannot drop the mask, so that the verifier has a bound.
    let way = core::hint::black_box(victim(set)) & (WAYS - 1);
    if set.tags[way] != 0 {
        table.evicted += 1;
    }
    // A reader in userspace that sees an odd or a changed sequence reads the set again.
    set.sequence = set.sequence.wrapping_add(1);
    barrier();
    let entry = &mut table.places[at][way];
    if set.tags[way] != 0 {
        drain(&mut table.other, entry);
    }
    set.tags[way] = tag;
    entry.key = *key;
    entry.error_sender.family = 0;
    entry.cleared = 0;
    entry.sender_cleared = 0;
    entry.histogram = 0;
    entry.tenure = set.sequence;
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

/// Moves what one server had counted to a sum.
#[inline(always)]
fn drain(sum: &mut ServerEntry, of: &mut ServerEntry) {
    for (sum, of) in sum.cohorts.iter_mut().zip(&mut of.cohorts) {
        sum.asked = sum.asked.wrapping_add(core::mem::take(&mut of.asked));
        sum.open = sum.open.wrapping_add(core::mem::take(&mut of.open));
        sum.errored = sum.errored.wrapping_add(core::mem::take(&mut of.errored));
    }
    barrier();
    let (sum, of) = (&mut sum.counters, &mut of.counters);
    take_all(&mut sum.rcode, &mut of.rcode);
    take_all(&mut sum.tcp, &mut of.tcp);
    take_all(&mut sum.errors, &mut of.errors);
    take_all(&mut sum.errors_matched, &mut of.errors_matched);
    take_all(&mut sum.backscatter, &mut of.backscatter);
    take_all(&mut sum.answers_by_rcode, &mut of.answers_by_rcode);
    take_all(&mut sum.latency, &mut of.latency);
    // All fields are named, so that a new one is not forgotten.
    let ServerCounters {
        queries,
        responses,
        query_bytes,
        response_bytes,
        rcode: _,
        truncated,
        tcp: _,
        errors: _,
        errors_from_server,
        errors_unverifiable,
        garbage,
        backscatter: _,
        errors_matched: _,
        transactions,
        answers_by_rcode: _,
        answers_truncated,
        latency: _,
    } = of;
    let TransactionCounters {
        sent,
        answered,
        late,
        errored,
        untracked,
        retransmitted,
        duplicate,
        unmatched,
        obscured,
    } = transactions;
    for (sum, of) in [
        (&mut sum.queries, queries),
        (&mut sum.responses, responses),
        (&mut sum.query_bytes, query_bytes),
        (&mut sum.response_bytes, response_bytes),
        (&mut sum.truncated, truncated),
        (&mut sum.errors_from_server, errors_from_server),
        (&mut sum.errors_unverifiable, errors_unverifiable),
        (&mut sum.garbage, garbage),
        (&mut sum.answers_truncated, answers_truncated),
    ] {
        *sum += core::mem::take(of);
    }
    barrier();
    let sum = &mut sum.transactions;
    for (sum, of) in [
        (&mut sum.sent, sent),
        (&mut sum.answered, answered),
        (&mut sum.late, late),
        (&mut sum.errored, errored),
        (&mut sum.untracked, untracked),
        (&mut sum.retransmitted, retransmitted),
        (&mut sum.duplicate, duplicate),
        (&mut sum.unmatched, unmatched),
        (&mut sum.obscured, obscured),
    ] {
        *sum += core::mem::take(of);
    }
}

/// The fence keeps the compiler from clearing everything at the end in one loop of single bytes.
#[inline(always)]
fn take_all<const N: usize>(sums: &mut [u64; N], of: &mut [u64; N]) {
    for (sum, of) in sums.iter_mut().zip(of) {
        *sum += core::mem::take(of);
    }
    barrier();
}
