//! Paths of the workspace.

use std::path::PathBuf;

/// The folder with the top-level `Cargo.toml`.
pub fn root() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    // The manifest directory of a member always has a parent.
    xtask.parent().map_or_else(PathBuf::new, PathBuf::from)
}

/// A committed object, as `sensor.bpf.o`.
pub fn object(name: &str) -> PathBuf {
    root().join("sensor/bpf").join(name)
}

/// What the committed objects were built from.
pub fn lock() -> PathBuf {
    root().join("sensor/bpf/sensor.bpf.lock")
}

/// Where the kernel half is built.
pub fn bpf_target() -> PathBuf {
    root().join("target/bpf")
}

/// Where `setup` installs the linker.
pub fn tools() -> PathBuf {
    root().join("target/tools")
}

/// Where `kernels` keeps images and file systems.
pub fn kernels() -> PathBuf {
    root().join("target/kernels")
}
