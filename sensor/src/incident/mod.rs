//! What belongs together, and why it happened.
//!
//! One incident a server; the rules that fire are its signs. The [`Tracker`] opens, worsens, eases and closes
//! them; the record of each ([`record`]) is all that a report may tell; [`causes`] weighs it.

use std::collections::BTreeMap;

pub mod case;
pub mod causes;
pub mod evidence;
pub mod record;
pub mod series;
pub mod store;
pub mod tracker;

pub use causes::{Cause, Verdict};
pub use record::Record;
pub use tracker::{Change, Tracker};

/// A count for each of some things.
pub type Counts<T> = BTreeMap<T, u64>;
