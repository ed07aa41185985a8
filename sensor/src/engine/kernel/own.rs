//! The addresses of this host, in a map of the kernel.

use std::collections::BTreeSet;

use aya::maps::{HashMap, Map, MapData, MapError};
use sensor_common::server::ServerKey;

use super::load::chain;

/// The map, and what is in it.
pub(super) struct OwnAddresses {
    map: HashMap<MapData, PodKey, u64>,
    known: BTreeSet<ServerKey>,
    /// What found no place was reported.
    warned: bool,
}

/// `ServerKey` as aya wants it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PodKey(ServerKey);

// SAFETY: `ServerKey` is bytemuck::Pod, which asks for more.
unsafe impl aya::Pod for PodKey {}

impl OwnAddresses {
    /// Of an empty map.
    pub(super) fn new(map: Map) -> Result<Self, MapError> {
        Ok(Self {
            map: map.try_into()?,
            known: BTreeSet::new(),
            warned: false,
        })
    }

    /// Puts these addresses into the map and takes all others out. Whether anything changed.
    pub(super) fn set(&mut self, addresses: &BTreeSet<ServerKey>) -> bool {
        let gone: Vec<ServerKey> = self.known.difference(addresses).copied().collect();
        let mut changed = !gone.is_empty();
        for key in gone {
            // An address that stays in the map does no harm: its bit of the Bloom filter is cleared.
            if let Err(error) = self.map.remove(&PodKey(key)) {
                log::debug!(
                    "cannot remove an address from the kernel's map: {}",
                    chain(&error)
                );
            }
            self.known.remove(&key);
        }
        let new: Vec<ServerKey> = addresses.difference(&self.known).copied().collect();
        for key in new {
            match self.map.insert(PodKey(key), 0, 0) {
                Ok(()) => {
                    changed |= self.known.insert(key);
                }
                Err(error) => self.warn(addresses.len(), &error),
            }
        }
        changed
    }

    /// What is in the map.
    pub(super) fn known(&self) -> &BTreeSet<ServerKey> {
        &self.known
    }

    fn warn(&mut self, addresses: usize, error: &MapError) {
        if !std::mem::replace(&mut self.warned, true) {
            log::warn!(
                "this host has {addresses} addresses, and forged answers are recognised for {} of them: {}",
                self.known.len(),
                chain(error)
            );
        }
    }
}
