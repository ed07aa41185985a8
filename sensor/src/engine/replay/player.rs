//! A capture as an engine: its ticks come by the time of its packets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sensor_common::sample::Sample;

use super::capture_error::CaptureError;
use super::clock::{DISORDER, Gap, PacketClock};
use super::counting::Counting;
use super::follow::{Follow, Grown};
use super::input::{Disorder, Input, Next};
use super::pace::Pace;
use super::record::Unread;
use crate::engine::kernel::load::LoadError;
use crate::engine::ledger::Ledger;
use crate::engine::maintenance::TICK;
use crate::engine::status::Status;
use crate::engine::{Engine, Tick};
use crate::measure::clock::WallClock;
use crate::measure::cohort::Slots;
use crate::measure::window::Reading;

/// Times that the clock of a capture may be set back, each of which begins detection anew. A capture in which that
/// happens more often is in no order.
pub const RESTARTS: u64 = 16;

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Frames,
    /// The tick that the last packets lie in.
    LastTick,
    /// The end of the second that is running.
    Flush,
    Over,
}

/// See the module.
pub struct Replay<'r, C> {
    input: Input<'r>,
    counting: C,
    stage: Stage,
    times: Times,
    /// Ticks before the frame that waits.
    gap: Option<Gap>,
    /// Ticks before the end.
    due: VecDeque<(Duration, Tick)>,
    waiting: Option<Vec<u8>>,
    /// Ticks in which nothing happens may be left out.
    at_rest: bool,
    /// Of the tick that was last.
    at: Duration,
    /// How fast it is played; none where as fast as possible.
    pace: Option<Arc<Pace>>,
    /// Of a capture that is still written.
    follow: Option<Follow>,
    timeout: Duration,
    /// Of the last reading.
    slots: Slots,
    status: Status,
    summary: Summary,
}

/// What is known of a capture when it was read.
#[derive(Debug, Default)]
pub struct Summary {
    /// Time of the first packet that has one.
    first: Option<Duration>,
    /// The latest of all packets.
    last: Duration,
    /// Frames that the snapshot length cut short.
    pub cut: u64,
    /// Times that the clock was set back.
    pub restarts: u64,
    /// Frames that were put in the order of time.
    pub disorder: Disorder,
    /// Frames that were left out, because each packet is in the capture more than once.
    pub copies: u64,
    /// The clock was set back so often that detection was given up.
    pub gave_up: bool,
    /// Frames that were skipped, because their link layer is not read here or not described.
    pub skipped: BTreeMap<Unread, u64>,
    /// Why the kernel refused a frame: the first of those that it refused.
    pub refused: Option<LoadError>,
    /// Why it could not be read to its end.
    pub damaged: Option<CaptureError>,
}

impl Summary {
    /// From the first packet to the last.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.last.saturating_sub(self.first.unwrap_or_default())
    }

    /// Whether every frame was counted.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.refused.is_none() && self.damaged.is_none()
    }
}

impl<'r, C: Counting> Replay<'r, C> {
    /// `name` stands where an interface's name would; a query without an answer is unanswered after
    /// `timeout`.
    pub fn new(input: impl Into<Input<'r>>, counting: C, name: &str, timeout: Duration) -> Self {
        Self {
            input: input.into(),
            counting,
            stage: Stage::Frames,
            times: Times::default(),
            gap: None,
            due: VecDeque::new(),
            waiting: None,
            at_rest: false,
            at: Duration::ZERO,
            pace: None,
            follow: None,
            timeout,
            status: Status::of_capture(name, C::NAME),
            slots: Slots::default(),
            summary: Summary::default(),
        }
    }

    /// Not as fast as possible.
    #[must_use]
    pub fn paced(mut self, pace: Arc<Pace>) -> Self {
        self.pace = Some(pace);
        self
    }

    /// The capture is still written.
    #[must_use]
    pub fn following(mut self, follow: Follow) -> Self {
        self.follow = Some(follow);
        self
    }

    /// What is known of the capture. Whole once there are no more ticks.
    #[must_use]
    pub fn summary(mut self) -> Summary {
        self.summary.skipped = self.input.skipped();
        self.summary.disorder = self.input.disorder();
        self.summary.copies = self.input.left_out();
        self.summary
    }

    /// Reads and counts until a tick is due, or the capture ends. False where it has no more yet.
    fn read_on(&mut self) -> bool {
        if let Some(frame) = self.waiting.take() {
            self.counting.set_clock(self.times.now);
            count(&mut self.counting, &frame, &mut self.summary);
        }
        loop {
            let frame = match self.input.next_frame() {
                Ok(Next::Frame(frame)) => frame,
                Ok(Next::Later) => return false,
                ended => {
                    self.summary.damaged = ended.err();
                    self.stage = Stage::LastTick;
                    return true;
                }
            };
            self.summary.cut += u64::from(frame.is_cut);
            if let Some(time) = frame.time {
                if let Some(gap) = self.times.pass_to(time, &mut self.summary) {
                    self.waiting = Some(frame.bytes.to_vec());
                    self.gap = Some(gap);
                    return true;
                }
                self.counting.set_clock(self.times.now);
            }
            count(&mut self.counting, frame.bytes, &mut self.summary);
        }
    }

