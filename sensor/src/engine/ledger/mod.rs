//! Where CPUs and evictions are added up, once: nothing above knows of either.
//!
//! The packet program counts each server in a place of a table, of which each CPU has its own, and a server may
//! lose its place and get another. Here, each server has one account. What was read of it stays its own; only
//! what was never read under its address is in `other`.
//!
//! A reading reads what has changed: the places that the program has marked since the last one, and the
//! histograms of the servers in them.

mod accounts;
mod histograms;
mod places;
mod ring;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use sensor_common::server::{Cohorts, ServerEntry, ServerKey};
use sensor_common::settings::Settings;

use crate::engine::maintenance::State;
use crate::measure::cohort::{self, Slots};
use crate::measure::counters::Counters;
use crate::measure::latency::Latency;
use crate::measure::window::{ServerWindow, Window};
pub use accounts::ServerTotals;
use accounts::{Account, Accounts, Delta};
use histograms::CpuHistograms;
use places::{Beside, CpuPlaces};

/// Fine histograms that a reading reads at most: 3 MB. The next one goes on.
const HISTOGRAMS: usize = 4096;

/// See the module.
pub struct Ledger {
    places: Vec<CpuPlaces>,
    histograms: Vec<CpuHistograms>,
    accounts: Accounts,
    /// Numbers of the accounts that change in the reading that is made.
    changed: Vec<usize>,
    /// And of those of which something is open.
    open: Vec<usize>,
    /// And of those whose latency waits to be told.
    queue: VecDeque<usize>,
    slots: Slots,
    /// Slots in which a transaction may still end.
    reach: u64,
    /// Number of the reading.
    reading: u64,
    one_direction: bool,
}

impl Ledger {
    /// For an engine whose counters are all 0.
    #[must_use]
    pub fn new(settings: &Settings, cpus: u32) -> Self {
        let (bits, reach) = Slots::shape(settings);
        Self {
            places: (0..cpus).map(|_| CpuPlaces::new()).collect(),
            histograms: (0..cpus).map(|_| CpuHistograms::new()).collect(),
            accounts: Accounts::new(),
            changed: Vec::new(),
            open: Vec::new(),
            queue: VecDeque::new(),
            slots: Slots {
                bits,
                reach,
                ..Slots::default()
            },
            reach: u64::from(settings.timeout >> settings.tick_bits) + 1,
            reading: 0,
            one_direction: false,
        }
    }

    /// Only one direction is seen: then nothing is unanswered.
    pub fn see_one_direction(&mut self) {
        self.one_direction = true;
    }

    /// What each server has counted since it is known.
    pub fn servers(&self) -> impl Iterator<Item = (&ServerKey, &ServerTotals)> {
        let all = self.accounts.iter();
        all.map(|account| (&account.key, &account.totals))
    }

    /// What one server has counted.
    #[must_use]
    pub fn server(&self, key: &ServerKey) -> Option<&ServerTotals> {
        self.accounts.get(key).map(|account| &account.totals)
    }

    /// What all others have counted, of which nothing is known any more, or never was.
    #[must_use]
    pub fn other(&self) -> &ServerTotals {
        &self.accounts.other
    }

    /// What has been counted of servers by now, and was not read before.
    pub fn read(&mut self, state: &mut impl State, at: Duration) -> Window {
        let mut window = Window::empty();
        self.reading += 1;
        let then = self.slots;
        self.slots.at = at;
        self.slots.began = state.clock();
        window.elapsed = at.saturating_sub(then.at);
        let mut beside = Beside::new();
        self.read_places(state, &mut beside);
        self.slots.ended = state.clock();
        window.slots = self.slots;
        window.gap = self.reading > 1 && self.slots.gap_since(&then);
        if self.slots.ended < then.began {
            self.accounts.end_rings();
        }
        window.other = beside.counters;
        window.evicted = beside.evicted;
        window.refused = beside.refused;
        window.cost.places = beside.used;
        self.post(&beside.cohorts, &mut window);
        self.tell_latency(state, &mut window);
        for cpu in 0..self.places.len() as u32 {
            let (assigned, replaced) = histograms::in_use(state, cpu);
            window.cost.histograms += assigned;
            window.cost.histograms_replaced += replaced;
        }
        window
    }

