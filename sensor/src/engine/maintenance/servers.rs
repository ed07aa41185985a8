//! The server table of one CPU, as it was read.

use sensor_common::server::{ServerEntry, ServerSet, ServerTable, WAYS};

use crate::measure::cohort;
use crate::measure::counters::Counters;
use crate::measure::reading::{Place, Snapshot, Waiting};

/// Places that are in use, and what is counted beside them. Most places never are.
pub struct Servers {
    /// Servers that lost their place to another.
    pub evicted: u64,
    /// Packets of servers that were not given a place.
    pub refused: u64,
    /// Of servers that lost their place or never had one.
    pub other: ServerEntry,
    /// In the order of the table.
    pub places: Vec<ServerEntry>,
}

impl Servers {
    /// All of a table.
    #[must_use]
    pub fn of(table: &ServerTable) -> Self {
        let mut servers = Self {
            evicted: table.evicted,
            refused: table.refused,
            other: table.other,
            places: Vec::new(),
        };
        let sets = table.sets.iter().zip(&table.places);
        sets.for_each(|(set, places)| servers.add(set, places));
        servers
    }

    /// Adds the places of a set that are in use.
    pub fn add(&mut self, set: &ServerSet, places: &[ServerEntry; WAYS]) {
        let places = set.tags.iter().zip(places);
        let used = places.filter(|(tag, _)| **tag != 0);
        self.places.extend(used.map(|(_, entry)| *entry));
    }

    /// Adds them to a snapshot, as those of a CPU.
    pub(super) fn add_to(&self, snapshot: &mut Snapshot, cpu: u32) {
        snapshot.other.add(&self.other.counters);
        cohort::add(&mut snapshot.other_cohorts, &self.other.cohorts);
        snapshot.evicted += self.evicted;
        snapshot.refused += self.refused;
        for entry in &self.places {
            let place = Place {
                counters: entry.counters,
                tenure: entry.tenure,
                cohorts: entry.cohorts,
                error_sender: entry.error_sender,
                unanswered: 0,
                waiting: Waiting::default(),
            };
            snapshot.places.insert((cpu, entry.key), place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_in_use_are_read() {
        let mut table: Box<ServerTable> = bytemuck::zeroed_box();
        for (set, way, queries) in [(3, 1, 5), (500, 0, 7)] {
            table.sets[set].tags[way] = 1;
            table.places[set][way].counters.queries = queries;
        }
        // It was used before.
        table.places[500][1].counters.queries = 9;
        let servers = Servers::of(&table);
        let queries: Vec<u64> = servers.places.iter().map(|p| p.counters.queries).collect();
        assert_eq!(queries, [5, 7]);
    }
}