    /// When those queries have their time-out that have it before the last packet. Which those are is known by slots: of
    /// a slot that the time-out of some queries of lies beyond the end, all still wait.
    fn end(&self) -> Duration {
        let slots = self.slots;
        let reach = slots.length() * (slots.reach as u32).saturating_sub(1);
        let settled = self.summary.last + reach.saturating_sub(self.timeout);
        let begun = self.times.begun.unwrap_or_default();
        settled.max(begun + self.at)
    }

    /// The next tick, or that there is none yet, or any more.
    fn next_tick(&mut self) -> Step {
        loop {
            if let Some(gap) = &mut self.gap {
                // Played as fast as it was made every tick is shown.
                if let Some(mut at) = gap.next_tick(self.at_rest && self.pace.is_none()) {
                    for (tick, time) in gap.left_out() {
                        if self.counting.owes_second() {
                            gap.go_back_to(tick);
                            at = time;
                            break;
                        }
                        self.counting.maintain(time);
                    }
                    let tick = if self.summary.gave_up {
                        Tick::Rest
                    } else {
                        self.times.first.take().unwrap_or(Tick::Next)
                    };
                    return Step::Tick(at, tick);
                }
                self.gap = None;
            }
            if let Some((at, tick)) = self.due.pop_front() {
                return Step::Tick(at, tick);
            }
            match self.stage {
                Stage::Frames => {
                    if !self.read_on() {
                        return Step::Later;
                    }
                }
                Stage::LastTick => {
                    self.stage = Stage::Flush;
                    if self.times.begun.is_some() {
                        let tick = if self.summary.gave_up {
                            Tick::Rest
                        } else {
                            Tick::Next
                        };
                        let ticks = self.times.go_on_for(TICK);
                        self.due.extend(ticks.map(|at| (at, tick)));
                    }
                }
                Stage::Flush => {
                    self.stage = Stage::Over;
                    let end = self.end();
                    self.counting.set_clock(end);
                    self.counting.flush();
                    return Step::Tick(end, Tick::Rest);
                }
                Stage::Over => return Step::Over,
            }
        }
    }
}

/// What comes next.
enum Step {
    Tick(Duration, Tick),
    /// Of a capture that is followed: it has no more yet.
    Later,
    Over,
}

fn count<C: Counting>(counting: &mut C, frame: &[u8], summary: &mut Summary) {
    if let Err(error) = counting.count_frame(frame) {
        summary.refused.get_or_insert(error);
    }
}

/// The times of a capture.
#[derive(Default)]
struct Times {
    clock: PacketClock,
    /// When time began.
    begun: Option<Duration>,
    /// The latest time since then.
    now: Duration,
    /// The tick to come, where time begins with it.
    first: Option<Tick>,
}

impl Times {
    /// Moves to the time of a packet: what passes until then, if a tick does.
    fn pass_to(&mut self, time: Duration, summary: &mut Summary) -> Option<Gap> {
        summary.first.get_or_insert(time);
        summary.last = summary.last.max(time);
        let goes_back = time.saturating_add(DISORDER) < self.now;
        summary.restarts += u64::from(goes_back);
        summary.gave_up |= summary.restarts > RESTARTS;
        if summary.gave_up && goes_back {
            // Counted at the latest time: nothing can be said of when it happened.
            return None;
        }
        if self.begun.is_none() || goes_back {
            self.begun = Some(time);
            self.first = Some(Tick::Begin(WallClock {
                begun: time,
                samples: time,
            }));
        }
        let gap = self.clock.advance_to(time);
        self.now = self.clock.now();
        (!gap.is_empty()).then_some(gap)
    }

    /// Moves on: the ticks until then.
    fn go_on_for(&mut self, time: Duration) -> impl Iterator<Item = Duration> + use<> {
        let (ticks, now) = self.clock.advance(self.now.saturating_add(time));
        self.now = now;
        ticks
    }
}

impl<C: Counting> Replay<'_, C> {
    /// Waits for more of a capture that is followed.
    async fn wait(&mut self) {
        let Some(follow) = &mut self.follow else {
            return self.input.end();
        };
        match follow.wait().await {
            Grown::Perhaps => {}
            Grown::NotForLong => self.input.be_quiet(),
            Grown::NeverAgain => self.input.end(),
        }
    }
}

impl<C: Counting> Engine for Replay<'_, C> {
    async fn tick(&mut self) -> Option<Tick> {
        if let Some(follow) = &mut self.follow
            && follow.is_over().await
        {
            self.input.end();
        }
        let (time, tick) = loop {
            match self.next_tick() {
                Step::Tick(time, tick) => break (time, tick),
                Step::Over => return None,
                Step::Later => self.wait().await,
            }
        };
        self.at = time.saturating_sub(self.times.begun.unwrap_or(time));
        if let Some(pace) = &self.pace {
            pace.due(self.at).await;
        }
        if self.stage != Stage::Over {
            self.counting.maintain(time);
        }
        Some(tick)
    }

    fn samples(&mut self, samples: &mut Vec<Sample>) {
        self.counting.take_samples(samples);
    }

    fn reading(&mut self) -> Reading {
        let reading = self.counting.reading(self.at);
        self.slots = reading.window.slots;
        reading
    }

    fn ledger(&self) -> &Ledger {
        self.counting.ledger()
    }

    fn rest(&mut self, at_rest: bool) {
        self.at_rest = at_rest;
    }

    fn status(&self) -> &Status {
        &self.status
    }
}
