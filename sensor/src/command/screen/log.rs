//! Log lines while the screen is on: they wait, so that they do not tear it, and are written when it has ended.

use crate::measure::counted::were;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that wait; what is beyond is dropped, and that is said.
const MOST: usize = 64 << 10;

struct Held {
    bytes: Vec<u8>,
    dropped: u64,
    /// Bytes that were shown on the screen.
    shown: usize,
}

static HELD: Mutex<Option<Held>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard error, but while the screen is on.
pub struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match held().as_mut() {
            None => io::stderr().write_all(bytes)?,
            Some(held) if held.bytes.len() + bytes.len() <= MOST => held.bytes.extend(bytes),
            Some(held) => held.dropped += 1,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// From now on lines wait.
pub fn hold() {
    held().get_or_insert(Held {
        bytes: Vec::new(),
        dropped: 0,
        shown: 0,
    });
}

/// The last line that came since this was last asked.
pub fn news() -> Option<String> {
    let mut held = held();
    let held = held.as_mut()?;
    let new = held.bytes.get(held.shown..)?;
    let text = String::from_utf8_lossy(new);
    let last = text.lines().last().map(ToOwned::to_owned);
    held.shown = held.bytes.len();
    last
}

/// Writes what waited.
pub fn release() {
    let Some(held) = held().take() else { return };
    let mut out = io::stderr().lock();
    // There is nobody left who could be told.
    let _ = out.write_all(&held.bytes);
    if held.dropped > 0 {
        let _ = writeln!(out, "{} dropped", were(held.dropped, "more log line"));
    }
}
