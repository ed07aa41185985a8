//! From counters to quantities: readings, windows between them, estimates, dossiers and addresses.

pub mod address;
pub mod clock;
pub mod cohort;
pub mod counted;
pub mod counters;
pub mod dossier;
pub mod heavy;
pub mod interval;
pub mod latency;
#[cfg(test)]
pub mod made;
pub mod question;
pub mod reading;
pub mod sampled;
pub mod samples;
pub mod second;
pub mod sketch;
pub mod window;
