//! Servers, sources, names and the sensor's own cost, for people.

use std::fmt::Write;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::objects::Losses;
use super::words::dropped::{held_back, place};
use crate::engine::kernel::cost::ProgramCost;
use crate::engine::own_cost::Spent;
use crate::host::dropped::Way;
use crate::host::totals::HostTotals;
use crate::measure::address::{ip, prefix};
use crate::measure::counted::counted;
use crate::measure::samples::Names;
use crate::measure::sketch::Heavy;
use crate::measure::window::{ServerWindow, Sources, Window};

/// Sources and names that are listed.
const TOP: usize = 3;

/// Above lines of [`server`].
pub const SERVER_HEADER: &str = "server                                     queries   responses  \
                                 unanswered      late  repeated      p50      p95  ICMP errors";

/// One server.
#[must_use]
pub fn server(key: &ServerKey, server: &ServerWindow) -> String {
    let errors: u64 = server.counters.errors.iter().sum();
    let quantile = |share| server.latency.quantile(share).map_or("-".into(), short);
    format!(
        "{:<39} {:>10}  {:>10}  {:>10}  {:>8}  {:>8}  {:>7}  {:>7}  {errors:>11}",
        ip(key).to_string(),
        server.counters.queries,
        server.counters.responses,
        server.unanswered,
        server.counters.transactions.late,
        server.counters.transactions.retransmitted,
        quantile(0.5),
        quantile(0.95),
    )
}

/// Three digits.
fn short(duration: Duration) -> String {
    let us = duration.as_secs_f64() * 1e6;
    match us {
        _ if us < 1e3 => format!("{us:.0}us"),
        _ if us < 1e5 => format!("{:.1}ms", us / 1e3),
        _ if us < 1e6 => format!("{:.0}ms", us / 1e3),
        _ => format!("{:.1}s", us / 1e6),
    }
}

/// Who asks; none where nobody does.
#[must_use]
pub fn sources(sources: &Sources) -> Option<String> {
    let top = |heavy: &[Heavy]| {
        if heavy.is_empty() {
            return "none stands out".into();
        }
        let named = heavy.iter().take(TOP);
        let named: Vec<_> = named
            .map(|heavy| format!("{} {}", prefix(&heavy.source), heavy.at_most))
            .collect();
        named.join(", ")
    };
    if sources.addresses.is_empty() && sources.networks.is_empty() {
        return (sources.distinct != 0).then(|| {
            format!(
                "sources: about {}, none of which stands out",
                sources.distinct
            )
        });
    }
    let error = match sources.error {
        0 => String::new(),
        error => format!(" (counts may be up to {error} too high)"),
    };
    Some(format!(
        "sources: about {}; most queries: {}; by network: {}{error}",
        sources.distinct,
        top(&sources.addresses),
        top(&sources.networks),
    ))
}

/// What is asked for; none where nothing is.
#[must_use]
pub fn names(names: &Names, distinct: u64) -> Option<String> {
    if names.questions == 0 {
        return (distinct != 0).then(|| format!("names: about {distinct}"));
    }
    let share = |count: u64| count * 100 / names.questions.max(1);
    let top: Vec<_> = names
        .names
        .top(TOP)
        .into_iter()
        .map(|(name, count)| format!("{name} {} %", share(count.at_most)))
        .collect();
    let suffixes: Vec<_> = names
        .suffixes
        .top(TOP)
        .into_iter()
        .map(|(name, count)| format!("{name} {} %", share(count.at_most)))
        .collect();
    Some(format!(
        "names: about {distinct}; of {}: {}; by suffix: {}",
        counted(names.questions, "sampled question"),
        top.join(", "),
        suffixes.join(", ")
    ))
}

/// What the kernel of this host dropped and held back since the session began.
#[must_use]
pub fn host(host: &HostTotals) -> String {
    let drops = host.drops();
    let top = drops.iter().take(TOP).map(|dropped| {
        let kind = &dropped.kind;
        let what = match kind.way {
            Way::ToServer => "query",
            Way::FromServer => "answer",
        };
        format!(
            "{} {} ({})",
            counted(dropped.packets, what),
            place(kind),
            kind.reason
        )
    });
    let top: Vec<String> = top.collect();
    let dropped = match (host.has_drops, top.is_empty()) {
        (false, _) => "not known why packets are dropped".into(),
        (true, true) => "dropped no DNS packet".into(),
        (true, false) => format!("dropped {}", top.join("; ")),
    };
    format!(
        "kernel, since the start: {dropped}; {}",
        held_back(host.counters.icmp_sent, host.counters.icmp_held_back)
    )
}

/// What the sensor spends and loses.
#[must_use]
pub fn own_cost(
    window: &Window,
    places: (usize, usize),
    map_bytes: usize,
    spent: Spent,
    losses: Losses,
) -> String {
    let cost = &window.cost;
    let (taken, all) = places;
    let mut text = format!(
        "sensor: loader {:.1} % of a core (the programs: doctor --cost), {} KiB, maps {} KiB; {}, \
         {} lost, {} over the limit; server table {taken} of {all}, {} evicted, {} not attributed (table full)",
        spent.cpu_percent,
        spent.rss_kib,
        map_bytes / 1024,
        counted(cost.sampled, "sample"),
        cost.samples_lost,
        cost.samples_capped,
        window.evicted,
        counted(window.refused, "packet"),
    );
    for (what, how, count) in [
        ("server", "dropped from detection", losses.servers_forgotten),
        (
            "server",
            "with symptoms beyond the incident limit",
            losses.incidents_unfollowed as u64,
        ),
        ("alert", "lost", losses.alerts_lost),
        ("line", "lost", losses.lines_lost),
    ] {
        if count != 0 {
            let _ = write!(text, ", {} {how}", counted(count, what));
        }
    }
    text
}

/// The sampling rate in words.
#[must_use]
pub fn followed(shift: u32) -> String {
    if shift == 0 {
        "every transaction".into()
    } else {
        format!("1 in {} transactions", 1_u64 << shift)
    }
}

/// What one attached program costs.
#[must_use]
pub fn program_cost(cost: &ProgramCost) -> String {
    match cost.ns() {
        Some(ns) => format!(
            "{} (program {}): {ns} ns a packet over {}, {:.2} % of a core, including the \
             measurement itself",
            cost.name,
            cost.id,
            counted(cost.packets, "packet"),
            cost.percent()
        ),
        None => format!("{} (program {}): no packets", cost.name, cost.id),
    }
}
