//! What a replay reads: one capture or several, put in the order of time, within limits of time.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::capture::{Capture, Frame};
use super::capture_error::CaptureError;
use super::copies::Copies;
pub use super::order::Disorder;
use super::order::{Held, Order, Waiting};
use super::parts::Parts;
use super::record::Unread;

/// Frames that are read before the first is handed over: by them it is known whether packets are there twice.
const LOOK_AHEAD: u64 = 64;

/// What comes next.
#[derive(Debug)]
pub enum Next<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// Nothing yet: the file that is followed has no more now.
    Later,
    /// Nothing any more.
    End,
}

/// See the module.
pub struct Input<'r> {
    parts: Parts<'r>,
    order: Order,
    copies: Copies,
    /// Copies that were left out.
    left_out: u64,
    /// Frames that were read.
    read: u64,
    /// A capture that is still written.
    grows: bool,
    /// It has not grown for a while: what waits need not wait any longer.
    is_quiet: bool,
    /// Memory of frames that were handed over.
    #[expect(clippy::vec_box, reason = "the boxes are used again as they are")]
    spare: Vec<Box<Held>>,
    last: Box<Held>,
    limits: Option<RangeInclusive<Duration>>,
    /// Nothing more will come of the captures.
    has_ended: bool,
    /// Why, where they are damaged.
    error: Option<CaptureError>,
}

impl<'r> From<Parts<'r>> for Input<'r> {
    fn from(parts: Parts<'r>) -> Self {
        Self {
            parts,
            order: Order::default(),
            copies: Copies::new(),
            left_out: 0,
            read: 0,
            grows: false,
            is_quiet: false,
            spare: Vec::new(),
            last: Box::default(),
            limits: None,
            has_ended: false,
            error: None,
        }
    }
}

impl<'r> From<Capture<'r>> for Input<'r> {
    fn from(capture: Capture<'r>) -> Self {
        Self::from(Parts::from(capture))
    }
}

impl Input<'static> {
    /// Opens several captures, which are read as one.
    ///
    /// # Errors
    /// One cannot be opened, or is no capture.
    pub fn open(first: &Path, others: &[PathBuf]) -> Result<Self, CaptureError> {
        Ok(Self::from(Parts::open(first, others)?))
    }

    /// Opens a capture that is still written; `None` while there is nothing in it.
    ///
    /// # Errors
    /// It cannot be opened, or is no capture that can be followed.
    pub fn follow(path: &Path) -> Result<Option<Self>, CaptureError> {
        let capture = Capture::follow(path)?;
        Ok(capture.map(|capture| Self {
            grows: true,
            ..Self::from(capture)
        }))
    }
}

impl Input<'_> {
    /// Leaves out what is before or behind these times, since 1970; they are told when the first packet was.
    pub fn limit(
        &mut self,
        from: impl Fn(Duration) -> Option<Duration>,
        until: impl Fn(Duration) -> Option<Duration>,
    ) {
        while self.order.first().is_none() && !self.has_ended {
            self.read_on();
        }
        let first = self.order.first();
        let first = first.map_or(Duration::ZERO, |first| first.order);
        let limits = (from(first), until(first));
        if limits != (None, None) {
            let (from, until) = limits;
            self.limits = Some(from.unwrap_or_default()..=until.unwrap_or(Duration::MAX));
        }
    }

    /// Bytes that were read of the only capture so far; `None` of several.
    #[must_use]
    pub fn progress(&self) -> Option<Arc<AtomicU64>> {
        self.parts.progress()
    }

    /// Frames that were not in the order of time.
    #[must_use]
    pub fn disorder(&self) -> Disorder {
        self.order.disorder()
    }

    /// Frames that were left out as copies of others.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What is followed has not grown for a while: what waits for earlier frames waits no longer.
    pub fn be_quiet(&mut self) {
        self.is_quiet = true;
    }

    /// Follows no longer: the capture ends where there is nothing more yet, a record that is not whole included.
    pub fn end(&mut self) {
        self.grows = false;
    }

    /// Frames that were skipped so far because of their interface.
    #[must_use]
    pub fn skipped(&self) -> BTreeMap<Unread, u64> {
        self.parts.skipped()
    }

    /// The next frame in the order of time.
    ///
    /// # Errors
    /// A capture cannot be read on; what came before it was given.
    pub fn next_frame(&mut self) -> Result<Next<'_>, CaptureError> {
        loop {
            while !self.has_ended && !self.is_settled() {
                if !self.read_on() {
                    if self.is_quiet && self.order.first().is_some() {
                        break;
                    }
                    return Ok(Next::Later);
                }
            }
            let Some(Waiting { order, frame }) = self.order.pop() else {
                return self.error.take().map_or(Ok(Next::End), Err);
            };
            let before = std::mem::replace(&mut self.last, frame);
            self.spare.push(before);
            let limits = self.limits.as_ref();
            if limits.is_some_and(|limits| !limits.contains(&order)) {
                continue;
            }
            let is_left_out = |suspect| self.copies.is_left_out(suspect);
            if self.last.suspect.is_some_and(is_left_out) {
                self.left_out += 1;
                continue;
            }
            return Ok(Next::Frame(Frame {
                time: self.last.time,
                bytes: &self.last.bytes,
                is_cut: self.last.is_cut,
            }));
        }
    }

    /// Reads a frame, or that there is none any more. False where there is none yet.
    fn read_on(&mut self) -> bool {
        let held = self.spare.pop().unwrap_or_default();
        match self.parts.read(held, self.order.latest()) {
            Ok(Some(mut waiting)) => {
                let frame = &mut *waiting.frame;
                frame.suspect = self.copies.note(frame.time, &frame.bytes, frame.is_cut);
                self.read += 1;
                self.is_quiet = false;
                self.order.put(waiting);
            }
            Ok(None) if self.grows => return false,
            ended => {
                self.has_ended = true;
                self.error = ended.err();
            }
        }
        true
    }

    /// Whether the first that waits may be handed over.
    fn is_settled(&self) -> bool {
        self.order.is_full() || (self.read >= LOOK_AHEAD && self.order.is_settled())
    }
}
