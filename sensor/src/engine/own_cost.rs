//! What this process spends.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::unistd::{SysconfVar, sysconf};

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
    /// Resident memory now, in KiB.
    pub rss_kib: u64,
}

impl Meter {
    /// From now on.
    #[must_use]
    pub fn new() -> Self {
        Self {
            asked: Instant::now(),
            cpu: cpu_time(),
        }
    }

    /// Since it was last asked.
    pub fn spent(&mut self) -> Spent {
        let cpu = cpu_time();
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
            rss_kib: resident_kib().unwrap_or(0),
        }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

/// CPU time of all threads (getrusage(2)).
fn cpu_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let time = |time: TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    time(usage.user_time()) + time(usage.system_time())
}

/// Resident memory (`proc_pid_statm(5)`, second field, in pages).
fn resident_kib() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * u64::try_from(page).ok()? / 1024)
}
