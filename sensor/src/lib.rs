//! The loader: reads what the packet program counts, detects, presents.
//!
//! Data flows one way: `kernel` or `host` (an engine) -> `snapshot` -> `window` -> `present`.
//! `sensor/docs/ARCHITECTURE.md` is the map, and a test holds the direction of imports.

pub mod alerts;
pub mod calendar;
pub mod cli;
pub mod command;
pub mod counters;
pub mod detect;
pub mod host;
pub mod host_facts;
pub mod incident;
pub mod ip;
pub mod kernel;
pub mod latency;
pub mod monitor;
pub mod own_cost;
pub mod present;
pub mod samples;
pub mod settings;
pub mod sighting;
pub mod sketch;
pub mod snapshot;
pub mod stage;
pub mod upkeep;
pub mod verify;
pub mod window;
