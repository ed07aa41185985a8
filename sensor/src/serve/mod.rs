//! What is served over HTTP: the page, the exporter, the JSON interface.
//!
//! Serving never disturbs counting: it has a thread and a runtime of its own and reads the newest view. What a client may
//! cost is bounded: connections, the size and the time of a request, what waits for a slow reader.

mod access;
mod api;
mod feed;
mod frames;
mod http;
pub mod listen;
mod losses;
pub mod metrics;
pub mod page;
mod patience;
mod routes;
mod server;
mod shared;
pub mod token;

pub use server::{ServeError, ServeOptions, Server, Sockets};
