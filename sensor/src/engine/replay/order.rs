//! Frames that wait for their turn, in the order of time.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::DISORDER;
use super::copies::Suspect;

/// Frames that wait for earlier ones, at most: as much as stays in a cache.
const WAITING: usize = 8_192;

/// A frame that waits for its turn. It is moved whenever one is put before it, so it is small.
pub(super) struct Waiting {
    /// Where a frame has no time of its own, that of the one before.
    pub order: Duration,
    pub frame: Box<Held>,
}

/// What is kept of a frame.
#[derive(Default)]
pub(super) struct Held {
    pub time: Option<Duration>,
    pub bytes: Vec<u8>,
    pub is_cut: bool,
    pub suspect: Option<Suspect>,
}

/// What was found of frames that are not in the order of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disorder {
    /// Frames that came after later ones.
    pub frames: u64,
    /// How far behind the latest before them, at most.
    pub most: Duration,
}

/// See the module.
#[derive(Default)]
pub(super) struct Order {
    /// In the order of time, as long as the clock is not set back.
    waiting: VecDeque<Waiting>,
    /// How many of them were read since the clock was last set back.
    unbroken: usize,
    latest: Duration,
    disorder: Disorder,
}

impl Order {
    /// The next one.
    pub fn first(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    /// Takes it.
    pub fn pop(&mut self) -> Option<Waiting> {
        let first = self.waiting.pop_front()?;
        self.unbroken = self.unbroken.min(self.waiting.len());
        Some(first)
    }

    /// Whether the first has nothing earlier behind it, as far as frames are put in order.
    pub fn is_settled(&self) -> bool {
        let is_over = |first: &Waiting| first.order + DISORDER < self.latest;
        self.first().is_some_and(is_over)
    }

    /// Whether no more may wait.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING
    }

    /// Of the latest since the clock was last set back.
    pub fn latest(&self) -> Duration {
        self.latest
    }

    /// Frames that were not in the order of time.
    pub fn disorder(&self) -> Disorder {
        self.disorder
    }

    /// Puts one in its place.
    pub fn put(&mut self, frame: Waiting) {
        // Far behind, the clock was set back: then what follows is of another time.
        let behind = self.latest.saturating_sub(frame.order);
        let is_set_back = behind > DISORDER;
        self.unbroken = if is_set_back { 1 } else { self.unbroken + 1 };
        if behind.is_zero() || is_set_back {
            self.latest = frame.order;
            self.waiting.push_back(frame);
            return;
        }
        self.disorder.frames += 1;
        self.disorder.most = self.disorder.most.max(behind);
        let first = self.waiting.len() + 1 - self.unbroken;
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
}
