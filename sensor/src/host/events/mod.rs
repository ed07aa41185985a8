//! What changed in this host's links, addresses and routes (rtnetlink(7)): "eth0 lost its carrier".
//!
//! Of the network namespace of the calling thread. Only what can stop packets is an event.

mod changes;
pub mod event;
pub mod listener;
