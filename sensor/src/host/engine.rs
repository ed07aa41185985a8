//! The library half of `sensor-ebpf`, bound to byte slices and plain memory.

use std::time::Duration;

use bytemuck::zeroed_box;
use sensor_common::server::ServerTable;
use sensor_common::settings::{Direction, Settings};
use sensor_common::totals::Totals;
use sensor_ebpf::account::account;
use sensor_ebpf::packet::Bytes;
use sensor_ebpf::parse::Link;
use sensor_ebpf::store::Store;

use crate::snapshot::{Lane, Snapshot};

/// The state that the kernel engine has in maps.
struct Memory {
    settings: Box<Settings>,
    totals: Box<Totals>,
    servers: Box<ServerTable>,
}

impl Store for Memory {
    fn is_dns_port(&self, port: u16) -> bool {
        match self.settings.single_port {
            0 => Settings::in_set(self.settings.port_set[usize::from(port >> 6)], port),
            single => u32::from(port) == single,
        }
    }

    fn hash_key(&self) -> u64 {
        self.settings.hash_key
    }

    fn totals(&mut self) -> &mut Totals {
        &mut self.totals
    }

    fn servers(&mut self) -> Option<&mut ServerTable> {
        Some(&mut self.servers)
    }
}

/// Counts packets without a kernel.
pub struct HostEngine {
    name: String,
    memory: Memory,
}

impl HostEngine {
    /// Nothing counted yet. `name` stands where an interface's name would.
    #[must_use]
    pub fn new(name: impl Into<String>, settings: Box<Settings>) -> Self {
        Self {
            name: name.into(),
            memory: Memory {
                settings,
                totals: zeroed_box(),
                servers: zeroed_box(),
            },
        }
    }

    /// Counts one frame.
    pub fn count(&mut self, frame: &[u8], link: Link) {
        account(
            Bytes::new(frame),
            |_| None::<Bytes<'_>>,
            link,
            false,
            &mut self.memory,
        );
    }

    /// All counters. `at` is the time of the capture.
    #[must_use]
    pub fn snapshot(&self, at: Duration) -> Snapshot {
        let mut snapshot = Snapshot::empty(at);
        snapshot.lanes.push(Lane {
            interface: self.name.clone(),
            direction: Direction::Ingress,
            totals: *self.memory.totals,
        });
        snapshot.add_table(0, &self.memory.servers);
        snapshot
    }
}
