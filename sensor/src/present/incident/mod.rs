//! Incidents and rules in shadow mode: in a line, and as objects of JSON.

mod line;
mod object;

pub use line::{change, listed, shadow, told, unfinished};
pub use object::{IncidentObject, ShadowObject};
