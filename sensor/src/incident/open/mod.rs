//! One incident, from its first symptom to its end.
//!
//! [`begin`](Incident::open) makes it, [`advance`](Incident::update) takes it from tick to tick, and
//! [`record`](Incident::record) says all of it.

mod advance;
mod begin;
mod incident;
mod onset;
mod phases;
mod record;
pub mod subject;
mod symptoms;
mod verdict;

pub use advance::Tick;
pub use begin::Before;
pub use incident::Incident;
