//! Reading map values that the kernel writes meanwhile.
//!
//! Arrays are mapped into memory: a read costs no system call. Each counter is one aligned word that
//! one CPU writes, so each is whole; a server's entry is read again if it was given to another
//! server meanwhile.

use std::marker::PhantomData;
use std::mem::offset_of;
use std::os::fd::{AsFd, AsRawFd};

use bytemuck::AnyBitPattern;
use memmap2::{MmapOptions, MmapRaw};
use sensor_common::server::{SETS, ServerEntry, ServerSet, ServerTable, WAYS};
use sensor_common::shard::Shard;

use crate::engine::maintenance::Servers;

/// Times that a set is read again while it is being written; then the newest reading is taken.
const RETRIES: usize = 8;

/// An array map of `T`, mapped into memory.
pub struct MappedArray<T> {
    memory: MmapRaw,
    length: u32,
    of: PhantomData<T>,
}

impl<T: AnyBitPattern> MappedArray<T> {
    /// Maps `length` values of the array behind a descriptor.
    ///
    /// # Errors
    /// From the system.
    pub fn new(descriptor: impl AsFd, length: u32) -> std::io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() <= 8) };
        let memory = MmapOptions::new()
            .len(size_of::<T>() * length as usize)
            .map_raw(descriptor.as_fd().as_raw_fd())?;
        Ok(Self {
            memory,
            length,
            of: PhantomData,
        })
    }

    /// The word at byte `offset` of the value at `index`, and `count` words behind it.
    ///
    /// # Panics
    /// Beyond the array: a bug.
    fn place(&self, index: u32, offset: usize, count: usize) -> *mut u64 {
        assert!(
            index < self.length && offset + count * 8 <= size_of::<T>() && offset.is_multiple_of(8)
        );
        let start = size_of::<T>() * index as usize + offset;
        // SAFETY: inside the mapping, by the assertion; aligned, because a mapping begins with a page.
        unsafe { self.memory.as_mut_ptr().add(start).cast() }
    }

    /// Copies words of the value at `index`, from byte `offset` on.
    pub fn read(&self, index: u32, offset: usize, words: &mut [u64]) {
        let place = self.place(index, offset, words.len());
        for (at, word) in words.iter_mut().enumerate() {
            // SAFETY: inside the mapping and aligned; volatile because the kernel writes it.
            *word = unsafe { place.add(at).read_volatile() };
        }
    }

    /// Writes words of the value at `index`, from byte `offset` on.
    pub fn write(&mut self, index: u32, offset: usize, words: &[u64]) {
        let place = self.place(index, offset, words.len());
        for (at, word) in words.iter().enumerate() {
            // SAFETY: as above.
            unsafe { place.add(at).write_volatile(*word) };
        }
    }

    /// Copies a part of the value at `index`.
    fn part<P: bytemuck::Pod>(&self, index: u32, offset: usize) -> P {
        let mut part = P::zeroed();
        let words: &mut [u64] = bytemuck::cast_slice_mut(std::slice::from_mut(&mut part));
        self.read(index, offset, words);
        part
    }
}

impl<T: bytemuck::Pod> MappedArray<T> {
    /// A copy of the value at `index`.
    #[must_use]
    pub fn get(&self, index: u32) -> T {
        self.part(index, 0)
    }
}

impl MappedArray<Shard> {
    /// What is in the server table of a CPU. Sets that nobody uses are not read.
    #[must_use]
    pub fn servers(&self, cpu: u32) -> Servers {
        let servers = self.read_servers(cpu);
        // If a server lost its place meanwhile, its counts may be missing or there twice. Once more, and
        // not until it is quiet: in a scan of many servers it never is.
        let evicted = SERVERS + offset_of!(ServerTable, evicted);
        if self.part::<u64>(cpu, evicted) == servers.evicted {
            servers
        } else {
            self.read_servers(cpu)
        }
    }

    fn read_servers(&self, cpu: u32) -> Servers {
        let mut servers = Servers {
            evicted: self.part(cpu, SERVERS + offset_of!(ServerTable, evicted)),
            refused: self.part(cpu, SERVERS + offset_of!(ServerTable, refused)),
            other: self.part(cpu, SERVERS + offset_of!(ServerTable, other)),
            places: Vec::new(),
        };
        for at in 0..SETS {
            let offset = SERVERS + offset_of!(ServerTable, sets) + at * size_of::<ServerSet>();
            let set: ServerSet = self.part(cpu, offset);
            if set.tags.iter().all(|tag| *tag == 0) {
                continue;
            }
            let (set, places) = self.set(cpu, at);
            servers.add(&set, &places);
        }
        servers
    }

    fn set(&self, cpu: u32, at: usize) -> (ServerSet, [ServerEntry; WAYS]) {
        let set_at = SERVERS + offset_of!(ServerTable, sets) + at * size_of::<ServerSet>();
        let places_at =
            SERVERS + offset_of!(ServerTable, places) + at * size_of::<[ServerEntry; WAYS]>();
        let mut tries = 0;
        loop {
            let before: ServerSet = self.part(cpu, set_at);
            let places = self.part(cpu, places_at);
            let after: ServerSet = self.part(cpu, set_at);
            tries += 1;
            let still = before.sequence == after.sequence && before.tags == after.tags;
            if tries == RETRIES || (still && after.sequence.is_multiple_of(2)) {
                return (after, places);
            }
        }
    }
}

/// Where the server table lies in a shard.
const SERVERS: usize = offset_of!(Shard, servers);
