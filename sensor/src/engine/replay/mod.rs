//! The packet program over ordinary memory, and the captures that it is fed from.

pub mod capture;
pub mod host_engine;
