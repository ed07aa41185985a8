//! What counts: the packet program in the kernel, or over the packets of a capture, and its maintenance.

pub mod kernel;
pub mod maintenance;
pub mod own_cost;
pub mod replay;
pub mod settings;
