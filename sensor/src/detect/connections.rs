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
/// A service that is restarted refuses connections for so long at most.
const RESTART: Duration = Duration::from_secs(6);
/// A SYN of the last second may be accepted yet.
const ACCEPTED: Duration = Duration::from_secs(1);
/// More than this share of them fails.
pub const FAILS: f64 = 0.3;

/// Whether any SYN is known.
#[must_use]
pub fn are_known(history: &History) -> bool {
    history.has_any(|counters| counters.tcp[TcpEvent::Syn.index()])
}

/// The newest SYNs that have had time to be accepted: those of ten seconds, or so many more.
#[must_use]
pub fn newest(history: &History, enough: u64) -> Span {
    let to = history.now().saturating_sub(ACCEPTED);
    let syns = |counters: &ServerCounters| counters.tcp[TcpEvent::Syn.index()];
    history.newest(to, [LEAST, MOST], enough, syns)
}

/// The same of as long as a restart may take, or so many more.
#[must_use]
pub fn of_a_restart(history: &History, enough: u64) -> Span {
    let to = history.now().saturating_sub(ACCEPTED);
    let syns = |counters: &ServerCounters| counters.tcp[TcpEvent::Syn.index()];
    history.newest(to, [RESTART, MOST], enough, syns)
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
    usual.may_rise(failed(&newest), newest.connections()[0], FAILS / 2.0)
}

/// Whether a SYN fails more often than `share`, which is more than chance.
#[must_use]
pub fn fail_above(span: &Span, share: f64) -> bool {
    let [syns, ..] = span.connections();
    syns >= SYNS[0] && interval::lower(float(failed(span)), float(syns)) > share
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One SYN a tick of four seconds, each accepted or not, up to the second before now.
    fn history(accepted: &[bool]) -> History {
        let mut history = History::new(Duration::ZERO);
        let mut end = Duration::ZERO;
        for accepted in accepted {
            end += Duration::from_secs(4);
            let mut span = Span::empty(end);
            span.elapsed = Duration::from_secs(4);
            span.counters.tcp[TcpEvent::Syn.index()] = 1;
            span.counters.tcp[TcpEvent::SynAck.index()] = u64::from(*accepted);
            history.push(&span);
        }
        history.push(&Span::empty(end + ACCEPTED));
        history
    }

    #[test]
    fn as_many_syns_as_it_takes_are_looked_at_but_none_older_than_a_minute() {
        let seen = |many: usize, enough| newest(&history(&vec![true; many]), enough).connections();
        assert_eq!(seen(30, 5), [5, 5, 0]);
        assert_eq!(seen(30, 30), [15, 15, 0], "a minute of them");
        assert_eq!(seen(2, 5), [2, 2, 0]);
        assert_eq!(seen(0, 5), [0, 0, 0]);
    }

    #[test]
    fn all_of_the_last_ten_seconds_are_looked_at() {
        assert_eq!(newest(&history(&[true; 20]), 1).connections()[0], 3);
    }

    #[test]
    fn a_syn_of_the_last_second_may_be_accepted_yet() {
        let mut history = history(&[true; 5]);
        let mut span = Span::empty(history.now());
        span.counters.tcp[TcpEvent::Syn.index()] = 9;
        history.push(&span);
        assert_eq!(failed(&newest(&history, 30)), 0);
    }

    #[test]
    fn a_part_of_the_newest_is_enough_and_one_of_few_is_not() {
        let above =
            |accepted: &[bool], enough| fail_above(&newest(&history(accepted), enough), FAILS);
        assert!(above(&[false; 5], 5));
        assert!(!above(&[false; 4], 5), "too few");
        assert!(!above(&[false, true, true, true, true], 5));
        let half: Vec<bool> = (0..30).map(|n| n % 5 == 0).collect();
        assert!(above(&half, 15));
    }

    #[test]
    fn what_may_be_rising_is_not_learnt() {
        let mut usual = Share::default();
        usual.learn(0, 1_000);
        assert!(may_rise(&history(&[false; 3]), &usual));
        assert!(!may_rise(&history(&[true; 15]), &usual));
    }
}
