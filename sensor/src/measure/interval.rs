//! What a display shows at once: a number of ticks.

use crate::measure::second::Seconds;
use crate::measure::window::{Reading, Window};

/// Adds up readings. What is shown of them changes nothing in them.
pub struct Interval {
    /// How many make one.
    ticks: u32,
    passed: u32,
    window: Window,
    /// Those that ended in it.
    seconds: Option<Seconds>,
    /// Who asked in the last interval in which a second ended.
    shown: Seconds,
}

impl Interval {
    /// Of so many ticks; at least one.
    #[must_use]
    pub fn of(ticks: u32) -> Self {
        Self {
            ticks: ticks.max(1),
            passed: 0,
            window: Window::empty(),
            seconds: None,
            shown: Seconds::default(),
        }
    }

    /// Adds what was counted before a tick.
    pub fn add(&mut self, reading: &Reading) {
        self.window.add(&reading.window);
        if let Some(second) = &reading.second {
            self.seconds.get_or_insert_default().add(second);
        }
    }

    /// Adds a tick. Gives the sum where the interval is over, and begins the next.
    pub fn tick(&mut self, reading: &Reading) -> Option<Window> {
        self.add(reading);
        self.passed += 1;
        (self.passed >= self.ticks).then(|| self.end())
    }

    /// Ticks since the last interval ended.
    #[must_use]
    pub fn passed(&self) -> u32 {
        self.passed
    }

    /// Ends the interval, and begins the next.
    pub fn end(&mut self) -> Window {
        self.passed = 0;
        let mut window = std::mem::replace(&mut self.window, Window::empty());
        // An interval shorter than a second shows the sources of the last second.
        if let Some(seconds) = self.seconds.take() {
            self.shown = seconds;
        }
        window.sources = self.shown.sources();
        window.names = self.shown.names();
        window
    }
}
