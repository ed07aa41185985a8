//! What few packets need in a flood, as functions.
//!
//! Functions with a name of their own are global to the kernel: it verifies them by themselves, for any
//! argument, and not again wherever they are called. What they are given by address may be null
//! for all that the verifier knows, and has no padding.

use sensor_common::server::{ServerEntry, ServerKey, ServerTable, WAYS};
use sensor_common::shard::{Following, Histograms};
use sensor_ebpf::parse::Flags;
use sensor_ebpf::rare::Rare;
use sensor_ebpf::{eviction, outcomes};

use super::store::Table;

impl Rare for Table {
    #[inline(always)]
    fn take_place(&mut self, servers: &mut ServerTable, tag: u64, key: &ServerKey) -> u64 {
        take_place(servers, tag, key)
    }

    #[inline(always)]
    fn follow_query(
        &mut self,
        following: &mut Following,
        histograms: &mut Histograms,
        entry: &mut ServerEntry,
        hash: u64,
    ) {
        follow_query(following, histograms, entry, hash);
    }

    #[inline(always)]
    fn follow_response(
        &mut self,
        histograms: &mut Histograms,
        entry: &mut ServerEntry,
        hash: u64,
        flags: Flags,
    ) {
        follow_response(histograms, entry, hash, u32::from(flags.0));
    }

    #[inline(always)]
    fn follow_error(
        &mut self,
        histograms: &mut Histograms,
        entry: &mut ServerEntry,
        hash: u64,
    ) -> u64 {
        follow_error(histograms, entry, hash)
    }
}

/// [`eviction::take_place`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn take_place(servers: *mut ServerTable, tag: u64, key: *const ServerKey) -> u64 {
    // SAFETY: the kernel passes null or whole values, and so do we, here and below.
    let (Some(servers), Some(key)) = (unsafe { servers.as_mut() }, unsafe { key.as_ref() }) else {
        return WAYS as u64;
    };
    eviction::take_place(servers, tag, key)
}

/// [`outcomes::follow_query`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn follow_query(
    following: *mut Following,
    histograms: *mut Histograms,
    entry: *mut ServerEntry,
    hash: u64,
) -> u64 {
    // SAFETY: as above.
    let values = unsafe { (following.as_mut(), histograms.as_mut(), entry.as_mut()) };
    let (Some(following), Some(histograms), Some(entry)) = values else {
        return 0;
    };
    outcomes::follow_query(&mut Table, following, histograms, entry, hash);
    0
}

/// [`outcomes::follow_response`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn follow_response(
    histograms: *mut Histograms,
    entry: *mut ServerEntry,
    hash: u64,
    flags: u32,
) -> u64 {
    // SAFETY: as above.
    let (Some(histograms), Some(entry)) = (unsafe { (histograms.as_mut(), entry.as_mut()) }) else {
        return 0;
    };
    let flags = Flags(flags as u16);
    outcomes::follow_response(&mut Table, histograms, entry, hash, flags);
    0
}

/// [`outcomes::follow_error`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn follow_error(
    histograms: *mut Histograms,
    entry: *mut ServerEntry,
    hash: u64,
) -> u64 {
    // SAFETY: as above.
    let (Some(histograms), Some(entry)) = (unsafe { (histograms.as_mut(), entry.as_mut()) }) else {
        return 0;
    };
    outcomes::follow_error(&mut Table, histograms, entry, hash)
}
