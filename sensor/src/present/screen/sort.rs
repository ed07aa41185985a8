//! The order of the servers.

use std::cmp::Ordering;

use crate::view::ServerView;

/// By what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The worst state, then the highest rate.
    #[default]
    State,
    /// The highest rate.
    Rate,
    /// The least answered.
    Answered,
    /// The slowest.
    P95,
    /// The latest change of state.
    Since,
    /// The address.
    Address,
}

impl Sort {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::State => Self::Rate,
            Self::Rate => Self::Answered,
            Self::Answered => Self::P95,
            Self::P95 => Self::Since,
            Self::Since => Self::Address,
            Self::Address => Self::State,
        }
    }

    /// Which of two comes first. What has no answer, or no latency, comes last.
    #[must_use]
    pub fn order(self, a: &ServerView, b: &ServerView) -> Ordering {
        let rate = || b.now.queries.total_cmp(&a.now.queries);
        let by = match self {
            Self::State => b.state.cmp(&a.state),
            Self::Rate => rate(),
            Self::Answered => {
                let share = |server: &ServerView| server.now.answered_share.unwrap_or(2.0);
                share(a).total_cmp(&share(b))
            }
            Self::P95 => b.now.p95.cmp(&a.now.p95),
            Self::Since => b.since_ms.cmp(&a.since_ms),
            Self::Address => a.address.cmp(&b.address),
        };
        by.then_with(rate).then(a.address.cmp(&b.address))
    }
}
