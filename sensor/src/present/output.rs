//! Writing to standard output.

use std::io::{self, ErrorKind, Write};

use clap::ValueEnum;
use serde::Serialize;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line, for programs.
    Json,
}

/// Whether there is still somebody who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Yes.
    There,
    /// The pipe is closed, as by `| head`: not an error, but the end.
    Gone,
}

/// Writes a line and flushes it, so that a reader at the other end of a pipe has it at once.
///
/// # Errors
/// Standard output cannot be written, for another reason than a closed pipe.
pub fn line(text: &str) -> io::Result<Reader> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error),
    }
}

/// Writes one JSON object as a line.
///
/// # Errors
/// As [`line()`].
pub fn json(value: &impl Serialize) -> io::Result<Reader> {
    line(&serde_json::to_string(value)?)
}
