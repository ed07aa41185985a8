//! What the operating system says of this process, by the names that all exporters use.

use procfs::process::{LimitValue, Process};

/// At the time of a scrape.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// CPU time of all threads, in seconds.
    pub cpu_seconds: f64,
    /// Start, in seconds since 1970.
    pub start_seconds: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Virtual memory, in bytes.
    pub virtual_bytes: u64,
    /// Open files.
    pub open_files: u64,
    /// Files that may be open.
    pub max_files: u64,
}

impl Usage {
    /// Now; none where /proc cannot be read.
    #[must_use]
    pub fn now() -> Option<Self> {
        let process = Process::myself().ok()?;
        let stat = process.stat().ok()?;
        let ticks = seconds(procfs::ticks_per_second());
        let boot = procfs::boot_time_secs().ok()?;
        let max_files = match process.limits().ok()?.max_open_files.soft_limit {
            LimitValue::Value(files) => files,
            LimitValue::Unlimited => u64::MAX,
        };
        Some(Self {
            cpu_seconds: seconds(stat.utime + stat.stime) / ticks,
            start_seconds: seconds(boot) + seconds(stat.starttime) / ticks,
            resident_bytes: stat.rss.saturating_mul(procfs::page_size()),
            virtual_bytes: stat.vsize,
            open_files: u64::try_from(process.fd_count().ok()?).unwrap_or(u64::MAX),
            max_files,
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times and ticks stay far below 2^53"
)]
fn seconds(count: u64) -> f64 {
    count as f64
}
