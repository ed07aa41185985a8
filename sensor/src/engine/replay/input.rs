//! What a replay reads: one capture or several, put in the order of time, within limits of time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::capture::{Capture, Frame};
use super::capture_error::CaptureError;
use super::clock::DISORDER;
use super::copies::{Copies, Suspect};
use super::record::Unread;

/// Frames that wait for earlier ones, at most: as much as stays in a cache.
const WAITING: usize = 8_192;
/// Frames that are read before the first is handed over: by them it is known whether packets are there twice.
const LOOK_AHEAD: u64 = 64;

/// A frame that waits for its turn. It is moved whenever one is put before it, so it is small.
struct Waiting {
    /// Where a frame has no time of its own, that of the one before.
    order: Duration,
    frame: Box<Held>,
}

/// What is kept of a frame.
#[derive(Default)]
struct Held {
    time: Option<Duration>,
    bytes: Vec<u8>,
    is_cut: bool,
    suspect: Option<Suspect>,
}

/// A capture that is read, and its next frame where there are several.
struct Part<'r> {
    capture: Capture<'r>,
    next: Option<Waiting>,
}

/// What was found of frames that are not in the order of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disorder {
    /// Frames that came after later ones.
    pub frames: u64,
    /// How far behind the latest before them, at most.
    pub most: Duration,
}

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
    parts: Vec<Part<'r>>,
    /// Captures that begin later, the last first: opened when it is their turn.
    later: Vec<(Duration, PathBuf)>,
    /// In the order of time, as long as the clock is not set back.
    waiting: VecDeque<Waiting>,
    /// How many of them were read since the clock was last set back.
    in_order: usize,
    latest: Duration,
    disorder: Disorder,
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
    skipped: BTreeMap<Unread, u64>,
    /// Nothing more will come of the captures.
    has_ended: bool,
    /// Why, where they are damaged.
    error: Option<CaptureError>,
}

impl<'r> From<Capture<'r>> for Input<'r> {
    fn from(capture: Capture<'r>) -> Self {
        let next = None;
        Self {
            parts: vec![Part { capture, next }],
            later: Vec::new(),
            waiting: VecDeque::new(),
            in_order: 0,
            latest: Duration::ZERO,
            disorder: Disorder::default(),
            copies: Copies::new(),
            left_out: 0,
            read: 0,
            grows: false,
            is_quiet: false,
            spare: Vec::new(),
            last: Box::default(),
            limits: None,
            skipped: BTreeMap::new(),
            has_ended: false,
            error: None,
        }
    }
}

