//! The packet program in the kernel: can it run, load it, attach it, read its maps.

pub mod attach;
pub mod clsact;
pub mod cost;
mod counts;
pub mod engine;
pub mod filter;
pub mod held;
pub mod hook;
pub mod interface;
pub mod leftover;
mod links;
pub mod load;
pub mod maps;
pub mod memory;
pub mod netlink;
mod own;
pub mod preflight;
pub mod refusal;
mod tc;
pub mod test_run;
mod xdp;
