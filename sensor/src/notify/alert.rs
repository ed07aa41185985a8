//! What is told to all receivers.

use sensor_common::sample::Sample;

use crate::incident::{Change, Record};
use crate::measure::clock::WallClock;
use crate::present::incident::IncidentObject;

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

impl Alert {
    /// With the object that is told.
    #[must_use]
    pub fn new(
        change: Option<Change>,
        record: Record,
        packets: Vec<Sample>,
        calendar: WallClock,
    ) -> Self {
        let json = serde_json::to_string(&IncidentObject::new(&record, change));
        Self {
            change,
            packets,
            calendar,
            // A record of strings and numbers always has a form in JSON.
            json: json.unwrap_or_default(),
            record,
        }
    }
}
