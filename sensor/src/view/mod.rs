//! The one live model: a plain value that is published at each tick, and of which every face is a function.
//!
//! Nothing in it depends on the engine, on an interval of a display, or on a time since the start: counters are
//! monotone, times are milliseconds since 1970. It is bounded: [`SERVERS`] servers, [`INCIDENTS`] incidents.

pub mod build;
pub mod event;
mod loss;
mod model;
pub mod publish;
pub mod server;
pub mod state;
pub mod trouble;

pub use event::Event;
pub use loss::Loss;
pub use model::{
    AlertCount, HISTORY, Heaviest, INCIDENTS, InterfaceView, NETWORK_HISTORY, NetworkView, SERVERS,
    SensorView, TOP, View,
};
pub use server::{Point, Rates, RuleView, ServerView, Usual};
pub use state::{Missing, State};
pub use trouble::Trouble;
