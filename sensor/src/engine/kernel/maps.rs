//! Reading map values that the kernel writes meanwhile.
//!
//! Arrays are mapped into memory: a read costs no system call. Each counter is one aligned word that
//! one CPU writes, so each is whole.

use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd};

use bytemuck::AnyBitPattern;
use memmap2::{MmapOptions, MmapRaw};

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

    /// Writes one byte of the value at `index`.
    pub fn write_byte(&mut self, index: u32, offset: usize, byte: u8) {
        let word: *mut u8 = self.place(index, offset - offset % 8, 1).cast();
        // SAFETY: inside the word, which is inside the mapping.
        unsafe { word.add(offset % 8).write_volatile(byte) };
    }
}
