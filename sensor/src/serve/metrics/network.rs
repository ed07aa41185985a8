//! Metrics of interfaces, of all servers together, of incidents, and of the sensor itself.

use std::collections::BTreeMap;
use std::fmt::Result;

use sensor_common::class::Class;
use sensor_common::settings::Direction;

use super::encode::Families;
use super::ended::{Ended, is_over};
use super::process::Usage;
use crate::detect::Level;
use crate::present::names;
use crate::view::View;

/// No label.
const PLAIN: [(&str, &str); 0] = [];

/// What is counted by interface or not by server at all. `lost` is what was lost in serving.
pub fn encode(families: &mut Families<'_>, view: &View, lost: &[(&'static str, u64)]) -> Result {
    families.info(
        "sensor_build",
        "Version of the sensor, and what counts.",
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("engine", view.sensor.engine),
        ],
    )?;
    families.gauge(
        "sensor_snapshot_timestamp_seconds",
        "When all of this was counted.",
        [(PLAIN, float(view.at_ms) / 1e3)],
    )?;
    let lanes = || {
        view.interfaces.iter().flat_map(|interface| {
            let totals = interface.totals.iter();
            totals.map(|(direction, totals)| (&*interface.name, *direction, totals))
        })
    };
    families.counter(
        "sensor_packets",
        "Packets by what they are; each has one class.",
        lanes().flat_map(|(interface, direction, totals)| {
            Class::ALL.iter().map(move |class| {
                let labels = [
                    ("interface", interface),
                    ("direction", direction_name(direction)),
                    ("class", class.name()),
                ];
                (labels, totals.classes[class.index()])
            })
        }),
    )?;
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    for (_, _, totals) in lanes() {
        let counts = totals.qtype.iter().enumerate();
        for (number, count) in counts.filter(|(_, count)| **count > 0) {
            *types.entry(names::qtype(number)).or_default() += count;
        }
    }
    families.counter(
        "sensor_dns_questions",
        "DNS queries by the type of their question, on all interfaces.",
        types
            .iter()
            .map(|(name, count)| ([("type", name.as_str())], *count)),
    )?;
    families.gauge(
        "sensor_sources",
        "Different sources of queries in the last second, within 3 %.",
        [(PLAIN, float(view.network.sources))],
    )?;
    families.gauge(
        "sensor_names",
        "Different names in questions in the last second, within 3 %.",
        [(PLAIN, float(view.network.names))],
    )?;
    families.counter(
        "sensor_lost",
        "What was not counted, not kept or not told, by what it was.",
        view.sensor
            .lost
            .iter()
            .chain(lost)
            .map(|(what, count)| ([("what", *what)], *count)),
    )?;
    families.counter(
        "sensor_alerts",
        "Alerts by way, and whether the receiver took them.",
        view.sensor.alerts.iter().flat_map(|alerts| {
            [("sent", alerts.sent), ("failed", alerts.failed)]
                .map(|(result, count)| ([("way", alerts.way), ("result", result)], count))
        }),
    )
}

/// Incidents.
pub fn incidents(families: &mut Families<'_>, view: &View, ended: &Ended) -> Result {
    let open = |level: Level| {
        let records = view.incidents.iter();
        records
            .filter(|record| !is_over(record) && record.level == level)
            .count()
    };
    families.gauge(
        "sensor_incidents_open",
        "Incidents that go on, by the worst level that each had.",
        [Level::Warning, Level::Critical].map(|level| {
            let count = u32::try_from(open(level)).unwrap_or(u32::MAX);
            ([("level", level.name())], f64::from(count))
        }),
    )?;
    families.counter(
        "sensor_incidents",
        "Incidents that are over, by the cause that was the likeliest at their end; no server where the whole network was \
         concerned.",
        ended
            .by_cause()
            .map(|(server, cause, count)| ([("server", server), ("cause", cause)], count)),
    )
}

/// The process.
pub fn process(families: &mut Families<'_>, usage: Option<Usage>) -> Result {
    let Some(usage) = usage else {
        return Ok(());
    };
    families.counter(
        "process_cpu_seconds",
        "CPU time of all threads, without that of the packet program.",
        [(PLAIN, usage.cpu_seconds)],
    )?;
    for (name, help, value) in [
        (
            "process_start_time_seconds",
            "Start, in seconds since 1970.",
            usage.start_seconds,
        ),
        (
            "process_resident_memory_bytes",
            "Resident memory.",
            float(usage.resident_bytes),
        ),
        (
            "process_virtual_memory_bytes",
            "Virtual memory.",
            float(usage.virtual_bytes),
        ),
        (
            "process_open_fds",
            "Open file descriptors.",
            float(usage.open_files),
        ),
        (
            "process_max_fds",
            "File descriptors that may be open.",
            float(usage.max_files),
        ),
    ] {
        families.gauge(name, help, [(PLAIN, value)])?;
    }
    Ok(())
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floating-point numbers in all formats"
)]
fn float(value: u64) -> f64 {
    value as f64
}
