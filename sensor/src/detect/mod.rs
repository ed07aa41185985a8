//! What is happening: rules over windows. Why is for [`crate::incident`] to say.
//!
//! A rule is a pure function of [`Facts`], one file each in `rules/`. The [`Detector`] keeps what they
//! need of the past: a history and baselines of each server, and of the network as a whole.

pub mod again;
pub mod askers;
pub mod baseline;
pub mod cohort;
mod connections;
pub mod crowd;
mod detector;
mod facts;
mod failures;
pub mod history;
pub mod interval;
mod level;
pub mod lost;
pub mod names;
mod network;
mod observation;
mod pause;
mod place;
pub mod rcode;
mod reading;
mod rule;
pub mod rules;
pub mod server;
pub mod spoof;
pub mod standing;
pub mod thresholds;
pub mod told;
pub mod usual;
pub mod visibility;

pub use askers::Askers;
pub use detector::Detector;
pub use facts::{Facts, NetworkFacts};
pub use level::Level;
pub use network::Network;
pub use observation::Observation;
pub use place::{Place, Vantage};
pub use reading::{Reading, State, Subject, Unit};
pub use rule::{Family, RULES, Rule, RuleSpec};
pub use server::ServerState;
pub use thresholds::Thresholds;
