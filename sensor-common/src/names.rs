//! Names by which the loader finds maps, programs and globals in the object.

/// Array of [`crate::totals::Totals`]: one for each CPU and lane (see [`crate::settings`]).
pub const TOTALS: &str = "TOTALS";
/// Array of [`crate::shard::Shard`]: one for each CPU.
pub const SHARDS: &str = "SHARDS";
/// Array of the cells of [`crate::transactions`], which all CPUs share.
pub const TRANSACTIONS: &str = "TRANSACTIONS";
/// Ring buffer of [`crate::sample::Sample`].
pub const SAMPLES: &str = "SAMPLES";
/// Per-CPU array with one buffer, into which the start of a packet outside the linear part is
/// copied before it is parsed.
pub const SCRATCH: &str = "SCRATCH";
/// Hash map with the addresses of this host, [`crate::server::ServerKey`], as its keys.
pub const OWN: &str = "OWN";

/// Per-CPU array with one place: what is known of the packet at hand where it can be no genuine message.
pub const GARBAGE: &str = "GARBAGE";

/// XDP program, ingress. Takes multi-buffer frames.
pub const PROGRAM_XDP: &str = "sensor_xdp";
/// TC program, ingress.
pub const PROGRAM_INGRESS: &str = "sensor_ingress";
/// TC program, egress.
pub const PROGRAM_EGRESS: &str = "sensor_egress";

/// XDP program that does nothing, for benchmarks.
pub const PROGRAM_EMPTY_XDP: &str = "empty_xdp";
/// TC program that does nothing, for benchmarks.
pub const PROGRAM_EMPTY_TC: &str = "empty_tc";
/// XDP program that makes the frames of a flood, for benchmarks: in an object of its own, and attached to nothing.
pub const PROGRAM_FLOOD: &str = "flood";

/// Global: [`crate::ABI_VERSION`] of the object.
pub const ABI: &str = "SENSOR_ABI";
/// Global: [`crate::settings::Settings`], written before the object is loaded.
pub const SETTINGS: &str = "SETTINGS";

/// Section of the one global that changes while programs run, [`crate::transactions::Control`]; aya
/// makes a map of it.
pub const CONTROL: &str = ".data.control";

/// All maps by the names of their statics.
pub const MAPS: [&str; 7] = [TOTALS, SHARDS, TRANSACTIONS, SAMPLES, SCRATCH, OWN, GARBAGE];
/// All programs in the object.
pub const PROGRAMS: [&str; 5] = [
    PROGRAM_XDP,
    PROGRAM_INGRESS,
    PROGRAM_EGRESS,
    PROGRAM_EMPTY_XDP,
    PROGRAM_EMPTY_TC,
];
