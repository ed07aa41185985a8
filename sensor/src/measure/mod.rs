//! From counters to quantities: readings, windows between them, estimates, samples and addresses.

pub mod address;
pub mod clock;
pub mod counters;
pub mod interval;
pub mod latency;
pub mod reading;
pub mod samples;
pub mod second;
pub mod sighting;
pub mod sketch;
pub mod window;
