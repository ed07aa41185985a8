//! A series of snapshots in one sentence.

use sensor_common::class::ErrorKind;
use sensor_common::server::{ServerCounters, ServerKey};

use crate::ip::ip;
use crate::snapshot::Snapshot;
use crate::window::{ServerWindow, Window};

/// What happened to the server that ICMP "port unreachable" was sent about.
#[must_use]
pub fn outage(snapshots: &[Snapshot]) -> String {
    let windows = snapshots
        .windows(2)
        .map(|pair| Window::between(&pair[0], &pair[1]));
    let broken = windows.enumerate().find_map(|(at, window)| {
        let (key, _) = window
            .servers
            .iter()
            .find(|(_, server)| port_errors(&server.counters) != 0)?;
        Some((at, *key))
    });
    let (Some((at, key)), Some(first), Some(last)) = (broken, snapshots.first(), snapshots.last())
    else {
        return "What was seen: every server that was asked was reachable.".into();
    };
    // The interval with the first error is partly healthy if anything was answered in it.
    let split = &snapshots[if answered_in(&snapshots[at], &snapshots[at + 1], &key) {
        at + 1
    } else {
        at
    }];
    let before = Window::between(first, split);
    let after = Window::between(split, last);
    let all = Window::between(&snapshots[at], last);
    let (healthy, failed) = (of(&before, &key), of(&after, &key));
    let errors = all
        .servers
        .get(&key)
        .map_or(0, |s| port_errors(&s.counters));
    format!(
        "What was seen: {server} answered {} of {} queries until second {:.0}; after that it answered \
         {} of {}, and {errors} times an ICMP \"udp port 53 unreachable\" came back{}: {}.",
        healthy.responses,
        healthy.queries,
        split.at.as_secs_f64(),
        failed.responses,
        failed.queries,
        sender(&all, &key),
        conclusion(&all, &key),
        server = ip(&key),
    )
}

fn answered_in(then: &Snapshot, now: &Snapshot, key: &ServerKey) -> bool {
    of(&Window::between(then, now), key).responses != 0
}

fn port_errors(counters: &ServerCounters) -> u64 {
    counters.errors[ErrorKind::Port.index()]
}

fn of(window: &Window, key: &ServerKey) -> ServerCounters {
    window
        .servers
        .get(key)
        .map_or_else(bytemuck::Zeroable::zeroed, |server| server.counters)
}

fn from_itself(window: &Window, key: &ServerKey) -> bool {
    let server: Option<&ServerWindow> = window.servers.get(key);
    server.is_some_and(|server| server.error_sender == Some(*key))
}

fn sender(window: &Window, key: &ServerKey) -> String {
    if from_itself(window, key) {
        return " from the server's own address".into();
    }
    let sender = window
        .servers
        .get(key)
        .and_then(|server| server.error_sender);
    sender.map_or_else(String::new, |sender| format!(" from {}", ip(&sender)))
}

fn conclusion(window: &Window, key: &ServerKey) -> &'static str {
    if from_itself(window, key) {
        "its host is up, and nothing listens on UDP port 53 there (or its own firewall rejects it)"
    } else {
        "another host rejects the queries on their way"
    }
}
