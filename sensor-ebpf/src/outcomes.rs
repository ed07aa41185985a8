//! What the outcome of a transaction adds to its server. Only followed transactions come here.

use sensor_common::latency::{BUCKETS, COARSE_BUCKETS, FINE_PER_COARSE, bucket};
use sensor_common::server::{ServerEntry, ServerKey};
use sensor_common::shard::{Following, HISTOGRAMS, Histogram, Histograms};

use crate::hash::mix;
use crate::packet::raw64;
use crate::parse::Flags;
use crate::store::Shared;
use crate::transactions::{self, Event, kind};

/// Most that a histogram's credit grows to: so many answers of others take it from an idle server.
const MAX_CREDIT: u32 = 4096;

/// Follows a query, and counts that for its server. Rare: the kernel's half makes it a function of
/// its own.
#[inline(always)]
pub fn follow_query<S: Shared>(
    table: &mut S,
    following: &mut Following,
    histograms: &mut Histograms,
    entry: &mut ServerEntry,
    hash: u64,
) {
    let event = transactions::begin(table, following, hash);
    note(entry, histograms, event);
}

/// The same for a response.
#[inline(always)]
pub fn follow_response<S: Shared>(
    table: &mut S,
    histograms: &mut Histograms,
    entry: &mut ServerEntry,
    hash: u64,
    flags: Flags,
) {
    let event = transactions::end(table, hash);
    note(entry, histograms, event);
    if event.is_answer() {
        let counters = &mut entry.counters;
        counters.answers_by_rcode[flags.rcode()] += event.weight();
        if flags.is_truncated() {
            counters.answers_truncated += event.weight();
        }
    }
}

/// The same for an ICMP error; 1 if it ended a transaction.
#[inline(always)]
pub fn follow_error<S: Shared>(
    table: &mut S,
    histograms: &mut Histograms,
    entry: &mut ServerEntry,
    hash: u64,
) -> u64 {
    let event = transactions::error(table, hash);
    note(entry, histograms, event);
    u64::from(!event.is_nothing())
}

/// Counts an event for a server.
#[inline(always)]
fn note(entry: &mut ServerEntry, histograms: &mut Histograms, event: Event) {
    let weight = event.weight();
    let transactions = &mut entry.counters.transactions;
    let counter = match event.kind() {
        kind::SENT => {
            let cohort = &mut entry.cohorts[event.slot()];
            cohort.open = cohort.open.wrapping_add(weight as u32);
            cohort.asked = cohort.asked.wrapping_add(weight as u32);
            &mut transactions.sent
        }
        kind::ANSWERED => &mut transactions.answered,
        kind::LATE => &mut transactions.late,
        kind::ERRORED => &mut transactions.errored,
        kind::RETRANSMITTED => &mut transactions.retransmitted,
        kind::DUPLICATE => &mut transactions.duplicate,
        kind::UNMATCHED => &mut transactions.unmatched,
        kind::UNTRACKED => &mut transactions.untracked,
        kind::OBSCURED => &mut transactions.obscured,
        _ => return,
    };
    *counter += weight;
    if matches!(event.kind(), kind::ANSWERED | kind::ERRORED) {
        let cohort = &mut entry.cohorts[event.slot()];
        cohort.open = cohort.open.wrapping_sub(weight as u32);
        if event.kind() == kind::ERRORED {
            cohort.errored = cohort.errored.wrapping_add(weight as u32);
        }
    }
    if event.is_answer() {
        answered(entry, histograms, event);
    }
}

#[inline(always)]
fn answered(entry: &mut ServerEntry, histograms: &mut Histograms, event: Event) {
    let fine = bucket(event.units());
    let coarse = (core::hint::black_box(fine) / FINE_PER_COARSE) & 15;
    if coarse < COARSE_BUCKETS {
        entry.counters.latency[coarse] += event.weight();
    }
    if entry.key.family == 0 {
        return;
    }
    let mut at = entry.histogram as usize;
    if at == 0 {
        at = find(histograms, &entry.key);
        entry.histogram = at as u32;
    }
    let Some(place) = histograms.places.get_mut((at - 1) & (HISTOGRAMS - 1)) else {
        return;
    };
    if place.key != entry.key {
        if place.credit != 0 {
            place.credit -= 1;
            if place.credit != 0 {
                return;
            }
        }
        if place.key.family != 0 {
            histograms.replaced += 1;
        }
        take(place, entry);
    }
    if place.credit < MAX_CREDIT {
        place.credit += 1;
    }
    let fine = core::hint::black_box(fine) & 255;
    if fine < BUCKETS {
        place.buckets[fine] = place.buckets[fine].wrapping_add(event.weight() as u32);
    }
}

/// A place that nobody has had yet, or, when there is none, one to dispute. Counted from 1.
#[inline(always)]
fn find(histograms: &mut Histograms, server: &ServerKey) -> usize {
    if (histograms.assigned as usize) < HISTOGRAMS {
        histograms.assigned += 1;
        return histograms.assigned as usize;
    }
    let bytes = &server.address;
    let hash = mix(raw64(bytes, 0), raw64(bytes, 8));
    1 + hash as usize % HISTOGRAMS
}

/// The buckets go on from where they are: clearing them would cost more than all else, and a reader
/// who sees another owner, or another sequence, begins anew.
#[inline(always)]
fn take(place: &mut Histogram, entry: &ServerEntry) {
    place.sequence = place.sequence.wrapping_add(1);
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    place.key = entry.key;
    place.credit = 0;
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    place.sequence = place.sequence.wrapping_add(1);
}
