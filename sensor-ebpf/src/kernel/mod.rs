//! The binding of the library to the kernel: packets over the XDP and TC contexts, counters over
//! maps.

pub mod calls;
pub mod flood;
pub mod frame;
pub mod maps;
pub mod sample;
pub mod store;
