//! Maps and globals. Their names are those of [`sensor_common::names`]; a test holds them together.

use aya_ebpf::Global;
use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, RingBuf};
use sensor_common::ABI_VERSION;
use sensor_common::sample::MIN_RING_BYTES;
use sensor_common::server::ServerKey;
use sensor_common::settings::{SCRATCH_BYTES, SCRATCH_SLACK, Settings};
use sensor_common::shard::Shard;
use sensor_common::totals::Totals;
use sensor_common::transactions::{CELLS, Control, MAX_OWN, TUPLES};
use sensor_ebpf::parse::Garbage;

/// Index: `cpu * lanes + lane`. The loader sets the number of entries.
#[map]
pub static TOTALS: Array<Totals> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Index: CPU. The loader sets the number of entries.
#[map]
pub static SHARDS: Array<Shard> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Cells of transactions, shared by all CPUs.
#[map]
pub static TRANSACTIONS: Array<u64> = Array::with_max_entries(CELLS as u32, BPF_F_MMAPABLE);

/// First bytes of some packets. The loader sets the number of bytes.
#[map]
pub static SAMPLES: RingBuf = RingBuf::with_byte_size(MIN_RING_BYTES as u32, 0);

/// Addresses of this host; the values say nothing.
#[map]
pub static OWN: HashMap<ServerKey, u64> =
    HashMap::with_max_entries(MAX_OWN as u32, BPF_F_NO_PREALLOC);

/// What the parser found of the packet at hand.
#[map]
pub static GARBAGE: PerCpuArray<Garbage> = PerCpuArray::with_max_entries(1, 0);

/// Remembered tuples. A global and not a map, because every query writes one.
#[unsafe(no_mangle)]
pub static mut TUPLES_SEEN: [u32; TUPLES] = [0; TUPLES];

/// Changed by the loader, and by [`raise`](super::store::Table).
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.control")]
pub static mut CONTROL: Control = Control::DEFAULT;

/// Where the start of a packet is copied if it cannot be read directly.
#[map]
pub static SCRATCH: PerCpuArray<[u8; SCRATCH_BYTES + SCRATCH_SLACK]> =
    PerCpuArray::with_max_entries(1, 0);

/// Checked by the loader.
#[unsafe(no_mangle)]
pub static SENSOR_ABI: Global<u32> = Global::new(ABI_VERSION);

/// Written by the loader before the object is loaded. Read-only from then on, so the verifier takes
/// each field for a constant and drops what it switches off.
#[unsafe(no_mangle)]
pub static SETTINGS: Settings = Settings::DEFAULT;

/// Reads one field of [`SETTINGS`]. Volatile, or the compiler would insert the default.
macro_rules! setting {
    ($($field:tt)+) => {
        // SAFETY: the place is a field of a static, aligned and initialised.
        unsafe { (&raw const $crate::kernel::maps::SETTINGS.$($field)+).read_volatile() }
    };
}
pub(crate) use setting;

/// Reads one field of [`CONTROL`]. Volatile, because it changes.
macro_rules! control {
    ($($field:tt)+) => {
        // SAFETY: the place is a field of a static, aligned and initialised.
        unsafe { (&raw const $crate::kernel::maps::CONTROL.$($field)+).read_volatile() }
    };
}
pub(crate) use control;
