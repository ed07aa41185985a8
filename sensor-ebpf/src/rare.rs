//! What few packets need in a flood. At a low rate every transaction is followed.

use sensor_common::server::{ServerEntry, ServerKey, ServerTable};
use sensor_common::shard::{Following, Histograms};

use crate::eviction;
use crate::outcomes;
use crate::parse::Flags;
use crate::store::Shared;

/// The kernel's half makes each a function that is verified by itself: the verifier
/// would otherwise follow it anew from each place in the program.
pub trait Rare: Shared + Sized {
    /// See [`eviction::take_place`].
    #[inline(always)]
    fn take_place(&mut self, servers: &mut ServerTable, tag: u64, key: &ServerKey) -> u64 {
        eviction::take_place(servers, tag, key)
    }

    /// See [`outcomes::follow_query`].
    #[inline(always)]
    fn follow_query(
        &mut self,
        following: &mut Following,
        histograms: &mut Histograms,
        entry: &mut ServerEntry,
        hash: u64,
    ) {
        outcomes::follow_query(self, following, histograms, entry, hash);
    }

    /// See [`outcomes::follow_response`].
    #[inline(always)]
    fn follow_response(
        &mut self,
        histograms: &mut Histograms,
        entry: &mut ServerEntry,
        hash: u64,
        flags: Flags,
    ) {
        outcomes::follow_response(self, histograms, entry, hash, flags);
    }

    /// See [`outcomes::follow_error`].
    #[inline(always)]
    fn follow_error(
        &mut self,
        histograms: &mut Histograms,
        entry: &mut ServerEntry,
        hash: u64,
    ) -> u64 {
        outcomes::follow_error(self, histograms, entry, hash)
    }
}
