//! One source asks many servers in vain: it looks for servers, and no server is down for that.

use crate::detect::history::float;
use crate::detect::network::Vain;
use crate::detect::{Level, Place, Reading, Rule, Thresholds, Unit};
use crate::ip::ip;

/// See the module.
pub fn read(vain: &Vain, place: &Place, limits: &Thresholds) -> Reading {
    let widest = vain.scans.iter().max_by_key(|(_, servers)| servers.len());
    let many = widest.map_or(0, |(_, servers)| servers.len());
    let reading = Reading::new(
        Rule::Scan,
        Unit::Count,
        float(many as u64),
        float(limits.scan_destinations as u64),
        None,
    );
    if place.partly_blind {
        return reading.unknown("part of the traffic is no longer counted, answers may be in it");
    }
    reading.graded().at_most(Level::Warning).saying(|| {
        let source = widest.map_or_else(String::new, |(source, _)| ip(source).to_string());
        format!("{source} asked {many} addresses that never answered")
    })
}
