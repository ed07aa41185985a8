//! What is kept of an incident while it goes on: as it was read, and bounded.

pub mod asked;
pub mod outcomes;
mod path_mtu;
pub mod peaks;
pub mod recent;
pub mod running_series;
pub mod samples;
mod summary;
pub mod worst;

use std::time::Duration;

use sensor_common::server::ServerKey;

use super::record::Summary;
use crate::detect::history::Span;
use crate::host::facts::HostFacts;
use crate::measure::clock::WallClock;
use asked::AskedAround;
use outcomes::Outcomes;
use peaks::Peaks;
use recent::Recent;
use running_series::RunningSeries;
use samples::Samples;
use summary::summary;
use worst::Worst;

/// See the module.
pub struct Evidence {
    /// The minute before the onset, by the time at which things passed.
    pub before: Span,
    /// From the onset to the last symptom.
    pub during: Span,
    /// Queries by the time of asking.
    pub asked: AskedAround,
    /// Second by second.
    pub series: RunningSeries,
    /// Sampled packets.
    pub samples: Samples,
    /// How much was asked, and by how many.
    pub peaks: Peaks,
    /// How queries failed.
    pub worst: Worst,
    /// What became of sampled transactions.
    pub outcomes: Outcomes,
    /// What the server's host says.
    pub host: Option<HostFacts>,
    /// The highest sampling shift.
    pub shift: u32,
    /// Samples lost.
    pub lost: u64,
}

impl Evidence {
    /// Begins with what is known from before.
    #[must_use]
    pub fn new(server: Option<ServerKey>, recent: &Recent, now: Duration) -> Self {
        Self {
            before: Span::empty(now),
            during: Span::empty(now),
            asked: AskedAround::default(),
            series: RunningSeries::new(server.is_some()),
            samples: Samples::new(server, recent),
            peaks: Peaks::default(),
            worst: Worst::default(),
            outcomes: Outcomes::default(),
            host: None,
            shift: 0,
            lost: 0,
        }
    }

    /// Takes over what the history knows from before.
    pub fn look_back(
        &mut self,
        spans: impl Iterator<Item = Span>,
        first: Duration,
        calendar: &WallClock,
    ) {
        for span in spans {
            self.series.push(calendar.ms(span.end), &span);
            let side = if span.end < first {
                &mut self.before
            } else {
                &mut self.during
            };
            side.add(&span);
        }
    }

    /// Counts of the time before, in the form of the record.
    #[must_use]
    pub fn summary_before(&self) -> Summary {
        summary(&self.before, &self.asked.before, self.worst.latency[0])
    }

    /// The same of the time since.
    #[must_use]
    pub fn summary_during(&self) -> Summary {
        summary(&self.during, &self.asked.during, self.worst.latency[1])
    }
}
