//! What this host's kernel says, and what its servers answer when they are probed.

pub mod cgroups;
pub mod counters;
pub mod dropped;
pub mod drops;
pub mod events;
pub mod facts;
pub mod moment;
mod namespaces;
pub mod probe;
pub mod sockets;
pub mod totals;
pub mod watch;
