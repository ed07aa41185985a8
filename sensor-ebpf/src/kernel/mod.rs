//! The binding of the library to the kernel: packets over the XDP and TC contexts, counters over
//! maps.

pub mod context;
pub mod frame;
pub mod garbage;
pub mod hook;
pub mod maps;
mod own;
mod rare;
pub mod sample;
pub mod store;
