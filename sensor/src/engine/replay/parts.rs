//! Captures that are read as one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::capture::Capture;
use super::capture_error::CaptureError;
use super::order::{Held, Waiting};
use super::record::Unread;

/// A capture that is read, and its next frame where there are several.
struct Part<'r> {
    capture: Capture<'r>,
    next: Option<Waiting>,
}

/// See the module.
pub(super) struct Parts<'r> {
    open: Vec<Part<'r>>,
    /// Captures that begin later, the last first: opened when it is their turn.
    later: Vec<(Duration, PathBuf)>,
    skipped: BTreeMap<Unread, u64>,
}

impl<'r> From<Capture<'r>> for Parts<'r> {
    fn from(capture: Capture<'r>) -> Self {
        let next = None;
        Self {
            open: vec![Part { capture, next }],
            later: Vec::new(),
            skipped: BTreeMap::new(),
        }
    }
}

impl Parts<'static> {
    /// Opens several captures.
    ///
    /// # Errors
    /// One cannot be opened, or is no capture.
    pub fn open(first: &Path, others: &[PathBuf]) -> Result<Self, CaptureError> {
        let mut parts = Self::from(Capture::open(first)?);
        for path in others {
            let mut capture = Capture::open(path)?;
            // Files of a ring buffer follow each other: few are open at a time.
            let begins = capture.next_frame()?.and_then(|frame| frame.time);
            parts.later.push((begins.unwrap_or_default(), path.clone()));
        }
        parts.later.sort_by(|a, b| b.cmp(a));
        parts.read_ahead()?;
        Ok(parts)
    }
}

impl Parts<'_> {
    /// Bytes that were read of the only capture so far; `None` of several.
    pub fn progress(&self) -> Option<Arc<AtomicU64>> {
        match (&self.open[..], &self.later[..]) {
            ([part], []) => Some(part.capture.progress()),
            _ => None,
        }
    }

    /// Frames that were skipped so far because of their interface.
    pub fn skipped(&self) -> BTreeMap<Unread, u64> {
        let mut sum = self.skipped.clone();
        for part in &self.open {
            for (why, count) in part.capture.skipped() {
                *sum.entry(*why).or_default() += count;
            }
        }
        sum
    }

    /// The next frame of a capture, the earliest of several, in this memory. One without a time has that of the latest.
    pub fn read(
        &mut self,
        held: Box<Held>,
        latest: Duration,
    ) -> Result<Option<Waiting>, CaptureError> {
        if let ([part], []) = (&mut self.open[..], &self.later[..]) {
            // The last of several may have read one already.
            if let Some(next) = part.next.take() {
                return Ok(Some(next));
            }
            return part.read(held, latest);
        }
        let next = |part: &Part<'_>| part.next.as_ref().map(|next| next.order);
        let earliest = (0..self.open.len()).filter(|at| next(&self.open[*at]).is_some());
        let Some(at) = earliest.min_by_key(|at| next(&self.open[*at])) else {
            return Ok(None);
        };
        let frame = self.open[at].next.take();
        let order = frame.as_ref().map_or(latest, |frame| frame.order);
        self.open[at].next = self.open[at].read(held, order)?;
        if self.open[at].next.is_none() {
            let part = self.open.swap_remove(at);
            for (why, count) in part.capture.skipped() {
                *self.skipped.entry(*why).or_default() += count;
            }
        }
        self.read_ahead()?;
        Ok(frame)
    }

    /// Opens what begins before the next frame, and reads the next frame of each.
    fn read_ahead(&mut self) -> Result<(), CaptureError> {
        if self.later.is_empty() {
            return Ok(());
        }
        for part in &mut self.open {
            if part.next.is_none() {
                part.next = part.read(Box::default(), Duration::ZERO)?;
            }
        }
        loop {
            let next = self.open.iter().filter_map(|part| part.next.as_ref());
            let next = next.map(|next| next.order).min();
            let Some((begins, path)) = self.later.pop() else {
                return Ok(());
            };
            if next.is_some_and(|next| next < begins) {
                self.later.push((begins, path));
                return Ok(());
            }
            let mut part = Part {
                capture: Capture::open(&path)?,
                next: None,
            };
            part.next = part.read(Box::default(), begins)?;
            self.open.push(part);
        }
    }
}

impl Part<'_> {
    fn read(
        &mut self,
        mut frame: Box<Held>,
        before: Duration,
    ) -> Result<Option<Waiting>, CaptureError> {
        let Some((time, is_cut)) = self.capture.take_frame(&mut frame.bytes)? else {
            return Ok(None);
        };
        (frame.time, frame.is_cut) = (time, is_cut);
        Ok(Some(Waiting {
            order: time.unwrap_or(before),
            frame,
        }))
    }
}
