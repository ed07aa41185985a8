//! The ledger over tables that these tests write.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

use bytemuck::{cast_slice, cast_slice_mut, zeroed_box};
use sensor_common::server::{ServerCounters, WAYS};
use sensor_common::settings::Settings;
use sensor_common::shard::Shard;
use sensor_common::transactions::Control;
use sensor_ebpf::address::{Address, V4};
use sensor_ebpf::eviction::{set_of, take_place};

use super::*;
use crate::measure::counters::Counters;

/// Memory of the packet program.
struct Tables {
    shards: Vec<Box<Shard>>,
    control: Control,
    /// Bytes that were read.
    read: Cell<usize>,
}

impl State for Tables {
    fn cpus(&self) -> u32 {
        self.shards.len() as u32
    }

    fn read(&self, cpu: u32, offset: usize, words: &mut [u64]) {
        let shard: &[u64] = cast_slice(std::slice::from_ref(&*self.shards[cpu as usize]));
        words.copy_from_slice(&shard[offset / 8..][..words.len()]);
        self.read.set(self.read.get() + words.len() * 8);
    }

    fn write(&mut self, cpu: u32, offset: usize, words: &[u64]) {
        let shard = std::slice::from_mut(&mut *self.shards[cpu as usize]);
        let shard: &mut [u64] = cast_slice_mut(shard);
        shard[offset / 8..][..words.len()].copy_from_slice(words);
    }

    fn write_byte(&mut self, cpu: u32, offset: usize, byte: u8) {
        let shard = std::slice::from_mut(&mut *self.shards[cpu as usize]);
        let bytes: &mut [u8] = cast_slice_mut(shard);
        bytes[offset] = byte;
    }

    fn control(&self) -> Control {
        self.control
    }

    fn set_control(&mut self, control: Control) {
        self.control = control;
    }

    fn clock(&self) -> u64 {
        self.control.clock
    }
}

fn hash(server: u32) -> u64 {
    V4(server).hash(1) | 1
}

fn key(server: u32) -> ServerKey {
    V4(server).key()
}

impl Tables {
    fn new(cpus: usize) -> Self {
        Self {
            shards: (0..cpus).map(|_| zeroed_box()).collect(),
            control: Control {
                clock: 1_000_000_000_000,
                ..Control::DEFAULT
            },
            read: Cell::new(0),
        }
    }

    /// The place of a server, as the program finds it or gives it.
    fn place(&mut self, cpu: usize, server: u32) -> &mut ServerEntry {
        let tag = hash(server);
        let table = &mut self.shards[cpu].servers;
        let set = set_of(tag);
        let known = table.sets[set].tags.iter().position(|known| *known == tag);
        let way = known.unwrap_or_else(|| take_place(table, tag, &key(server)) as usize);
        assert!(way < WAYS);
        table.sets[set].used[way] = 1;
        &mut table.places[set][way]
    }

    fn query(&mut self, cpu: usize, server: u32, queries: u64) {
        self.place(cpu, server).counters.queries += queries;
    }

    /// A tick of the loader.
    fn pass(&mut self) {
        self.control.tick += 1;
        self.control.clock += 250_000_000;
    }
}

fn ledger(tables: &Tables) -> Ledger {
    Ledger::new(&Settings::DEFAULT, tables.cpus())
}

fn read(ledger: &mut Ledger, tables: &mut Tables) -> Window {
    tables.pass();
    let at = Duration::from_nanos(tables.control.clock);
    ledger.read(tables, at)
}

fn queries(window: &Window, server: u32) -> u64 {
    let server = window.servers.get(&key(server));
    server.map_or(0, |server| server.counters.queries)
}

/// Servers that share a set of four places.
fn neighbours(many: usize) -> Vec<u32> {
    let all = (0x0a00_0000..).filter(|server| set_of(hash(*server)) == 7);
    all.take(many).collect()
}

#[test]
fn a_server_is_the_sum_of_its_places_and_only_what_is_new_is_told() {
    let mut tables = Tables::new(3);
    let mut ledger = ledger(&tables);
    tables.query(0, 1, 10);
    tables.query(2, 1, 5);
    let window = read(&mut ledger, &mut tables);
    assert_eq!(queries(&window, 1), 15);
    assert_eq!((window.servers.len(), window.cost.places), (1, 2));
    tables.query(1, 1, 4);
    let window = read(&mut ledger, &mut tables);
    assert_eq!(queries(&window, 1), 4);
    let window = read(&mut ledger, &mut tables);
    assert!(window.servers.is_empty());
    let totals = ledger.server(&key(1)).expect("it is known");
    assert_eq!(totals.counters.queries, 19);
    assert_eq!(window.cost.places, 3);
}

