//! The compiler and the linker for the BPF target.
//!
//! Two ways lead to a `core` for `bpfel-unknown-none`: a distribution's rustc that ships one
//! (Debian's rustc-web with libstd-rust-web-dev-bpf), or a nightly with rust-src that builds it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::lock::Toolchain;
use crate::process::output;
use crate::workspace;

/// The BPF target.
pub const TARGET: &str = "bpfel-unknown-none";
/// Version of the linker that `setup` installs.
pub const LINKER_VERSION: &str = "0.13.0";
/// The compiler of a distribution.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// Which compiler builds the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compiler {
    /// A distribution's, with a `core` for the target.
    System,
    /// rustup's nightly with rust-src.
    Nightly,
}

impl Compiler {
    /// The one that is installed; the distribution's first.
    pub fn find() -> Option<Self> {
        if has_core(SYSTEM_RUSTC) {
            return Some(Self::System);
        }
        let sysroot = output(Command::new("rustc").args(["+nightly", "--print", "sysroot"]))?;
        Path::new(sysroot.trim())
            .join("lib/rustlib/src/rust/library/core")
            .is_dir()
            .then_some(Self::Nightly)
    }

    /// `cargo build`, with this compiler.
    pub fn cargo_build(self) -> Command {
        match self {
            Self::System => {
                // rustup's `cargo` hands RUSTC on; the crates named may use unstable features.
                let mut command = Command::new("cargo");
                command
                    .arg("build")
                    .env("RUSTC", SYSTEM_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "aya_ebpf,sensor");
                command
            }
            Self::Nightly => {
                let mut command = Command::new("rustup");
                command
                    .args(["run", "nightly", "cargo", "build", "-Zbuild-std=core"])
                    .env_remove("RUSTC");
                command
            }
        }
    }

    fn version(self) -> Result<String> {
        let mut command = match self {
            Self::System => Command::new(SYSTEM_RUSTC),
            Self::Nightly => {
                let mut command = Command::new("rustup");
                command.args(["run", "nightly", "rustc"]);
                command
            }
        };
        output(command.args(["--version", "--verbose"])).context("rustc does not run")
    }
}

fn has_core(rustc: &str) -> bool {
    output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]))
        .and_then(|folder| std::fs::read_dir(folder.trim()).ok())
        .is_some_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
        })
}

/// The folder of the linker: the one that `setup` installed, or one on the path.
pub fn linker_folder() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(workspace::tools().join("bin"))
        .chain(std::env::split_paths(&path))
        .find(|folder| linker_version(&folder.join("bpf-linker")).is_some())
}

fn linker_version(linker: &Path) -> Option<String> {
    let version = output(Command::new(linker).arg("--version"))?;
    Some(version.lines().next()?.to_string())
}

/// An LLVM tool: that of the LLVM that the linker is built with, that of nightly, or one on the path.
pub fn llvm_tool(name: &str) -> Option<PathBuf> {
    let nightly = output(Command::new("rustc").args(["+nightly", "--print", "target-libdir"]))
        .and_then(|libdir| Some(Path::new(libdir.trim()).parent()?.join("bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from("/usr/lib/llvm-22/bin"))
        .chain(nightly)
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|tool| tool.is_file())
}

/// Compiler and linker, ready to build.
pub struct Installed {
    /// The compiler.
    pub compiler: Compiler,
    /// Folder with the linker.
    pub linker: PathBuf,
    /// Their versions.
    pub versions: Toolchain,
}

/// What is installed.
///
/// # Errors
/// What is missing, and how to install it.
pub fn installed() -> Result<Installed> {
    let (Some(compiler), Some(linker)) = (Compiler::find(), linker_folder()) else {
        bail!("no BPF toolchain on this machine; `cargo xtask setup` installs one");
    };
    let verbose = compiler.version()?;
    let versions = Toolchain {
        rustc: verbose.lines().next().unwrap_or_default().to_string(),
        llvm: verbose
            .lines()
            .find_map(|line| line.strip_prefix("LLVM version: "))
            .unwrap_or_default()
            .to_string(),
        linker: linker_version(&linker.join("bpf-linker")).unwrap_or_default(),
    };
    Ok(Installed {
        compiler,
        linker,
        versions,
    })
}
