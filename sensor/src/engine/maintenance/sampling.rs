//! The share of transactions that are sampled.

use std::collections::VecDeque;
use std::mem::offset_of;

use bytemuck::Zeroable;
use sensor_common::class::SampleKind;
use sensor_common::sample::SAMPLES_PER_TICK;
use sensor_common::shard::{Sampling, Shard};
use sensor_common::transactions::MAX_SHIFT;

use super::state::{State, read};

/// Where the counters of samples lie in a shard.
pub(super) const SAMPLING: usize = offset_of!(Shard, sampling);

/// Kept for a CPU in a tick: what some 64 transactions have in packets. The busiest CPU counts.
const TARGET: u64 = 128;
/// Above it, packets found no token and their transactions are incomplete.
const TOO_MANY: u64 = SAMPLES_PER_TICK[SampleKind::Transaction.index()];
/// Below it, the share may double.
const FEW: u64 = TARGET / 2;
/// Ticks over which it must have been so: 2 s.
const CALM_TICKS: usize = 8;

/// Halves the share where a CPU had too many in a tick, and doubles it when there have been few for a while.
#[derive(Default)]
pub(super) struct SamplingRate {
    /// Packets of chosen transactions in each of the last ticks, on the CPU that had most.
    recent: VecDeque<u64>,
    /// By CPU, what found no token up to the last tick.
    capped: Vec<u64>,
}

impl SamplingRate {
    /// The shift for the next tick. Before the tokens are refilled.
    pub(super) fn tick(&mut self, state: &impl State, shift: u32) -> u32 {
        self.capped.resize(state.cpus() as usize, 0);
        let most = (0..state.cpus())
            .zip(&mut self.capped)
            .map(|(cpu, before)| {
                let of = SampleKind::Transaction.index();
                let mut sampling = Sampling::zeroed();
                read(state, cpu, SAMPLING, &mut sampling);
                let taken = SAMPLES_PER_TICK[of].saturating_sub(sampling.tokens[of]);
                let capped = sampling.capped[of].wrapping_sub(*before);
                *before = sampling.capped[of];
                taken + capped
            });
        let most = most.max().unwrap_or(0);
        self.adapt(shift, most)
    }

    fn adapt(&mut self, shift: u32, chosen: u64) -> u32 {
        if chosen > TOO_MANY {
            self.recent.clear();
            return (shift + (chosen / TARGET).ilog2()).min(MAX_SHIFT);
        }
        if self.recent.len() == CALM_TICKS {
            self.recent.pop_front();
        }
        self.recent.push_back(chosen);
        let most = self.recent.iter().copied().max().unwrap_or(0).max(1);
        if shift == 0 || self.recent.len() < CALM_TICKS || most >= FEW {
            return shift;
        }
        self.recent.clear();
        shift.saturating_sub((TARGET / most).ilog2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shift after so many ticks with as many packets each.
    fn run(rate: &mut SamplingRate, shift: u32, ticks: usize, packets: u64) -> u32 {
        (0..ticks).fold(shift, |shift, _| rate.adapt(shift, packets >> shift))
    }

    #[test]
    fn about_64_transactions_a_tick_are_sampled_at_any_rate() {
        for packets in [257, 1_000, 20_000, 1_000_000, 5_000_000] {
            let mut rate = SamplingRate::default();
            let shift = run(&mut rate, 0, 2, packets);
            let sampled = packets >> shift;
            assert!(
                (FEW..=TOO_MANY).contains(&sampled),
                "{sampled} of {packets}"
            );
            assert_eq!(run(&mut rate, shift, 100, packets), shift, "it stays");
        }
    }

    #[test]
    fn a_low_rate_is_sampled_whole() {
        let mut rate = SamplingRate::default();
        assert_eq!(run(&mut rate, 0, 100, TOO_MANY), 0);
        let shift = run(&mut rate, 0, 2, 1_000_000);
        assert_eq!(run(&mut rate, shift, CALM_TICKS - 1, 20), shift, "it waits");
        assert_eq!(run(&mut rate, shift, 8 * CALM_TICKS, 20), 0);
    }

    #[test]
    fn one_burst_in_a_calm_keeps_the_share() {
        let mut rate = SamplingRate::default();
        let shift = run(&mut rate, 0, 2, 20_000);
        for tick in 0..100 {
            let packets = if tick % 5 == 0 { 20_000 } else { 100 };
            assert_eq!(rate.adapt(shift, packets >> shift), shift);
        }
    }
}
