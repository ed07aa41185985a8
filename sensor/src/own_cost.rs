//! What this process spends.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// Measures from one asking to the next.
pub struct Meter {
    asked: Instant,
    cpu: Duration,
}

/// Spent by this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Of one core, since it was last asked.
    pub cpu_percent: f64,
    /// Largest resident set so far, in KiB.
    pub rss_kib: u64,
}

impl Meter {
    /// From now on.
    #[must_use]
    pub fn new() -> Self {
        Self {
            asked: Instant::now(),
            cpu: usage().0,
        }
    }

    /// Since it was last asked.
    pub fn spent(&mut self) -> Spent {
        let (cpu, rss_kib) = usage();
        let elapsed = self.asked.elapsed().as_secs_f64();
        let used = cpu.saturating_sub(self.cpu).as_secs_f64();
        self.asked = Instant::now();
        self.cpu = cpu;
        Spent {
            cpu_percent: if elapsed > 0.0 {
                100.0 * used / elapsed
            } else {
                0.0
            },
            rss_kib,
        }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

/// CPU time of all threads, and the largest resident set in KiB (getrusage(2)).
fn usage() -> (Duration, u64) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return (Duration::ZERO, 0);
    };
    let time = |time: nix::sys::time::TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    let rss = u64::try_from(usage.max_rss()).unwrap_or(0);
    (time(usage.user_time()) + time(usage.system_time()), rss)
}
