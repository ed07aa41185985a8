//! What is said of a capture beside what was counted in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sensor_common::class::Class;

use super::all_along;
use crate::cli::Moment;
use crate::engine::replay::input::Disorder;
use crate::engine::replay::record::Unread;
use crate::measure::counted::{counted, were};
use crate::measure::window::{ServerWindow, Window};

/// What is said where there was no incident: that nothing was found, or that nothing could be.
pub(super) fn nothing_found(window: &Window, is_complete: bool) -> String {
    let totals = window.totals();
    let count = |class: Class| totals.classes[class.index()];
    let (queries, responses) = (count(Class::DnsQuery), count(Class::DnsResponse));
    if !is_complete {
        return "No incident up to where the capture could be read; nothing is known of the rest."
            .into();
    }
    if queries + responses + count(Class::IcmpError) + count(Class::DnsTcp) == 0 {
        return "Nothing to detect: the capture has no DNS packet (see --port for other ports)."
            .into();
    }
    match (queries, responses, count(Class::IcmpError)) {
        (1.., 0, 0) => {
            "No incident, and none could be detected: only queries are seen; if it was captured on a client, \
             --host ADDRESS"
                .into()
        }
        (0, 1.., _) => {
            "No incident, and no failure could be detected: only responses are seen".into()
        }
        _ => all_along::failing(window).map_or_else(
            || "No incident.".into(),
            |failing| format!("No incident: nothing changed. {failing}"),
        ),
    }
}

/// What stands for the captures in messages: their names.
pub(super) fn names(files: &[PathBuf]) -> String {
    let name = |path: &PathBuf| {
        let name = path.file_name().unwrap_or(path.as_os_str());
        name.display().to_string()
    };
    match files {
        [one] => name(one),
        [first, .., last] => format!("{} to {} ({} files)", name(first), name(last), files.len()),
        [] => String::new(),
    }
}

/// A moment as a time since 1970, where the first packet was at this one.
pub(super) fn since_1970(moment: Option<Moment>, first: Duration) -> Option<Duration> {
    moment.map(|moment| match moment {
        Moment::At(at) => at,
        Moment::After(after) => first.saturating_add(after),
    })
}

/// Frames that were put in order; `None` of none.
pub(super) fn disorder(disorder: Disorder) -> Option<String> {
    (disorder.frames != 0).then(|| {
        format!(
            "{} up to {} ms out of order, and put in order",
            were(disorder.frames, "frame"),
            disorder.most.as_millis().max(1)
        )
    })
}

/// Frames that were left out as copies; `None` of none.
pub(super) fn copies(copies: u64) -> Option<String> {
    (copies != 0).then(|| {
        format!(
            "packets are in the capture more than once, as on `any` or on a mirror port of both directions: {} left out, and \
             counts are of single packets",
            were(copies, "copy")
        )
    })
}

/// Queries that had no end when the capture ended; `None` of none.
pub(super) fn waiting(window: &Window) -> Option<String> {
    let of = |server: &ServerWindow| server.waiting.since(0);
    let waiting: u64 = window.servers.values().map(of).sum();
    (waiting != 0).then(|| {
        format!(
            "waiting: {} had neither an answer nor reached the time-out when the capture ended",
            counted(waiting, "query")
        )
    })
}

/// Frames that could not be read, by the reason; `None` of none.
pub(super) fn skipped(skipped: &BTreeMap<Unread, u64>) -> Option<String> {
    let parts: Vec<String> = skipped
        .iter()
        .map(|(why, count)| match why {
            Unread::Link(link) => {
                format!(
                    "skipped {} of {link}, which is not supported; {}",
                    counted(*count, "frame"),
                    link.advice()
                )
            }
            Unread::NoInterface => {
                format!(
                    "skipped {} of an interface that the capture does not describe",
                    counted(*count, "frame")
                )
            }
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}
