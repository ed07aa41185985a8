//! What may be lost: one table of codes, which stay as they are.

/// Something that the sensor could not keep, follow or deliver. What is counted as usual and only told in less
/// detail is no loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Sampled packets that found the ring buffer full, because the loader was held up.
    SamplesLost,
    /// Sampled packets that were wanted and not taken, because there were too many in a tick.
    SamplesCapped,
    /// Packets of servers that found no place in the kernel's table: counted without their server.
    PacketsRefused,
    /// Queries that were to be followed and found their cell taken: their outcome is not known.
    QueriesUntracked,
    /// Ticks that came so late that the outcomes in them cannot be laid beside the time of their queries.
    TicksLate,
    /// Servers that detection forgot, because there were more than it follows.
    ServersForgotten,
    /// Alerts that found the queue of a slow receiver full.
    AlertsLost,
}

impl Loss {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::SamplesLost,
        Self::SamplesCapped,
        Self::PacketsRefused,
        Self::QueriesUntracked,
        Self::TicksLate,
        Self::ServersForgotten,
        Self::AlertsLost,
    ];

    /// The code used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SamplesLost => "samples_lost",
            Self::SamplesCapped => "samples_capped",
            Self::PacketsRefused => "packets_refused",
            Self::QueriesUntracked => "queries_untracked",
            Self::TicksLate => "ticks_late",
            Self::ServersForgotten => "servers_forgotten",
            Self::AlertsLost => "alerts_lost",
        }
    }
}
