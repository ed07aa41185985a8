//! What each command does.

mod all_along;
pub mod causes;
pub mod demo;
mod detection;
pub mod doctor;
pub mod lines;
mod live;
mod play;
mod progress;
pub mod replay;
mod replay_notes;
pub mod report;
pub mod rules;
pub mod run;
pub mod screen;
mod serve;
pub mod status;
pub mod status_socket;
mod stop;
pub mod usage;
pub mod watch;

/// A command's result for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Fine,
    /// It ran, and found that something is not well.
    NotFine,
    /// An incident was found, and it was asked to say so.
    Incident,
    /// Of `status`: something is wrong, and most queries are answered.
    Degraded,
    /// Of `status`: it is not known.
    CannotTell,
}
