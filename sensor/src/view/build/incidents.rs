//! Incidents: those that go on, and those that ended last.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use crate::detect::Level;
use crate::incident::{Change, Record};
use crate::monitor::Monitor;
use crate::view::model::INCIDENTS;

/// Records of what goes on are brought up to date once in so many ticks, a part of them at each.
const UPDATE: usize = 4;

/// See the module.
#[derive(Default)]
pub struct Incidents {
    /// By id.
    open: BTreeMap<String, Arc<Record>>,
    /// The latest first.
    ended: VecDeque<Arc<Record>>,
    /// By level.
    opened: [u64; 2],
    ticks: usize,
}

impl Incidents {
    /// Takes a tick; gives the changes with their records.
    pub fn tick(
        &mut self,
        changes: &[(Change, Record)],
        monitor: &Monitor,
    ) -> Vec<(Change, Arc<Record>)> {
        self.ticks += 1;
        for record in monitor.records(self.ticks % UPDATE, UPDATE) {
            self.open.insert(record.id.clone(), Arc::new(record));
        }
        let mut told = Vec::new();
        for (change, record) in changes {
            let record = Arc::new(record.clone());
            match change {
                Change::Closed | Change::Stale => self.end(record.clone()),
                change => {
                    if *change == Change::Opened {
                        self.opened[usize::from(record.level == Level::Critical)] += 1;
                    }
                    self.open.insert(record.id.clone(), record.clone());
                }
            }
            told.push((*change, record));
        }
        told
    }

    /// An incident is over, or time is.
    pub fn end(&mut self, record: Arc<Record>) {
        self.open.remove(&record.id);
        self.ended.push_front(record);
        self.ended.truncate(INCIDENTS);
    }

    /// Those that go on, by the servers that they touch.
    pub fn by_server(&self) -> HashMap<IpAddr, &Record> {
        let mut all = HashMap::new();
        // Its own incident goes before one that it is only part of.
        let also = |record: &&Arc<Record>| record.also.clone();
        for record in self.open.values() {
            for address in also(&record).iter().filter_map(|also| also.parse().ok()) {
                all.insert(address, record.as_ref());
            }
        }
        for record in self.open.values() {
            if let Some(address) = record
                .server
                .as_ref()
                .and_then(|server| server.parse().ok())
            {
                all.insert(address, record.as_ref());
            }
        }
        all
    }

    /// The one of the network itself.
    pub fn of_network(&self) -> Option<&Record> {
        let mut open = self.open.values();
        open.find(|record| record.server.is_none())
            .map(AsRef::as_ref)
    }

    /// Those that go on, the worst first; then those that ended, the latest first.
    pub fn shown(&self) -> Vec<Arc<Record>> {
        let mut shown: Vec<Arc<Record>> = self.open.values().cloned().collect();
        shown.sort_by_key(|record| (std::cmp::Reverse(record.level), record.onset_ms));
        shown.extend(self.ended.iter().cloned());
        shown.truncate(INCIDENTS);
        shown
    }

    /// Incidents that were opened, by level.
    pub fn opened(&self) -> [u64; 2] {
        self.opened
    }
}
