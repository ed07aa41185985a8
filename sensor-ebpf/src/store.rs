//! Where counts go.

use sensor_common::server::ServerKey;
use sensor_common::settings::Direction;
use sensor_common::shard::Shard;
use sensor_common::totals::Totals;
#[cfg(doc)]
use sensor_common::transactions::Control;

/// The state of one CPU at one hook. In the kernel these are map values, on the host plain memory.
pub trait Store {
    /// What all CPUs share.
    type Shared: Shared;
    /// Where its packet comes from.
    type Origin: Origin;

    /// Secret of the hashes.
    fn hash_key(&self) -> u64;

    /// Counters of this hook.
    fn totals(&mut self) -> &mut Totals;

    /// Where the packet at hand comes from.
    fn origin(&self) -> Self::Origin;

    /// What this CPU counts beside totals; `None` for a forwarded packet, which was attributed where it
    /// came in. Asked for only where there is something to count.
    fn state(&mut self) -> Option<(&mut Shard, &mut Self::Shared)>;

    /// `index`, and `LAST` for all above it. The kernel's half has its own: what the compiler makes of
    /// `min` is refused by verifiers before Linux 6.9.
    #[inline(always)]
    #[must_use]
    fn at_most<const LAST: usize>(index: usize) -> usize {
        index.min(LAST)
    }
}

/// Where a packet comes from.
pub trait Origin: Copy {
    /// Whether it came in: known when the program is compiled.
    fn is_incoming(self) -> bool;

    /// Whether it came in, and not over loopback.
    fn is_from_outside(self) -> bool;
}

/// Of a packet that crosses no loopback interface.
impl Origin for Direction {
    #[inline(always)]
    fn is_incoming(self) -> bool {
        self == Self::Ingress
    }

    #[inline(always)]
    fn is_from_outside(self) -> bool {
        self.is_incoming()
    }
}

/// What all CPUs share.
pub trait Shared {
    /// See [`Control::shift`].
    fn shift(&self) -> u32;

    /// See [`Control::mask`].
    fn mask(&self) -> u64;

    /// See [`Control::match_mask`].
    fn match_mask(&self) -> u64;

    /// See [`Control::unmatched_shift`].
    fn unmatched_shift(&self) -> u32;

    /// See [`Control::bank`].
    fn bank(&self) -> u32;

    /// See [`Control::tick`].
    fn tick(&self) -> u32;

    /// See [`Control::sample_mask`].
    fn sample_mask(&self) -> u64;

    /// See [`Control::own_generation`].
    fn own_generation(&self) -> u32;

    /// Whether an address is one of this host.
    fn is_own(&self, address: &ServerKey) -> bool;

    /// Raises the sampling shift, and the shift above which nothing is called unmatched.
    fn raise(&mut self, shift: u32);

    /// See [`sensor_common::settings::Settings::probe_port`].
    fn probe_port(&self) -> u16;

    /// The time in nanoseconds. Costs more than all the rest.
    fn now(&self) -> u64;

    /// See [`sensor_common::settings::Settings::timeout`].
    fn timeout(&self) -> u32;

    /// See [`sensor_common::settings::Settings::tick_bits`].
    fn tick_bits(&self) -> u32;

    /// A cell of the transaction table, below [`sensor_common::transactions::CELLS`].
    fn cell(&self, at: usize) -> u64;

    /// Writes it.
    fn set_cell(&mut self, at: usize, cell: u64);

    /// A remembered tuple, below [`sensor_common::transactions::TUPLES`].
    fn tuple(&self, at: usize) -> u32;

    /// Writes it.
    fn set_tuple(&mut self, at: usize, cell: u32);
}
