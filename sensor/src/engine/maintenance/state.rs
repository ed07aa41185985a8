//! The memory that the packet program counts in, as the loader sees it.

use bytemuck::{Pod, cast_slice_mut};
use sensor_common::transactions::Control;

/// The memory of an engine's shards: maps of the kernel, or plain memory.
pub trait State {
    /// How many there are.
    fn cpus(&self) -> u32;

    /// Copies words of a shard from byte `offset` on.
    fn read(&self, cpu: u32, offset: usize, words: &mut [u64]);

    /// Writes words of a shard.
    fn write(&mut self, cpu: u32, offset: usize, words: &[u64]);

    /// Writes one byte of a shard: the programs write those beside it meanwhile.
    fn write_byte(&mut self, cpu: u32, offset: usize, byte: u8);

    /// Writes zeros over so many words of a shard.
    fn clear(&mut self, cpu: u32, offset: usize, words: usize) {
        let zeros = [0; 512];
        for at in (0..words).step_by(zeros.len()) {
            let zeros = &zeros[..zeros.len().min(words - at)];
            self.write(cpu, offset + at * 8, zeros);
        }
    }

    /// As the programs see it now.
    fn control(&self) -> Control;

    /// Changes it.
    fn set_control(&mut self, control: Control);

    /// The time of the transactions, in nanoseconds.
    fn clock(&self) -> u64;

    /// Frames counted so far by all CPUs, where that is known: while it stays the same nothing else has changed, and
    /// need not be read.
    fn frames(&self) -> Option<u64> {
        None
    }
}

/// Copies a record of a shard.
pub(super) fn read<T: Pod>(state: &impl State, cpu: u32, offset: usize, record: &mut T) {
    state.read(cpu, offset, cast_slice_mut(std::slice::from_mut(record)));
}

/// A counter of all shards together.
pub(super) fn sum(state: &impl State, offset: usize) -> u64 {
    let mut word = [0];
    (0..state.cpus())
        .map(|cpu| {
            state.read(cpu, offset, &mut word);
            word[0]
        })
        .sum()
}
