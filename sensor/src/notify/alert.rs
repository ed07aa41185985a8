//! What is told to all receivers.

use sensor_common::sample::Sample;

use crate::incident::{Change, Record};
use crate::measure::clock::WallClock;

/// One change of an incident.
pub struct Alert {
    /// What has changed; none where a record is only brought up to date.
    pub change: Option<Change>,
    /// The incident as it is now.
    pub record: Record,
    /// Its packets.
    pub packets: Vec<Sample>,
    /// For their times.
    pub calendar: WallClock,
    /// The object that is told, in JSON.
    pub json: String,
}
