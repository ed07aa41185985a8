//! How fast a capture is played. Shared by the engine that plays it and by whoever has its keys.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// Slowest and fastest, in seconds of the capture in a second.
const SPEEDS: (f64, f64) = (1.0 / 16.0, 1024.0);

/// See the module. Begins at the start of the capture, as fast as it was made.
pub struct Pace {
    now: Mutex<Now>,
    changed: Notify,
}

/// How a capture is played now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Playing {
    /// The tick that was last, since the first packet.
    pub at: Duration,
    /// Seconds of the capture in a second.
    pub speed: f64,
    /// It stands still.
    pub stopped: bool,
    /// All was played.
    pub over: bool,
}

struct Now {
    playing: Playing,
    /// Where it was at a time of the clock; from there on it moves with its speed.
    base: Duration,
    since: Instant,
    /// It must begin anew: to go back is to play from the start to an earlier time, as fast as possible.
    rewound: bool,
}

impl Now {
    fn position(&self) -> Duration {
        if self.playing.stopped {
            return self.base;
        }
        self.base + self.since.elapsed().mul_f64(self.playing.speed)
    }

    fn rebase(&mut self, to: Duration) {
        self.base = to;
        self.since = Instant::now();
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            now: Mutex::new(Now {
                playing: Playing {
                    at: Duration::ZERO,
                    speed: 1.0,
                    stopped: false,
                    over: false,
                },
                base: Duration::ZERO,
                since: Instant::now(),
                rewound: false,
            }),
            changed: Notify::new(),
        }
    }
}

impl Pace {
    fn now(&self) -> MutexGuard<'_, Now> {
        // Nothing in it can be half done.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a tick is due, which is so long after the first packet.
    pub(super) async fn due(&self, at: Duration) {
        // Where it is played as fast as possible, signals and keys are still heard.
        tokio::task::yield_now().await;
        loop {
            let wait = {
                let mut now = self.now();
                let missing = at.saturating_sub(now.position());
                if missing.is_zero() || now.rewound {
                    now.playing.at = at;
                    return;
                }
                (!now.playing.stopped).then(|| missing.div_f64(now.playing.speed))
            };
            match wait {
                // A change wakes it early.
                Some(wait) => drop(timeout(wait, self.changed.notified()).await),
                None => self.changed.notified().await,
            }
        }
    }

    /// How it is played.
    #[must_use]
    pub fn playing(&self) -> Playing {
        self.now().playing
    }

    /// Stops it, or plays on.
    pub fn toggle(&self) {
        let mut now = self.now();
        let at = now.position();
        now.rebase(at);
        now.playing.stopped = !now.playing.stopped;
        drop(now);
        self.changed.notify_one();
    }

    /// So many times as fast.
    pub fn faster(&self, times: f64) {
        let mut now = self.now();
        let at = now.position();
        now.rebase(at);
        let (slowest, fastest) = SPEEDS;
        now.playing.speed = (now.playing.speed * times).clamp(slowest, fastest);
        drop(now);
        self.changed.notify_one();
    }

    /// So many seconds on, or back.
    pub fn seek(&self, seconds: i64) {
        let mut now = self.now();
        let step = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            let to = now.playing.at.saturating_sub(step);
            now.rebase(to);
            now.rewound = true;
        } else {
            let to = now.playing.at + step;
            now.rebase(to);
        }
        drop(now);
        self.changed.notify_one();
    }

    /// All was played.
    pub fn set_over(&self) {
        self.now().playing.over = true;
    }

    /// Whether it must begin anew; that is told once.
    pub fn take_rewound(&self) -> bool {
        let mut now = self.now();
        let rewound = std::mem::take(&mut now.rewound);
        if rewound {
            now.playing.over = false;
            now.playing.at = Duration::ZERO;
        }
        rewound
    }

    /// Waits until it must begin anew.
    pub async fn rewound(&self) {
        // A change is also told to who waits for the next tick, so it is asked again now and then.
        const AGAIN: Duration = Duration::from_millis(20);
        while !self.now().rewound {
            sleep(AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    }

    #[test]
    fn what_lies_before_the_position_is_played_at_once() {
        runtime().block_on(async {
            let pace = Pace::default();
            pace.seek(3_600);
            let begun = Instant::now();
            pace.due(Duration::from_hours(1)).await;
            assert!(begun.elapsed() < Duration::from_secs(1));
            assert_eq!(pace.playing().at, Duration::from_hours(1));
        });
    }

    #[test]
    fn it_stands_still_until_it_plays_on() {
        runtime().block_on(async {
            let pace = Pace::default();
            pace.toggle();
            let due = pace.due(Duration::from_millis(1));
            let waited = timeout(Duration::from_millis(50), due).await;
            assert!(waited.is_err());
            pace.toggle();
            pace.due(Duration::from_millis(1)).await;
        });
    }

    #[test]
    fn to_go_back_is_to_begin_anew() {
        runtime().block_on(async {
            let pace = Pace::default();
            pace.seek(60);
            pace.due(Duration::from_mins(1)).await;
            pace.seek(-10);
            // What waits is let go, so that it can end.
            pace.due(Duration::from_hours(1)).await;
            pace.rewound().await;
            assert!(pace.take_rewound() && !pace.take_rewound());
            pace.due(Duration::from_secs(50)).await;
        });
    }

    #[test]
    fn speed_is_bounded() {
        let pace = Pace::default();
        for _ in 0..40 {
            pace.faster(2.0);
        }
        assert!((pace.playing().speed - 1024.0).abs() < 1e-9);
    }
}
