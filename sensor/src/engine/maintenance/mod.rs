//! What the loader does for the packet program four times a second: adapts the sampling rate, refills
//! budgets, rotates and reads the banks of the sketches, and closes ticks of unanswered queries.
//!
//! The same for both engines: a live one calls [`Upkeep::tick`] by the clock, one that reads a capture
//! by the time of its packets.

mod epochs;
mod outcomes;
mod sampling;
mod servers;
mod state;

use std::mem::offset_of;
use std::sync::Arc;
use std::time::Duration;

use sensor_common::sample::SAMPLES_PER_TICK;
use sensor_common::settings::Settings;
use sensor_common::shard::{Following, Histograms, Shard};
use sensor_common::sketch::{CountMin, Sketches};
use sensor_common::transactions::{BUDGET, Control};

use crate::measure::cohort::Slots;
use crate::measure::reading::{HistogramReading, OwnCost, Snapshot};
use crate::measure::sketch::Counts;
use epochs::Epochs;
use outcomes::Outcomes;
use sampling::Sampling;
pub use servers::Servers;
pub use state::State;
use state::{record, sum};

/// Where the counters of following lie in a shard.
const FOLLOWING: usize = offset_of!(Shard, following);

/// Time between two ticks.
pub const TICK: Duration = Duration::from_millis(250);

/// See the module.
pub struct Upkeep {
    sampling: Sampling,
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
            sampling: Sampling::default(),
            epochs: Epochs::default(),
            outcomes: Outcomes::new(settings),
            slot_shape: Slots::shape(settings),
            secret: settings.hash_key,
        }
    }

    /// Only one direction is seen: then no response can be missed, and none can be unmatched.
    pub fn see_one_direction(&mut self) {
        self.sampling.see_one_direction();
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
        let mut control = self.sampling.tick(state.control(), followed);
        control.bank = bank;
        state.set_control(control);
        if sum(state, raised) != before {
            control = self.sampling.raise(control);
            state.set_control(control);
        }
        for cpu in 0..state.cpus() {
            let budget = FOLLOWING + offset_of!(Following, budget);
            state.write(cpu, budget, &[BUDGET]);
            state.write(cpu, offset_of!(Shard, samples), &[SAMPLES_PER_TICK]);
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
        let control = state.control();
        snapshot.cost = OwnCost {
            shift: control.shift,
            places: snapshot.places.len(),
            followed: sum(state, FOLLOWING + offset_of!(Following, followed)),
            raised: sum(state, FOLLOWING + offset_of!(Following, raised)),
            sampled: sum(state, offset_of!(Shard, sampled)),
            samples_lost: sum(state, offset_of!(Shard, samples_lost)),
            ..snapshot.cost
        };
    }
}
