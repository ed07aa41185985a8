//! What the loader does for the packet program four times a second: adapts the sampling rates, refills
//! budgets, and rotates and reads the banks of the sketches.
//!
//! The same for both engines: a live one calls [`Upkeep::tick`] by the clock, one that reads a capture
//! by the time of its packets.

mod following;
mod own;
mod sampling;
mod seconds;
mod state;

use std::mem::offset_of;
use std::time::Duration;

use sensor_common::class::SampleKind;
use sensor_common::sample::SAMPLES_PER_TICK;
use sensor_common::settings::Settings;
use sensor_common::shard::{Following, Sampling, Shard};
use sensor_common::transactions::{BUDGET, Control};

use crate::measure::reading::OwnCost;
use crate::measure::second::Second;
use following::FollowingRate;
pub use own::{next_generation, own_words};
use sampling::{SAMPLING, SamplingRate};
use seconds::Seconds;
pub use state::State;
use state::sum;

/// Where the counters of following lie in a shard.
const FOLLOWING: usize = offset_of!(Shard, following);

/// Time between two ticks.
pub const TICK: Duration = Duration::from_millis(250);

/// See the module.
pub struct Upkeep {
    following: FollowingRate,
    sampling: SamplingRate,
    seconds: Seconds,
    spent: Spent,
}

/// Sums over CPUs since the engine began.
#[derive(Clone, Copy, Default)]
struct Spent {
    followed: u64,
    raised: u64,
    sampled: u64,
    samples_lost: u64,
    samples_capped: u64,
}

impl Spent {
    fn read(state: &impl State) -> Self {
        let capped = [SampleKind::Transaction, SampleKind::ShortQuote].map(|kind| {
            let offset = offset_of!(Sampling, capped) + kind.index() * size_of::<u64>();
            sum(state, SAMPLING + offset)
        });
        Self {
            followed: sum(state, FOLLOWING + offset_of!(Following, followed)),
            raised: sum(state, FOLLOWING + offset_of!(Following, raised)),
            sampled: sum(state, SAMPLING + offset_of!(Sampling, taken)),
            samples_lost: sum(state, SAMPLING + offset_of!(Sampling, lost)),
            samples_capped: capped.iter().sum(),
        }
    }
}

impl Upkeep {
    /// For an engine whose counters are all 0.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            following: FollowingRate::default(),
            sampling: SamplingRate::default(),
            seconds: Seconds::new(settings.hash_key),
            spent: Spent::default(),
        }
    }

    /// Only one direction is seen: then no response can be missed, and none can be unmatched.
    pub fn see_one_direction(&mut self) {
        self.following.see_one_direction();
    }

    /// Does what is to be done every 250 ms. The first tick must come before the first packet.
    pub fn tick(&mut self, state: &mut impl State) {
        let bank = self.seconds.tick(state);
        let followed = sum(state, FOLLOWING + offset_of!(Following, followed));
        // The programs may raise the shift at any moment: what they raise while it is written here is
        // put back.
        let raised = FOLLOWING + offset_of!(Following, raised);
        let before = sum(state, raised);
        let mut control = self.following.tick(state.control(), followed);
        control.sample_shift = self.sampling.tick(state, control.sample_shift);
        control.bank = bank;
        state.set_control(control.with_masks());
        if sum(state, raised) != before {
            control = self.following.raise(control);
            state.set_control(control.with_masks());
        }
        for cpu in 0..state.cpus() {
            let budget = FOLLOWING + offset_of!(Following, budget);
            state.write(cpu, budget, &[BUDGET]);
            let tokens = SAMPLING + offset_of!(Sampling, tokens);
            state.write(cpu, tokens, &SAMPLES_PER_TICK);
        }
    }

    /// Whether the next tick brings a second in which something was counted.
    pub fn owes_second(&self, state: &impl State) -> bool {
        self.seconds.owes(state)
    }

    /// Ends the second at once: what was seen up to now is then in the next reading.
    pub fn flush(&mut self, state: &mut impl State) {
        let bank = self.seconds.begin(state);
        state.set_control(Control {
            bank,
            ..state.control()
        });
        // A program that began before is over long since; it takes less than a microsecond.
        std::thread::sleep(Duration::from_millis(1));
        self.seconds.finish(state);
    }

    /// What the sketches say of the second that was read since this was last called.
    pub fn second(&mut self) -> Option<Second> {
        self.seconds.take()
    }

    /// Adds what the programs spend and lose, since this was last called.
    pub fn cost(&mut self, state: &impl State, cost: &mut OwnCost) {
        let now = Spent::read(state);
        let then = std::mem::replace(&mut self.spent, now);
        let control = state.control();
        cost.shift = control.shift;
        cost.sample_shift = control.sample_shift;
        cost.followed += now.followed.wrapping_sub(then.followed);
        cost.raised += now.raised.wrapping_sub(then.raised);
        cost.sampled += now.sampled.wrapping_sub(then.sampled);
        cost.samples_lost += now.samples_lost.wrapping_sub(then.samples_lost);
        cost.samples_capped += now.samples_capped.wrapping_sub(then.samples_capped);
    }
}
