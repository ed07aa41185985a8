//! What each command does.

pub mod demo;
pub mod doctor;
pub mod replay;
pub mod watch;

/// A command's result for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Fine,
    /// It ran, and found that something is not well.
    NotFine,
}
