//! What each server has counted since it is known: sums over CPUs and over all places that it ever had.

use std::collections::HashMap;

use bytemuck::Zeroable;
use sensor_common::latency::COARSE_BUCKETS;
use sensor_common::server::{Cohorts, ServerCounters, ServerEntry, ServerKey};

use super::ring::Ring;
use crate::measure::cohort;
use crate::measure::counters::Counters;

/// Servers that are known at once.
pub(super) const SERVERS: usize = 4096;
/// Of them, those that make room at once when there is no more.
const MAKE_ROOM: usize = SERVERS / 8;

/// Counts that only grow, as long as the ledger knows the server.
#[derive(Clone, Copy)]
pub struct ServerTotals {
    /// What was counted.
    pub counters: ServerCounters,
    /// Queries whose time-out passed without an answer or error; as all transactions, an estimate.
    pub unanswered: u64,
}

impl ServerTotals {
    pub(super) fn new() -> Self {
        Self {
            counters: ServerCounters::zeroed(),
            unanswered: 0,
        }
    }

    fn add(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        self.unanswered += other.unanswered;
    }
}

/// What has changed in a reading.
pub(super) struct Delta {
    pub counters: ServerCounters,
    pub cohorts: Cohorts,
}

impl Delta {
    pub(super) fn new() -> Self {
        Self {
            counters: ServerCounters::zeroed(),
            cohorts: Cohorts::default(),
        }
    }

    /// Adds what a place has counted from `then` to `now`.
    pub(super) fn add(&mut self, now: &ServerEntry, then: &ServerEntry) {
        self.counters.add_since(&now.counters, &then.counters);
        cohort::add(&mut self.cohorts, &now.cohorts);
        cohort::take(&mut self.cohorts, &then.cohorts);
    }
}

/// What is kept of one server.
pub(super) struct Account {
    pub key: ServerKey,
    pub totals: ServerTotals,
    /// Of the reading that is made.
    pub delta: Delta,
    /// Sender of the last ICMP error about it.
    pub error_sender: Option<ServerKey>,
    pub ring: Ring,
    /// Coarse latency of answers of which none was told yet.
    pub coarse: [u64; COARSE_BUCKETS],
    /// CPU and place of fine histograms that were written since they were last read.
    pub histograms: Vec<(u32, u32)>,
    /// It waits for its histograms to be read.
    pub is_queued: bool,
    /// It is among those of which something is open.
    pub is_open: bool,
    /// Number of the reading in which it last changed.
    pub changed: u64,
}

impl Account {
    fn new(key: ServerKey) -> Self {
        Self {
            key,
            totals: ServerTotals::new(),
            delta: Delta::new(),
            error_sender: None,
            ring: Ring::default(),
            coarse: [0; COARSE_BUCKETS],
            histograms: Vec::new(),
            is_queued: false,
            is_open: false,
            changed: 0,
        }
    }

    /// Who makes room first: who never answered, and then who has changed least recently.
    fn rank(&self) -> (bool, u64) {
        (self.totals.counters.responses != 0, self.changed)
    }
}

/// All of them, and the sum of those that are known no more.
pub(super) struct Accounts {
    all: Vec<Account>,
    numbers: HashMap<ServerKey, usize>,
    /// Numbers of accounts that are closed.
    free: Vec<usize>,
    /// Of servers without an account.
    pub other: ServerTotals,
    pub other_ring: Ring,
}

impl Accounts {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            numbers: HashMap::new(),
            free: Vec::new(),
            other: ServerTotals::new(),
            other_ring: Ring::default(),
        }
    }

    /// Number of a server's account in a reading; `guess` is what it may be. `None` where there are too many, and
    /// every other one changes in this reading too.
    pub(super) fn number(
        &mut self,
        key: &ServerKey,
        guess: Option<usize>,
        reading: u64,
    ) -> Option<usize> {
        if let Some(guess) = guess
            && self
                .all
                .get(guess)
                .is_some_and(|account| account.key == *key)
        {
            return Some(guess);
        }
        if let Some(number) = self.numbers.get(key) {
            return Some(*number);
        }
        if self.numbers.len() >= SERVERS && !self.make_room(reading) {
            return None;
        }
        let account = Account::new(*key);
        let number = if let Some(number) = self.free.pop() {
            self.all[number] = account;
            number
        } else {
            self.all.push(account);
            self.all.len() - 1
        };
        self.numbers.insert(*key, number);
        Some(number)
    }

    /// Closes some accounts that do not change in this reading; what they had goes to the sum.
    fn make_room(&mut self, reading: u64) -> bool {
        let numbers = self.numbers.values();
        let all = numbers.map(|number| (&self.all[*number], *number));
        let mut idle: Vec<_> = all
            .filter(|(account, _)| account.changed < reading)
            .map(|(account, number)| (account.rank(), account.key, number))
            .collect();
        idle.sort_unstable();
        idle.truncate(MAKE_ROOM);
        for (_, key, number) in &idle {
            let account = &mut self.all[*number];
            self.other.add(&account.totals);
            self.other_ring.merge(&account.ring);
            // Not to be taken for the server's by a guess.
            *account = Account::new(ServerKey::zeroed());
            self.numbers.remove(key);
            self.free.push(*number);
        }
        !idle.is_empty()
    }

    /// See [`Ring::end`].
    pub(super) fn end_rings(&mut self) {
        self.other_ring.end();
        self.all.iter_mut().for_each(|account| account.ring.end());
    }

    /// The account with a number.
    ///
    /// # Panics
    /// There never was one: a bug.
    pub(super) fn at(&mut self, number: usize) -> &mut Account {
        &mut self.all[number]
    }

    pub(super) fn get(&self, key: &ServerKey) -> Option<&Account> {
        self.numbers.get(key).map(|number| &self.all[*number])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.numbers.values().map(|number| &self.all[*number])
    }
}
