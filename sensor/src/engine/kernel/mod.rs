//! The packet program in the kernel: can it run, load it, attach it, read its maps.

pub mod attach;
pub mod cost;
mod counts;
pub mod engine;
pub mod interface;
mod links;
pub mod load;
pub mod maps;
pub mod preflight;
pub mod test_run;
