//! Which servers have a label of their own. A label is a series for ever in the database that scrapes, so there are at
//! most [`LABELS`], and one stays for [`STICKY_MS`] after its server was last among the busiest or bad.
//!
//! What a server counted without a label is in `other`, and what it counts with one is in its own series: nothing
//! is counted twice, nothing jumps, and `other` only grows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::counts::Counts;
use crate::view::{ServerView, State, View};

/// Servers with a label of their own.
pub const LABELS: usize = 64;
/// How long a label stays, in milliseconds.
pub const STICKY_MS: u64 = 3_600_000;

/// See the module.
#[derive(Debug)]
pub struct Labels {
    own: BTreeMap<IpAddr, Label>,
    /// What those counted that had a label.
    retired: Counts,
    other: Counts,
    /// Counted at the last update, by servers without a label too.
    known: BTreeMap<IpAddr, Counts>,
}

/// A server with a label.
#[derive(Debug)]
struct Label {
    wanted_ms: u64,
    is_bad: bool,
    /// Counted before it had one.
    before: Counts,
    own: Counts,
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            own: BTreeMap::new(),
            retired: Counts::ZERO,
            other: Counts::ZERO,
            known: BTreeMap::new(),
        }
    }
}

impl Labels {
    /// Servers and counts of now.
    pub fn update(&mut self, view: &View) {
        let now: BTreeMap<IpAddr, Counts> = view
            .servers
            .iter()
            .map(|server| (server.address, Counts::of(&server.totals)))
            .collect();
        self.choose(view);
        for (address, label) in &mut self.own {
            let Some(counts) = now.get(address) else {
                continue;
            };
            if counts.is_before(&label.before) {
                // It was forgotten and found again: it counts from nothing.
                label.before = Counts::ZERO;
                self.retired.add(&label.own);
                label.own = Counts::ZERO;
            }
            label.own = counts.without(&label.before).at_least(&label.own);
        }
        let mut all = Counts::of(&view.others);
        for counts in now.values() {
            all.add(counts);
        }
        let mut labelled = self.retired;
        self.own.values().for_each(|label| labelled.add(&label.own));
        self.other = all.without(&labelled).at_least(&self.other);
        self.known = now;
    }

    /// Gives labels to those that are bad or busy, and takes them from those that have not been so for long.
    fn choose(&mut self, view: &View) {
        let at_ms = view.at_ms;
        let mut busiest: Vec<&ServerView> = view.servers.iter().map(AsRef::as_ref).collect();
        busiest.sort_by(|a, b| {
            let bad = is_bad(b).cmp(&is_bad(a));
            bad.then(b.minute.queries.total_cmp(&a.minute.queries))
                .then_with(|| b.totals.packets().cmp(&a.totals.packets()))
        });
        busiest.truncate(LABELS);
        for label in self.own.values_mut() {
            label.is_bad = false;
        }
        for server in &busiest {
            if let Some(label) = self.own.get_mut(&server.address) {
                label.wanted_ms = at_ms;
                label.is_bad = is_bad(server);
            }
        }
        let late: Vec<IpAddr> = self
            .own
            .iter()
            .filter(|(_, label)| at_ms.saturating_sub(label.wanted_ms) >= STICKY_MS)
            .map(|(address, _)| *address)
            .collect();
        for address in late {
            self.retire(address);
        }
        for server in busiest {
            if self.own.contains_key(&server.address) {
                continue;
            }
            if self.own.len() >= LABELS && !(is_bad(server) && self.make_room()) {
                continue;
            }
            let before = self.known.get(&server.address);
            let label = Label {
                wanted_ms: at_ms,
                is_bad: is_bad(server),
                before: before.copied().unwrap_or(Counts::ZERO),
                own: Counts::ZERO,
            };
            self.own.insert(server.address, label);
        }
    }

    /// Of those that are not bad, the one that was busy longest ago gives way to one that is.
    fn make_room(&mut self) -> bool {
        let labels = self.own.iter().filter(|(_, label)| !label.is_bad);
        let first = labels.min_by_key(|(_, label)| label.wanted_ms);
        let address = first.map(|(address, _)| *address);
        address.is_some_and(|address| {
            self.retire(address);
            true
        })
    }

    fn retire(&mut self, address: IpAddr) {
        if let Some(label) = self.own.remove(&address) {
            self.retired.add(&label.own);
        }
    }

    /// Servers with a label and what each counted since it has it, in the order of their addresses.
    pub fn own(&self) -> impl Iterator<Item = (IpAddr, &Counts)> {
        self.own
            .iter()
            .map(|(address, label)| (*address, &label.own))
    }

    /// What all others counted.
    #[must_use]
    pub fn other(&self) -> &Counts {
        &self.other
    }

    /// Whether a server has a label.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.own.contains_key(&address)
    }
}

fn is_bad(server: &ServerView) -> bool {
    server.state >= State::Degraded
}