#[test]
fn a_server_that_comes_back_goes_on_counting_and_nothing_is_told_twice() {
    let mut tables = Tables::new(1);
    let mut ledger = ledger(&tables);
    let servers = neighbours(20);
    tables.query(0, servers[0], 10);
    read(&mut ledger, &mut tables);
    // Three more that are not read before it loses its place.
    tables.query(0, servers[0], 3);
    for server in &servers[1..] {
        tables.query(0, *server, 1);
    }
    let window = read(&mut ledger, &mut tables);
    assert!(window.evicted >= 16, "{}", window.evicted);
    assert_eq!(queries(&window, servers[0]), 0);
    let told: u64 = window.servers.values().map(|s| s.counters.queries).sum();
    assert_eq!(told + window.other.queries, 3 + 19);
    tables.query(0, servers[0], 2);
    let window = read(&mut ledger, &mut tables);
    assert_eq!(queries(&window, servers[0]), 2);
    let totals = ledger.server(&key(servers[0])).expect("it is known");
    assert_eq!(totals.counters.queries, 12);
    let all: u64 = ledger.servers().map(|(_, t)| t.counters.queries).sum();
    assert_eq!(all + ledger.other().counters.queries, 10 + 3 + 19 + 2);
}

#[test]
fn an_eviction_that_other_has_not_yet_is_made_up_for() {
    let mut tables = Tables::new(1);
    let mut ledger = ledger(&tables);
    let servers = neighbours(5);
    for server in &servers[..4] {
        tables.query(0, *server, 10);
    }
    read(&mut ledger, &mut tables);
    let other = tables.shards[0].servers.other;
    tables.query(0, servers[4], 1);
    // The reading of `other` came before the eviction, that of the place after it.
    let after = std::mem::replace(&mut tables.shards[0].servers.other, other);
    let window = read(&mut ledger, &mut tables);
    assert_eq!((window.other.queries, queries(&window, servers[4])), (0, 1));
    tables.shards[0].servers.other = after;
    tables.shards[0].servers.other.counters.queries += 2;
    let window = read(&mut ledger, &mut tables);
    assert_eq!(window.other.queries, 2);
}

#[test]
fn a_place_is_read_while_it_may_have_changed_and_not_longer() {
    let mut tables = Tables::new(2);
    let mut ledger = ledger(&tables);
    for server in 0..4_000 {
        tables.query(0, server, 1);
        tables.query(1, server, 1);
    }
    read(&mut ledger, &mut tables);
    let bytes_of = |ledger: &mut Ledger, tables: &mut Tables| {
        let before = tables.read.replace(0);
        read(ledger, tables);
        assert!(before > 0);
        tables.read.get()
    };
    // Those of the last reading may have been marked before they were counted.
    bytes_of(&mut ledger, &mut tables);
    let idle = bytes_of(&mut ledger, &mut tables);
    assert!(idle < 2 * 23_000, "{idle} bytes of two tables at rest");
    let table = &tables.shards[1].servers;
    let has_place = |server: &u32| {
        table.sets[set_of(hash(*server))]
            .tags
            .contains(&hash(*server))
    };
    let ten: Vec<u32> = (0..4_000).filter(has_place).step_by(7).take(10).collect();
    for server in ten {
        tables.query(1, server, 1);
    }
    let busy = bytes_of(&mut ledger, &mut tables);
    let of_a_place = (busy - idle) / 10;
    assert!(
        (size_of::<ServerEntry>()..size_of::<ServerEntry>() + 64).contains(&of_a_place),
        "{of_a_place} bytes of a place that has changed"
    );
    bytes_of(&mut ledger, &mut tables);
    assert_eq!(bytes_of(&mut ledger, &mut tables), idle);
}

#[test]
fn what_is_counted_after_its_place_was_read_is_told_at_the_next_reading() {
    let mut tables = Tables::new(1);
    let mut ledger = ledger(&tables);
    tables.query(0, 1, 1);
    read(&mut ledger, &mut tables);
    // A packet that had marked its place before that reading, and counts after it.
    let set = set_of(hash(1));
    let table = &mut tables.shards[0].servers;
    let way = table.sets[set].tags.iter().position(|tag| *tag == hash(1));
    table.places[set][way.expect("a place")].counters.queries += 1;
    let window = read(&mut ledger, &mut tables);
    assert_eq!(queries(&window, 1), 1);
}

