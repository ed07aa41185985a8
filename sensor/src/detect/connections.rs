//! TCP connections that are not accepted, among the newest SYNs of a server.

use std::time::Duration;

use sensor_common::class::TcpEvent;
use sensor_common::server::ServerCounters;

use super::history::{History, Span, float};
use super::interval;
use super::usual::Share;

/// The newest SYNs that are looked at, a few and more: a small part shows among many only.
pub const SYNS: [u64; 3] = [5, 15, 30];
/// All of the last ten seconds are.
const LEAST: Duration = Duration::from_secs(10);
/// And none that is older: a server of zone transfers gets one in many seconds.
const MOST: Duration = Duration::from_mins(1);
/// A SYN of the last second may be accepted yet.
const ACCEPTED: Duration = Duration::from_secs(1);
/// More than this share of them fails.
pub const FAILS: f64 = 0.3;

/// The newest SYNs that have had time to be accepted: those of ten seconds, or so many more.
#[must_use]
pub fn newest(history: &History, enough: u64) -> Span {
    let to = history.now().saturating_sub(ACCEPTED);
    let syns = |counters: &ServerCounters| counters.tcp[TcpEvent::Syn.index()];
    history.newest(to, [LEAST, MOST], enough, syns)
}

/// SYNs that were not accepted.
#[must_use]
pub fn failed(span: &Span) -> u64 {
    let [syns, accepted, _] = span.connections();
    syns.saturating_sub(accepted)
}

/// Whether the share of them may be rising: it must not be learnt as usual before it is noticed.
#[must_use]
pub fn may_rise(history: &History, usual: &Share) -> bool {
    let newest = newest(history, SYNS[1]);
    let suspicious = (FAILS / 2.0).max(usual.upper());
    interval::lower_likely(failed(&newest), newest.connections()[0]) > suspicious
}

/// Whether a SYN fails more often than `share`, which is more than chance.
#[must_use]
pub fn fail_above(span: &Span, share: f64) -> bool {
    let [syns, ..] = span.connections();
    syns >= SYNS[0] && interval::lower(float(failed(span)), float(syns)) > share
}
