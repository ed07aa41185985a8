//! What this host's kernel says, and what its servers answer when they are probed.

pub mod facts;
pub mod probe;
pub mod watch;
