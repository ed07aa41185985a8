//! `bpf/sensor.bpf.lock`: what the committed objects were built from. Shared by the build script of
//! `sensor`, which refuses to embed a stale object, and by `xtask`, which writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Arguments of rustc for the kernel half. `cargo xtask build-ebpf` adds path remapping to them.
pub const RUSTC_FLAGS: &[&str] = &[
    "-Clinker=bpf-linker",
    "-Clink-arg=--btf",
    // Without it every read of a header is put together from single bytes.
    "-Clink-arg=--cpu-features=+allows-misaligned-mem-access",
    "-Ctarget-cpu=v3",
    // For line information in BTF, so that the verifier's log names the source.
    "-Cdebuginfo=2",
    "-Cpanic=abort",
    "--cfg=bpf_target_arch=\"x86_64\"",
];

/// Settings of the cargo profile for the kernel half.
pub const PROFILE: &[&str] = &[
    "profile.release.lto=true",
    "profile.release.codegen-units=1",
    "profile.release.opt-level=3",
    "profile.release.debug=2",
    "profile.release.panic=\"abort\"",
    "profile.release.overflow-checks=false",
];

/// Objects, each a binary of `sensor-ebpf`: the two that the loader embeds, and what benchmarks send with.
pub const OBJECTS: [&str; 3] = ["sensor", "drops", "flood"];

/// Folders and files of the workspace that reach them.
const SOURCES: [&str; 2] = ["sensor-common", "sensor-ebpf"];

/// The lock file.
#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Lock {
    /// SHA-256 of each object by its name, in hexadecimal.
    pub objects: BTreeMap<String, String>,
    /// `sensor_common::ABI_VERSION` at the time.
    pub abi_version: u32,
    /// What compiled it.
    pub toolchain: Toolchain,
    /// [`RUSTC_FLAGS`] and [`PROFILE`] at the time.
    pub flags: Vec<String>,
    /// SHA-256 of each source file by its path.
    pub sources: BTreeMap<String, String>,
    /// Version and checksum of each crate that the kernel half depends on, by its name.
    pub dependencies: BTreeMap<String, String>,
}

/// Versions of the compiler and the linker.
#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Toolchain {
    /// First line of `rustc --version`.
    pub rustc: String,
    /// LLVM of that rustc.
    pub llvm: String,
    /// First line of `bpf-linker --version`.
    pub linker: String,
}

/// What the sources of a workspace would be locked as.
#[derive(Debug, PartialEq, Eq)]
pub struct Inputs {
    /// See [`Lock::flags`].
    pub flags: Vec<String>,
    /// See [`Lock::sources`].
    pub sources: BTreeMap<String, String>,
    /// See [`Lock::dependencies`].
    pub dependencies: BTreeMap<String, String>,
}

impl Inputs {
    /// Reads the sources and the lock file of the workspace at `root`.
    ///
    /// # Errors
    /// What could not be read, as a sentence.
    pub fn read(root: &Path) -> Result<Self, String> {
        let mut sources = BTreeMap::new();
        for source in SOURCES {
            hash_below(root, &root.join(source), &mut sources)?;
        }
        Ok(Self {
            flags: RUSTC_FLAGS
                .iter()
                .chain(PROFILE)
                .map(ToString::to_string)
                .collect(),
            sources,
            dependencies: dependencies(root)?,
        })
    }

    /// The first difference from a lock, as part of a sentence; `None` where there is none.
    #[must_use]
    pub fn difference(&self, lock: &Lock) -> Option<String> {
        if self.flags != lock.flags {
            return Some("the compiler flags".into());
        }
        first_difference(&self.sources, &lock.sources)
            .or_else(|| first_difference(&self.dependencies, &lock.dependencies))
    }
}

fn first_difference(
    now: &BTreeMap<String, String>,
    then: &BTreeMap<String, String>,
) -> Option<String> {
    now.keys()
        .chain(then.keys())
        .find(|name| now.get(*name) != then.get(*name))
        .cloned()
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn hash_below(
    root: &Path,
    path: &Path,
    hashes: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let unreadable = |error| format!("cannot read {}: {error}", path.display());
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(unreadable)? {
            hash_below(root, &entry.map_err(unreadable)?.path(), hashes)?;
        }
    } else {
        let name = path.strip_prefix(root).unwrap_or(path);
        let hash = sha256(&fs::read(path).map_err(unreadable)?);
        hashes.insert(name.display().to_string(), hash);
    }
    Ok(())
}

#[derive(Deserialize)]
struct CargoLock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Crates that `sensor-ebpf` needs, directly or not, as `Cargo.lock` has them.
fn dependencies(root: &Path) -> Result<BTreeMap<String, String>, String> {
    let path = root.join("Cargo.lock");
    let text =
        fs::read_to_string(&path).map_err(|error| format!("cannot read Cargo.lock: {error}"))?;
    let lock: CargoLock =
        toml::from_str(&text).map_err(|error| format!("cannot read Cargo.lock: {error}"))?;
    let mut wanted = vec!["sensor-ebpf".to_string()];
    let mut seen = BTreeSet::new();
    let mut found = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        // A dependency is "name", or "name version" where there are several versions of it.
        let (name, version) = match name.split_once(' ') {
            Some((name, version)) => (name, Some(version)),
            None => (name.as_str(), None),
        };
        let package = lock
            .package
            .iter()
            .find(|package| {
                package.name == name && version.is_none_or(|version| package.version == version)
            })
            .ok_or_else(|| format!("Cargo.lock has no package {name}"))?;
        wanted.extend(package.dependencies.iter().cloned());
        if let Some(checksum) = &package.checksum {
            found.insert(format!("{name} {}", package.version), checksum.clone());
        }
    }
    Ok(found)
}