#[test]
fn a_mark_that_an_eviction_has_cleared_hides_nothing() {
    let mut tables = Tables::new(1);
    let mut ledger = ledger(&tables);
    let servers = neighbours(5);
    for server in &servers[..4] {
        tables.query(0, *server, 1);
    }
    (0..3).for_each(|_| drop(read(&mut ledger, &mut tables)));
    for server in &servers[..4] {
        tables.query(0, *server, 2);
    }
    // All are marked: the fourth loses its place, and the others their marks.
    tables.query(0, servers[4], 7);
    assert_eq!(tables.shards[0].servers.sets[7].used[..3], [0; 3]);
    let window = read(&mut ledger, &mut tables);
    let told: Vec<u64> = servers.iter().map(|s| queries(&window, *s)).collect();
    assert_eq!((told, window.other.queries), (vec![2, 2, 2, 0, 7], 2));
}

#[test]
fn a_place_that_was_read_keeps_its_second_chance() {
    let mut tables = Tables::new(1);
    let mut ledger = ledger(&tables);
    let servers = neighbours(5);
    // The fourth finds the marks of three, and clears them: they are used again.
    for server in servers[..4].iter().chain(&servers[..3]) {
        tables.query(0, *server, 1);
    }
    (0..3).for_each(|_| drop(read(&mut ledger, &mut tables)));
    tables.query(0, servers[4], 1);
    let table = &tables.shards[0].servers;
    let has = |server: &u32| table.sets[7].tags.contains(&hash(*server));
    let kept: Vec<bool> = servers.iter().map(has).collect();
    assert_eq!(kept, [true, true, true, false, true]);
}

#[test]
fn where_the_clock_is_set_back_what_was_open_has_its_end_and_what_is_asked_then_has_not() {
    let mut tables = Tables::new(1);
    let mut ledger = ledger(&tables);
    let ask = |tables: &mut Tables, queries: u32| {
        let slot = (tables.control.clock >> 28) as usize % 16;
        let cohort = &mut tables.place(0, 1).cohorts[slot];
        cohort.asked += queries;
        cohort.open += queries;
    };
    ask(&mut tables, 3);
    assert_eq!(read(&mut ledger, &mut tables).unanswered(), 0);
    tables.control.clock -= 900_000_000_000;
    ask(&mut tables, 5);
    let window = read(&mut ledger, &mut tables);
    assert_eq!((window.gap, window.unanswered()), (true, 3));
    assert_eq!(window.servers[&key(1)].waiting.since(0), 5);
}

#[test]
fn accounts_are_bounded_and_servers_that_answer_keep_theirs() {
    let mut tables = Tables::new(4);
    let mut ledger = ledger(&tables);
    let answers = 0..100;
    for server in answers.clone() {
        tables.query(0, server, 1);
        tables.place(0, server).counters.responses += 1;
    }
    read(&mut ledger, &mut tables);
    // Made-up servers, 2,000 new ones a tick.
    let mut made_up = 1_000;
    for _ in 0..20 {
        for number in 0..2_000 {
            tables.query(1 + number % 3, made_up, 1);
            made_up += 1;
        }
        let window = read(&mut ledger, &mut tables);
        assert!(window.servers.len() <= accounts::SERVERS);
    }
    assert!(ledger.servers().count() <= accounts::SERVERS);
    assert!(
        answers
            .clone()
            .all(|server| ledger.server(&key(server)).is_some())
    );
    let all: u64 = ledger.servers().map(|(_, t)| t.counters.queries).sum();
    let all = all + ledger.other().counters.queries;
    assert_eq!(all, 100 + u64::from(made_up - 1_000));
}

#[test]
fn a_query_and_its_answer_on_two_cpus_leave_nothing_waiting() {
    let mut tables = Tables::new(2);
    let mut ledger = ledger(&tables);
    let slot = (tables.control.clock >> 28) as usize % 16;
    tables.place(0, 1).cohorts[slot].asked += 14;
    tables.place(0, 1).cohorts[slot].open += 14;
    let open = &mut tables.place(1, 1).cohorts[slot].open;
    *open = open.wrapping_sub(14);
    tables.query(0, 1, 14);
    let window = read(&mut ledger, &mut tables);
    assert_eq!(window.servers[&key(1)].waiting.since(0), 0);
    for _ in 0..20 {
        let window = read(&mut ledger, &mut tables);
        assert_eq!(window.unanswered(), 0);
    }
}

#[test]
fn counters_of_totals_never_shrink() {
    let mut tables = Tables::new(2);
    let mut ledger = ledger(&tables);
    let servers = neighbours(9);
    let mut before: HashMap<ServerKey, ServerCounters> = HashMap::new();
    for round in 0..400_usize {
        let server = servers[round * 7 % 9];
        tables.query(round % 2, server, 1 + (round % 5) as u64);
        if round % 3 == 0 {
            read(&mut ledger, &mut tables);
            for (key, totals) in ledger.servers() {
                let then = before.insert(*key, totals.counters);
                assert!(then.is_none_or(|then| !totals.counters.went_back(&then)));
            }
        }
    }
    assert_eq!(before.len(), 9);
}
