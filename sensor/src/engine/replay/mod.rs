//! The packet program over captures, in this process.

pub mod capture;
pub mod capture_error;
pub mod clock;
mod compressed;
mod copies;
pub mod counting;
mod ethernet;
pub mod follow;
pub mod host_engine;
pub mod input;
mod interface;
mod link_layer;
pub mod link_names;
mod order;
pub mod pace;
mod parts;
mod pcapng;
pub mod player;
pub mod record;
mod serial;
mod source;
mod wireless;
