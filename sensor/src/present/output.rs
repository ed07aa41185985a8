//! Writing to standard output.

use crate::measure::counted::counted;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
    write(&mut io::stdout().lock(), text)
}

fn write(out: &mut impl Write, text: &str) -> io::Result<Reader> {
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error),
    }
}

/// Writes a line to standard error. Where nobody reads it there is nobody to tell, and that is no error.
pub fn note(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes one JSON object as a line.
///
/// # Errors
/// As [`line()`].
pub fn json(value: &impl Serialize) -> io::Result<Reader> {
    line(&serde_json::to_string(value)?)
}

/// Lines that may wait for a reader.
const QUEUE: usize = 4096;
/// Longest wait for it at the end.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// Lines that are written on a thread of their own: who does not read them does not stop who writes them.
pub struct Lines {
    queue: Option<SyncSender<String>>,
    worker: Option<JoinHandle<io::Result<Reader>>>,
    lost: u64,
}

impl Lines {
    /// To standard output.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn new() -> io::Result<Self> {
        Self::to(io::stdout())
    }

    /// To anything else.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, received) = sync_channel(QUEUE);
        let worker = std::thread::Builder::new()
            .name("output".into())
            .spawn(move || write_all(&received, out))?;
        Ok(Self {
            queue: Some(queue),
            worker: Some(worker),
            lost: 0,
        })
    }

    /// Queues a line; it is lost, and counted, where too many wait.
    ///
    /// # Errors
    /// An earlier line could not be written; as [`line()`].
    pub fn line(&mut self, text: String) -> io::Result<Reader> {
        match self.queue.as_ref().map(|queue| queue.try_send(text)) {
            Some(Ok(())) => Ok(Reader::There),
            Some(Err(TrySendError::Full(_))) => {
                self.lost += 1;
                if self.lost.is_power_of_two() {
                    log::error!(
                        "{} lost: the reader of standard output is too slow",
                        counted(self.lost, "output line")
                    );
                }
                Ok(Reader::There)
            }
            Some(Err(TrySendError::Disconnected(_))) | None => self.end(),
        }
    }

    /// Queues one JSON object as a line.
    ///
    /// # Errors
    /// As [`Self::line()`].
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<Reader> {
        self.line(serde_json::to_string(value)?)
    }

    /// Lines that were lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Why the thread has ended.
    fn end(&mut self) -> io::Result<Reader> {
        let ended = self.worker.take().map(JoinHandle::join);
        // It cannot panic but where standard output does.
        ended.map_or(Ok(Reader::Gone), |ended| ended.unwrap_or(Ok(Reader::Gone)))
    }

    /// Waits a little until all is written.
    ///
    /// # Errors
    /// As [`line()`].
    pub fn finish(mut self) -> io::Result<()> {
        self.queue = None;
        let end = Instant::now() + LAST_WAIT;
        while let Some(worker) = &self.worker
            && !worker.is_finished()
        {
            if Instant::now() > end {
                log::error!(
                    "the last lines of output are lost: the reader of standard output is too slow"
                );
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.end().map(|_| ())
    }
}

fn write_all(lines: &Receiver<String>, mut out: impl Write) -> io::Result<Reader> {
    for text in lines {
        if write(&mut out, &text)? == Reader::Gone {
            return Ok(Reader::Gone);
        }
    }
    Ok(Reader::There)
}