impl Input<'static> {
    /// Opens several captures, which are read as one.
    ///
    /// # Errors
    /// One cannot be opened, or is no capture.
    pub fn open(first: &Path, others: &[PathBuf]) -> Result<Self, CaptureError> {
        let mut input = Self::from(Capture::open(first)?);
        for path in others {
            let mut capture = Capture::open(path)?;
            // Files of a ring buffer follow each other: few are open at a time.
            let begins = capture.next_frame()?.and_then(|frame| frame.time);
            input.later.push((begins.unwrap_or_default(), path.clone()));
        }
        input.later.sort_by(|a, b| b.cmp(a));
        input.read_ahead()?;
        Ok(input)
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
        while self.waiting.is_empty() && !self.has_ended {
            self.read_on();
        }
        let first = self
            .waiting
            .front()
            .map_or(Duration::ZERO, |first| first.order);
        let limits = (from(first), until(first));
        if limits != (None, None) {
            let (from, until) = limits;
            self.limits = Some(from.unwrap_or_default()..=until.unwrap_or(Duration::MAX));
        }
    }

    /// Bytes that were read of the only capture so far; `None` of several.
    #[must_use]
    pub fn progress(&self) -> Option<Arc<AtomicU64>> {
        match (&self.parts[..], &self.later[..]) {
            ([part], []) => Some(part.capture.progress()),
            _ => None,
        }
    }

    /// Frames that were not in the order of time.
    #[must_use]
    pub fn disorder(&self) -> Disorder {
        self.disorder
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
        let mut sum = self.skipped.clone();
        for part in &self.parts {
            for (why, count) in part.capture.skipped() {
                *sum.entry(*why).or_default() += count;
            }
        }
        sum
    }

    /// The next frame in the order of time.
    ///
    /// # Errors
    /// A capture cannot be read on; what came before it was given.
    pub fn next_frame(&mut self) -> Result<Next<'_>, CaptureError> {
        loop {
            while !self.has_ended && !self.is_settled() {
                if !self.read_on() {
                    if self.is_quiet && !self.waiting.is_empty() {
                        break;
                    }
                    return Ok(Next::Later);
                }
            }
            let Some(Waiting { order, frame }) = self.waiting.pop_front() else {
                return self.error.take().map_or(Ok(Next::End), Err);
            };
            self.in_order = self.in_order.min(self.waiting.len());
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
        match self.read() {
            Ok(Some(mut waiting)) => {
                let frame = &mut *waiting.frame;
                frame.suspect = self.copies.note(frame.time, &frame.bytes, frame.is_cut);
                self.read += 1;
                self.is_quiet = false;
                self.put(waiting);
            }
            Ok(None) if self.grows => return false,
            ended => {
                self.has_ended = true;
                self.error = ended.err();
            }
        }
        true
    }

    /// Whether the first that waits has nothing earlier behind it, as far as frames are put in order.
    fn is_settled(&self) -> bool {
        let is_over = |first: &Waiting| first.order + DISORDER < self.latest;
        self.waiting.len() >= WAITING
            || (self.read >= LOOK_AHEAD && self.waiting.front().is_some_and(is_over))
    }

    fn put(&mut self, frame: Waiting) {
        // Far behind, the clock was set back: then what follows is of another time.
        let behind = self.latest.saturating_sub(frame.order);
        let is_set_back = behind > DISORDER;
        self.in_order = if is_set_back { 1 } else { self.in_order + 1 };
        if behind.is_zero() || is_set_back {
            self.latest = frame.order;
            self.waiting.push_back(frame);
            return;
        }
        self.disorder.frames += 1;
        self.disorder.most = self.disorder.most.max(behind);
        let first = self.waiting.len() + 1 - self.in_order;
        let at = self.place_of(frame.order, first);
        self.waiting.insert(at, frame);
    }

    /// Behind all that are no later, of those from `first` on.
    fn place_of(&self, order: Duration, first: usize) -> usize {
        let (mut low, mut high) = (first, self.waiting.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.waiting[middle].order > order {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// The next frame of a capture, the earliest of several.
    fn read(&mut self) -> Result<Option<Waiting>, CaptureError> {
        let held = self.spare.pop().unwrap_or_default();
        if let ([part], []) = (&mut self.parts[..], &self.later[..]) {
            // The last of several may have read one already.
            if let Some(next) = part.next.take() {
                return Ok(Some(next));
            }
            return part.read(held, self.latest);
        }
        let next = |part: &Part<'_>| part.next.as_ref().map(|next| next.order);
        let earliest = (0..self.parts.len()).filter(|at| next(&self.parts[*at]).is_some());
        let Some(at) = earliest.min_by_key(|at| next(&self.parts[*at])) else {
            return Ok(None);
        };
        let frame = self.parts[at].next.take();
        let order = frame.as_ref().map_or(self.latest, |frame| frame.order);
        self.parts[at].next = self.parts[at].read(held, order)?;
        if self.parts[at].next.is_none() {
            let part = self.parts.swap_remove(at);
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
        for part in &mut self.parts {
            if part.next.is_none() {
                part.next = part.read(Box::default(), Duration::ZERO)?;
            }
        }
        loop {
            let next = self.parts.iter().filter_map(|part| part.next.as_ref());
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
            self.parts.push(part);
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
