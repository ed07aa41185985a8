//! The packet program over captures, in this process.

pub mod capture;
pub mod clock;
pub mod counting;
pub mod host_engine;
mod link_layer;
pub mod pace;
pub mod player;
