//! Metrics of the sensor's own host: what its kernel dropped, and the ICMP errors that it held back.

use std::fmt::Result;

use super::encode::Families;
use crate::view::View;

/// Nothing where the host is not read.
pub fn encode(families: &mut Families<'_>, view: &View) -> Result {
    let Some(host) = &view.host else {
        return Ok(());
    };
    families.counter(
        "sensor_host_icmp_errors",
        "ICMP destination unreachable errors that this host sent, and ICMP messages that its rate limit held back.",
        [
            ([("result", "sent")], host.counters.icmp_sent),
            ([("result", "held_back")], host.counters.icmp_held_back),
        ],
    )?;
    families.counter(
        "sensor_host_unread",
        "What the host said and was too much to be read: dropped packets of which it is not known whether they were DNS, DNS packets \
         that were dropped for too many different reasons, changes of links and routes.",
        [
            ([("what", "drops")], host.unparsed),
            ([("what", "reasons")], host.other_drops),
            ([("what", "changes")], host.events_missed),
        ],
    )?;
    if !host.has_drops {
        return Ok(());
    }
    families.counter(
        "sensor_host_drops_paused_seconds",
        "Time in which no drops were counted, because there were too many to count them at no cost.",
        [([("", ""); 0], host.paused.as_secs_f64())],
    )?;
    let drops = host.drops();
    let rows = drops.iter().map(|dropped| {
        let labels = [
            ("reason", dropped.kind.reason.clone()),
            ("stage", dropped.kind.stage.name().into()),
            ("way", dropped.kind.way.name().into()),
            (
                "transport",
                if dropped.kind.tcp { "tcp" } else { "udp" }.into(),
            ),
            (
                "namespace",
                dropped.kind.namespace.clone().unwrap_or_default(),
            ),
        ];
        (labels, dropped.packets)
    });
    families.counter(
        "sensor_host_dns_drops",
        "DNS packets that the kernel of this host dropped, by its reason; the namespace is empty where it is the sensor's own.",
        rows,
    )
}
