//! Rooms, in the order of the data's way, and what each may import.

/// Files that belong together.
pub struct Room {
    /// As the lists below name it.
    pub name: &'static str,
    /// A file or a folder, from the workspace's root.
    pub path: &'static str,
    /// Rooms that lie before it.
    pub may_import: &'static [&'static str],
}

/// Of the loader.
pub const ROOMS: [Room; 16] = [
    Room {
        name: "measure",
        path: "sensor/src/measure",
        may_import: &[],
    },
    Room {
        name: "engine",
        path: "sensor/src/engine",
        may_import: &["measure"],
    },
    Room {
        name: "host",
        path: "sensor/src/host",
        may_import: &["measure"],
    },
    // Rules see windows, never a map.
    Room {
        name: "detect",
        path: "sensor/src/detect",
        may_import: &["measure"],
    },
    Room {
        name: "incident",
        path: "sensor/src/incident",
        may_import: &["measure", "host", "detect"],
    },
    Room {
        name: "monitor",
        path: "sensor/src/monitor.rs",
        may_import: &["measure", "host", "detect", "incident"],
    },
    // The live model: the only reader of all before it.
    Room {
        name: "view",
        path: "sensor/src/view",
        may_import: &["measure", "engine", "host", "detect", "incident", "monitor"],
    },
    // Presenting computes nothing; it may name what it shows.
    Room {
        name: "present",
        path: "sensor/src/present",
        may_import: &["measure", "engine", "host", "detect", "incident", "view"],
    },
    Room {
        name: "notify",
        path: "sensor/src/notify",
        may_import: &["measure", "incident", "present"],
    },
    // Whatever is served is a function of the view and of events.
    Room {
        name: "serve",
        path: "sensor/src/serve",
        may_import: &["measure", "detect", "incident", "view", "present"],
    },
    // The loop; it shows nothing itself.
    Room {
        name: "session",
        path: "sensor/src/session.rs",
        may_import: &[
            "measure", "engine", "host", "incident", "monitor", "view", "notify",
        ],
    },
    Room {
        name: "stage",
        path: "sensor/src/stage",
        may_import: &[],
    },
    Room {
        name: "cli",
        path: "sensor/src/cli.rs",
        may_import: &[
            "measure", "engine", "detect", "incident", "present", "serve",
        ],
    },
    Room {
        name: "command",
        path: "sensor/src/command",
        may_import: &[
            "measure", "engine", "host", "detect", "incident", "monitor", "view", "present",
            "notify", "serve", "session", "stage", "cli",
        ],
    },
    Room {
        name: "lib",
        path: "sensor/src/lib.rs",
        may_import: &[],
    },
    Room {
        name: "main",
        path: "sensor/src/main.rs",
        may_import: &["engine", "cli", "command"],
    },
];

/// The packet program's library: no aya, no unsafe code.
pub const PROGRAM: [Room; 15] = [
    Room {
        name: "packet",
        path: "sensor-ebpf/src/packet.rs",
        may_import: &[],
    },
    Room {
        name: "hash",
        path: "sensor-ebpf/src/hash.rs",
        may_import: &[],
    },
    Room {
        name: "address",
        path: "sensor-ebpf/src/address.rs",
        may_import: &["hash", "packet"],
    },
    Room {
        name: "parse",
        path: "sensor-ebpf/src/parse",
        may_import: &["address", "hash", "packet"],
    },
    Room {
        name: "store",
        path: "sensor-ebpf/src/store.rs",
        may_import: &[],
    },
    Room {
        name: "transactions",
        path: "sensor-ebpf/src/transactions.rs",
        may_import: &["hash", "store"],
    },
    Room {
        name: "sampling",
        path: "sensor-ebpf/src/sampling.rs",
        may_import: &[],
    },
    Room {
        name: "eviction",
        path: "sensor-ebpf/src/eviction.rs",
        may_import: &[],
    },
    Room {
        name: "sketch",
        path: "sensor-ebpf/src/sketch.rs",
        may_import: &["address", "hash"],
    },
    Room {
        name: "outcomes",
        path: "sensor-ebpf/src/outcomes.rs",
        may_import: &["hash", "packet", "parse", "store", "transactions"],
    },
    Room {
        name: "rare",
        path: "sensor-ebpf/src/rare.rs",
        may_import: &["eviction", "outcomes", "parse", "store"],
    },
    Room {
        name: "servers",
        path: "sensor-ebpf/src/servers.rs",
        may_import: &["address", "eviction", "rare"],
    },
    Room {
        name: "forgery",
        path: "sensor-ebpf/src/forgery.rs",
        may_import: &["address", "packet", "store"],
    },
    Room {
        name: "account",
        path: "sensor-ebpf/src/account.rs",
        may_import: &[
            "address",
            "forgery",
            "packet",
            "parse",
            "rare",
            "sampling",
            "servers",
            "sketch",
            "store",
            "transactions",
        ],
    },
    Room {
        name: "lib",
        path: "sensor-ebpf/src/lib.rs",
        may_import: &[],
    },
];

/// Crates that have no rooms: what all import, and what none imports.
pub const OTHERS: [&str; 7] = [
    "sensor-common/src",
    "sensor-ebpf/src/main.rs",
    "sensor-ebpf/src/flood.rs",
    "sensor-ebpf/src/drops.rs",
    "sensor-ebpf/src/kernel",
    "sensor/build",
    "xtask/src",
];
