//! The boundary between the kernel half and the loader: names, keys, records and settings, and
//! nothing else.
//!
//! Every type here is plain data with a fixed layout: no padding, no `bool`, no pointer. A change
//! of any of them changes [`ABI_VERSION`], so that a loader never reads another object's maps.
#![no_std]
#![forbid(unsafe_code)]
#![expect(
    clippy::inline_always,
    reason = "a call in a BPF program spills registers, and the packet path uses these"
)]

pub mod class;
pub mod drops;
pub mod latency;
pub mod names;
pub mod sample;
pub mod server;
pub mod settings;
pub mod shard;
pub mod sketch;
pub mod totals;
pub mod transactions;

/// Version of everything in this crate. The loader refuses an object with another one.
pub const ABI_VERSION: u32 = 8;