    /// Adds up what has changed in the tables of all CPUs.
    fn read_places(&mut self, state: &mut impl State, beside: &mut Beside) {
        self.changed.clear();
        let (accounts, changed, reading) = (&mut self.accounts, &mut self.changed, self.reading);
        let mut rest = Delta::new();
        for (places, cpu) in self.places.iter_mut().zip(0..) {
            places.read(state, cpu, beside, |now, known| {
                let guess = (known.account as usize).checked_sub(1);
                let Some(number) = accounts.number(&now.key, guess, reading) else {
                    rest.add(now, &known.entry);
                    return;
                };
                known.account = number as u64 + 1;
                let account = accounts.at(number);
                if account.changed != reading {
                    account.changed = reading;
                    account.delta = Delta::new();
                    changed.push(number);
                }
                account.delta.add(now, &known.entry);
                note(account, now, &known.entry, cpu);
            });
        }
        beside.counters.add(&rest.counters);
        cohort::add(&mut beside.cohorts, &rest.cohorts);
    }

    /// Books what has changed, and tells it.
    fn post(&mut self, other: &Cohorts, window: &mut Window) {
        let (slots, gap, one_direction) = (self.slots, window.gap, self.one_direction);
        let (now, reach, reading) = (slots.began >> slots.bits, self.reach, self.reading);
        for number in &self.changed {
            let account = self.accounts.at(*number);
            if !std::mem::replace(&mut account.is_open, true) {
                self.open.push(*number);
            }
        }
        self.open
            .sort_unstable_by_key(|number| self.accounts.at(*number).key);
        self.open.retain(|number| {
            let account = self.accounts.at(*number);
            let mut server = ServerWindow::empty();
            if account.changed == reading {
                server.counters = account.delta.counters;
                server.cohorts = slots.changes(&account.delta.cohorts, gap);
                account.totals.counters.add(&server.counters);
            }
            if !one_direction {
                account.ring.add(&server.cohorts, gap);
                server.unanswered = account.ring.unanswered(now, reach);
                server.waiting = account.ring.waiting(now);
                account.totals.unanswered += server.unanswered;
            }
            server.error_sender = account.error_sender;
            window.servers.insert(account.key, server);
            account.is_open = !account.ring.is_empty();
            account.is_open
        });
        window.other_cohorts = slots.changes(other, gap);
        self.accounts.other.counters.add(&window.other);
        if !one_direction {
            let ring = &mut self.accounts.other_ring;
            ring.add(&window.other_cohorts, gap);
            window.other_unanswered = ring.unanswered(now, reach);
            self.accounts.other.unanswered += window.other_unanswered;
        }
    }

    /// Tells how long answers took: by the fine histograms, where a server has them for all of its answers.
    fn tell_latency(&mut self, state: &impl State, window: &mut Window) {
        for number in &self.changed {
            let account = self.accounts.at(*number);
            let answers = &account.delta.counters.latency;
            if answers.iter().any(|count| *count != 0) {
                let sums = account.coarse.iter_mut().zip(answers);
                sums.for_each(|(sum, count)| *sum += count);
                if !std::mem::replace(&mut account.is_queued, true) {
                    self.queue.push_back(*number);
                }
            }
        }
        let mut read = 0;
        while read < HISTOGRAMS
            && let Some(number) = self.queue.pop_front()
        {
            let account = self.accounts.at(number);
            // Another's by now, if it was closed meanwhile.
            if !std::mem::take(&mut account.is_queued) {
                continue;
            }
            let mut fine = Latency::fine();
            read += account.histograms.len();
            for (cpu, at) in account.histograms.drain(..) {
                if let Some(histograms) = self.histograms.get_mut(cpu as usize) {
                    histograms.read(state, cpu, at, &account.key, &mut fine);
                }
            }
            let coarse = Latency::coarse(&std::mem::take(&mut account.coarse));
            // A server that has had no fine histogram, or not for all of these answers.
            let latency = if fine.count() < coarse.count() {
                &coarse
            } else {
                &fine
            };
            let server = window.servers.entry(account.key);
            server
                .or_insert_with(ServerWindow::empty)
                .latency
                .merge(latency);
        }
    }
}

/// What an account keeps of a change beside its counts.
fn note(account: &mut Account, now: &ServerEntry, then: &ServerEntry, cpu: u32) {
    if now.error_sender.family != 0 {
        account.error_sender = Some(now.error_sender);
    }
    if let Some(at) = now.histogram.checked_sub(1)
        && now.counters.latency != then.counters.latency
        // Those that wait since an earlier reading may have it already.
        && !(account.is_queued && account.histograms.contains(&(cpu, at)))
    {
        account.histograms.push((cpu, at));
    }
}
