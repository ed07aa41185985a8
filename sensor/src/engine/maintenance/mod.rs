//! What the loader does for the packet program four times a second: adapts the sampling rates, refills
//! budgets, rotates and reads the banks of the sketches, and closes ticks of unanswered queries.
//!
//! The same for both engines: a live one calls [`Upkeep::tick`] by the clock, one that reads a capture
//! by the time of its packets.

mod epochs;
mod following;
mod outcomes;
mod sampling;
mod servers;
mod state;

use std::mem::offset_of;
use std::sync::Arc;
use std::time::Duration;

use sensor_common::class::SampleKind;
use sensor_common::sample::SAMPLES_PER_TICK;
use sensor_common::settings::Settings;
use sensor_common::shard::{Following, Histograms, Sampling, Shard};
use sensor_common::sketch::{CountMin, Sketches};
use sensor_common::transactions::{BUDGET, Control};

use crate::measure::cohort::Slots;
use crate::measure::reading::{HistogramReading, OwnCost, Snapshot};
use crate::measure::sketch::Counts;
use epochs::Epochs;
use following::FollowingRate;
use outcomes::Outcomes;
use sampling::{SAMPLING, SamplingRate};
pub use servers::Servers;
pub use state::State;
use state::{record, sum};

/// Where the counters of following lie in a shard.
const FOLLOWING: usize = offset_of!(Shard, following);

/// Time between two ticks.
pub const TICK: Duration = Duration::from_millis(250);

/// See the module.
pub struct Upkeep {
    following: FollowingRate,
    sampling: SamplingRate,
    epochs: Epochs,
    outcomes: Outcomes,
    slot_shape: (u32, u64),
    secret: u64,
}

impl Upkeep {
    /// For an engine whose counters are all 0.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            following: FollowingRate::default(),
            sampling: SamplingRate::default(),
            epochs: Epochs::default(),
            outcomes: Outcomes::new(settings),
            slot_shape: Slots::shape(settings),
            secret: settings.hash_key,
        }
    }

    /// Only one direction is seen: then no response can be missed, and none can be unmatched.
    pub fn see_one_direction(&mut self) {
        self.following.see_one_direction();
        self.outcomes.see_one_direction();
    }

    /// Does what is to be done every 250 ms. The first tick must come before the first packet.
    pub fn tick(&mut self, state: &mut impl State) {
        let bank = self.epochs.tick(state);
        let followed = sum(state, FOLLOWING + offset_of!(Following, followed));
        // The programs may raise the shift at any moment: what they raise while it is written here is
        // put back.
        let raised = FOLLOWING + offset_of!(Following, raised);
        let before = sum(state, raised);
        let mut control = self.following.tick(state.control(), followed);
        control.sample_shift = self.sampling.tick(state, control.sample_shift);
        control.bank = bank;
        state.set_control(control);
        if sum(state, raised) != before {
            control = self.following.raise(control);
            state.set_control(control);
        }
        for cpu in 0..state.cpus() {
            let budget = FOLLOWING + offset_of!(Following, budget);
            state.write(cpu, budget, &[BUDGET]);
            let tokens = SAMPLING + offset_of!(Sampling, tokens);
            state.write(cpu, tokens, &SAMPLES_PER_TICK);
        }
        self.outcomes.observe(state);
    }

    /// Ends the epoch at once: what was seen up to now is then in the next snapshot.
    pub fn flush(&mut self, state: &mut impl State) {
        let bank = self.epochs.begin(state);
        state.set_control(Control {
            bank,
            ..state.control()
        });
        // A program that began before is over long since; it takes less than a microsecond.
        std::thread::sleep(Duration::from_millis(1));
        self.epochs.finish(state);
    }

    /// Adds what the shards hold to a snapshot; unanswered queries as of the last tick.
    pub fn read(&self, state: &impl State, snapshot: &mut Snapshot) {
        let began = state.clock();
        let mut addresses = Counts::default();
        let mut prefixes = Counts::default();
        for cpu in 0..state.cpus() {
            state.servers(cpu).add_to(snapshot, cpu);
            let sketches = offset_of!(Shard, sketches);
            for (counts, offset) in [
                (&mut addresses, offset_of!(Sketches, addresses)),
                (&mut prefixes, offset_of!(Sketches, prefixes)),
            ] {
                let rows: Box<CountMin> = record(state, cpu, sketches + offset);
                counts.add(rows.columns.as_flattened());
            }
            let histograms: Box<Histograms> = record(state, cpu, offset_of!(Shard, histograms));
            snapshot.cost.histograms += histograms.assigned;
            snapshot.cost.histograms_replaced += histograms.replaced;
            let places = histograms.places.iter().zip(0..);
            for (place, at) in places.filter(|(place, _)| place.key.family != 0) {
                let reading = HistogramReading::of(place);
                snapshot.histograms.insert((cpu, at), reading);
            }
        }
        let (bits, reach) = self.slot_shape;
        snapshot.slots = Slots {
            at: snapshot.at,
            began,
            ended: state.clock(),
            bits,
            reach,
        };
        self.outcomes.fill(snapshot);
        snapshot.addresses = Arc::new(addresses);
        snapshot.prefixes = Arc::new(prefixes);
        snapshot.epochs = self.epochs.recent();
        snapshot.all_sources = self.epochs.all_sources();
        snapshot.all_names = self.epochs.all_names();
        snapshot.secret = self.secret;
        let capped = [SampleKind::Transaction, SampleKind::ShortQuote].map(|kind| {
            let offset = offset_of!(Sampling, capped) + kind.index() * size_of::<u64>();
            sum(state, SAMPLING + offset)
        });
        let control = state.control();
        snapshot.cost = OwnCost {
            shift: control.shift,
            places: snapshot.places.len(),
            followed: sum(state, FOLLOWING + offset_of!(Following, followed)),
            raised: sum(state, FOLLOWING + offset_of!(Following, raised)),
            sample_shift: control.sample_shift,
            sampled: sum(state, SAMPLING + offset_of!(Sampling, taken)),
            samples_lost: sum(state, SAMPLING + offset_of!(Sampling, lost)),
            samples_capped: capped.iter().sum(),
            ..snapshot.cost
        };
    }
}
