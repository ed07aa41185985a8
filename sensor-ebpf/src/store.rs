//! Where counts go.

use sensor_common::server::ServerTable;
use sensor_common::totals::Totals;

/// The state of one CPU at one hook. In the kernel these are map values, on the host plain memory.
pub trait Store {
    /// Whether a port, in network byte order, is one of the DNS ports.
    fn is_dns_port(&self, port: u16) -> bool;

    /// Secret of the hashes.
    fn hash_key(&self) -> u64;

    /// Counters of this hook.
    fn totals(&mut self) -> &mut Totals;

    /// Servers seen by this CPU; `None` for a forwarded packet, which was attributed where it came
    /// in. Asked for only where there is something to count.
    fn servers(&mut self) -> Option<&mut ServerTable>;
}
