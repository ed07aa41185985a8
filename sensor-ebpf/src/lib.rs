//! The packet program, without the kernel.
//!
//! [`parse`] turns the bytes of one packet into one class and the facts worth counting; it knows no
//! map. [`account`] decides what to add where; it does not know whether a [`store::Store`] is
//! kernel maps or host memory. `main.rs` binds both to the kernel, the host engine of the loader
//! binds them to byte slices, and so the same packets give the same counters in both.
//!
//! The verifier wants every loop bounded and every read checked, and no call that may panic. So
//! reads go through [`packet::Packet`], indexes are masked or go through `get_mut`, and almost
//! everything is inlined.
#![no_std]
#![forbid(unsafe_code)]
#![expect(
    clippy::inline_always,
    reason = "a BPF function call spills all registers and takes at most five arguments"
)]

pub mod account;
pub mod address;
pub mod eviction;
pub mod forgery;
pub mod hash;
pub mod outcomes;
pub mod packet;
pub mod parse;
pub mod rare;
pub mod sampling;
pub mod servers;
pub mod sketch;
pub mod store;
pub mod transactions;
