//! What is known of an incident, as findings: each fact at most once.

mod answers;
pub mod case;
pub mod collect;
mod failing;
mod floods;
mod host;
mod icmp;
mod large_answers;
pub mod upstreams;
