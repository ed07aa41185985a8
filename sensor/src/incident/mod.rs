//! What belongs together, and why it happened.
//!
//! One incident a server; the rules that fire are its symptoms. The [`Tracker`] opens, worsens, eases and closes
//! them; [`diagnosis`] weighs what is known of each; the record of each ([`record`]) is all that a report may tell.

mod asks;
pub mod change;
pub mod chronology;
mod copies;
pub mod diagnosis;
pub mod evidence;
pub mod gather;
mod host_findings;
pub mod kept;
pub mod open;
pub mod packets;
pub mod past;
pub mod record;
mod relation;
pub mod series;
pub mod store;
pub mod symptom;
pub mod tracker;

pub use change::Change;
pub use diagnosis::Cause;
pub use past::Past;
pub use record::{About, Counts, Record};
pub use tracker::Tracker;
