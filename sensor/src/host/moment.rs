//! A short time, and what the host counted in it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counters::Counters;
use super::dropped::Drop;

/// What grew between two readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// Time between them.
    pub length: Duration,
    /// Of the network stack.
    pub counters: Counters,
    /// Dropped DNS packets; none where there is no drop program.
    pub drops: Option<BTreeMap<Drop, u64>>,
    /// Dropped packets of which it is not known what they were: there were too many.
    pub unparsed: u64,
    /// Time in which no drops were counted, because there were too many.
    pub paused: Duration,
}
