//! The memory that the packet program counts in, as the loader sees it.

use bytemuck::{Pod, cast_slice_mut, zeroed_box};
use sensor_common::transactions::Control;

use super::servers::Servers;

/// The memory of an engine's shards: maps of the kernel, or plain memory.
pub trait State {
    /// How many there are.
    fn cpus(&self) -> u32;

    /// Copies words of a shard from byte `offset` on.
    fn read(&self, cpu: u32, offset: usize, words: &mut [u64]);

    /// Writes words of a shard.
    fn write(&mut self, cpu: u32, offset: usize, words: &[u64]);

    /// What is in the server table of a CPU.
    fn servers(&self, cpu: u32) -> Servers;

    /// As the programs see it now.
    fn control(&self) -> Control;

    /// Changes it.
    fn set_control(&mut self, control: Control);

    /// The time of the transactions, in nanoseconds.
    fn clock(&self) -> u64;
}

/// A record of a shard. Boxed, because it may be larger than a stack should hold.
#[expect(clippy::unnecessary_box_returns, reason = "see above")]
pub(super) fn record<T: Pod>(state: &impl State, cpu: u32, offset: usize) -> Box<T> {
    let mut record: Box<T> = zeroed_box();
    state.read(
        cpu,
        offset,
        cast_slice_mut(std::slice::from_mut(&mut *record)),
    );
    record
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
