//! The loader: reads what the packet program counts, detects, presents.
//!
//! Data flows one way: `engine` -> `measure` -> `detect` -> `incident` -> `present`, `notify`; `session` is the
//! loop that carries it.
//! `sensor/docs/ARCHITECTURE.md` is the map, and a test holds the direction of imports.

// They panic where nobody reads; `present::output` does not.
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

pub mod cli;
pub mod command;
pub mod detect;
pub mod engine;
pub mod host;
pub mod incident;
pub mod measure;
pub mod monitor;
pub mod notify;
pub mod present;
pub mod serve;
pub mod session;
pub mod stage;
pub mod view;
