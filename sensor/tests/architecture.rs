//! The direction of imports, which is the direction of data (see `docs/ARCHITECTURE.md`).

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below a folder, or the file itself.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.into()];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
        found.extend(files(&entry.expect("an entry").path()));
    }
    found.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    found
}

/// Names after `crate::` in a file, tests included.
fn imports(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("readable");
    text.match_indices("crate::")
        .map(|(at, found)| {
            text[at + found.len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

/// Each module and those that it may import: what lies before it on the way of the data, and what
/// all share.
const LOADER: [(&str, &[&str]); 25] = [
    ("counters.rs", &[]),
    ("settings.rs", &[]),
    ("sketch.rs", &[]),
    ("latency.rs", &[]),
    ("samples.rs", &[]),
    ("own_cost.rs", &[]),
    ("calendar.rs", &[]),
    ("ip.rs", &["sketch"]),
    ("sighting.rs", &["settings"]),
    ("snapshot.rs", &["counters", "sketch"]),
    ("upkeep", &["counters", "sketch", "snapshot"]),
    ("window.rs", &["counters", "latency", "sketch", "snapshot"]),
    ("host", &["settings", "snapshot", "upkeep"]),
    (
        "kernel",
        &[
            "calendar", "counters", "host", "ip", "settings", "snapshot", "upkeep",
        ],
    ),
    ("host_facts.rs", &[]),
    // Rules see windows, never a map.
    (
        "detect",
        &[
            "counters", "detect", "ip", "latency", "sighting", "sketch", "snapshot", "window",
            // A link in the documentation.
            "incident",
        ],
    ),
    (
        "incident",
        &[
            "calendar",
            "detect",
            "host_facts",
            "incident",
            "ip",
            "samples",
            "sighting",
            "sketch",
        ],
    ),
    ("verify.rs", &["incident"]),
    (
        "monitor.rs",
        &[
            "calendar",
            "detect",
            "host_facts",
            "incident",
            "ip",
            "sighting",
            "snapshot",
            "window",
        ],
    ),
    ("stage", &["stage"]),
    // Presenting computes nothing; it may look at what it names.
    (
        "present",
        &[
            "detect", "incident", "ip", "kernel", "latency", "own_cost", "samples", "sketch",
            "snapshot", "window",
        ],
    ),
    ("alerts", &["calendar", "incident", "present"]),
    (
        "cli.rs",
        &["detect", "ip", "kernel", "present", "settings", "sketch"],
    ),
    (
        "command",
        &[
            "alerts", "calendar", "cli", "counters", "detect", "host", "incident", "ip", "kernel",
            "monitor", "own_cost", "present", "samples", "settings", "snapshot", "stage", "upkeep",
            "verify", "window",
        ],
    ),
    ("lib.rs", &[]),
];

const PROGRAM: [(&str, &[&str]); 14] = [
    ("packet.rs", &[]),
    ("hash.rs", &[]),
    ("address.rs", &["hash", "packet"]),
    ("parse", &["address", "hash", "packet", "parse"]),
    ("store.rs", &[]),
    ("transactions.rs", &["hash", "store"]),
    ("eviction.rs", &[]),
    ("sampling.rs", &[]),
    ("sketch.rs", &["address", "hash"]),
    (
        "outcomes.rs",
        &["hash", "packet", "parse", "store", "transactions"],
    ),
    ("rare.rs", &["eviction", "outcomes", "parse", "store"]),
    ("servers.rs", &["address", "eviction", "rare"]),
    (
        "account.rs",
        &[
            "address",
            "packet",
            "parse",
            "rare",
            "sampling",
            "servers",
            "sketch",
            "store",
            "transactions",
        ],
    ),
    ("lib.rs", &[]),
];

fn check(source: &Path, modules: &[(&str, &[&str])]) {
    for (module, allowed) in modules {
        let found = files(&source.join(module));
        assert!(!found.is_empty(), "{module} has no files");
        for file in found {
            for import in imports(&file) {
                assert!(
                    allowed.contains(&import.as_str()),
                    "{} imports {import}, which does not lie before it",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn the_loader_imports_backwards_only() {
    check(&root().join("sensor/src"), &LOADER);
}

#[test]
fn the_packet_program_imports_backwards_only() {
    check(&root().join("sensor-ebpf/src"), &PROGRAM);
}

#[test]
fn every_module_has_its_place() {
    for (source, modules) in [
        ("sensor/src", &LOADER[..]),
        ("sensor-ebpf/src", &PROGRAM[..]),
    ] {
        for entry in fs::read_dir(root().join(source)).expect("readable") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_string_lossy();
            let known = modules.iter().any(|(module, _)| *module == name)
                || matches!(&*name, "main.rs" | "kernel");
            assert!(known, "{source}/{name} is in no list of this test");
        }
    }
}

#[test]
fn the_packet_program_knows_no_aya_and_no_unsafe_code() {
    for (module, _) in PROGRAM {
        for file in files(&root().join("sensor-ebpf/src").join(module)) {
            let text = fs::read_to_string(&file).expect("readable");
            assert!(!text.contains("aya"), "{}", file.display());
        }
    }
    let library = fs::read_to_string(root().join("sensor-ebpf/src/lib.rs")).expect("readable");
    assert!(library.contains("#![forbid(unsafe_code)]"));
}
