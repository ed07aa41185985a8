//! `cargo xtask setup`: installs the BPF toolchain, by the way that this machine offers.

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{self, output};
use crate::toolchain::{self, Compiler, LINKER_VERSION};
use crate::workspace;

/// LLVM of the linker: that of Debian's rustc-web, and the first to allow unaligned reads.
const LLVM: &str = "22";

/// Debian's compiler with a `core` for BPF, and what the linker is built with.
const PACKAGES: [&str; 7] = [
    "rustc-web",
    "libstd-rust-web-dev-bpf",
    "llvm-22-dev",
    "libclang-22-dev",
    "libpolly-22-dev",
    "libzstd-dev",
    "zlib1g-dev",
];

/// Runs the task.
///
/// # Errors
/// What could not be installed, and what to do.
pub fn run() -> Result<()> {
    if Compiler::find().is_none() {
        install_compiler()?;
    }
    if toolchain::linker_folder().is_none() {
        install_linker()?;
    }
    let installed = toolchain::installed()?;
    println!(
        "ready: {} (LLVM {}), {}",
        installed.versions.rustc, installed.versions.llvm, installed.versions.linker
    );
    Ok(())
}

fn install_compiler() -> Result<()> {
    if apt_has_packages() {
        return install_packages();
    }
    if output(Command::new("rustup").arg("--version")).is_some() {
        println!("installing rustup's nightly with rust-src and llvm-tools");
        return process::run(Command::new("rustup").args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
            "--component",
            "rust-src",
            "--component",
            "llvm-tools",
        ]));
    }
    bail!(
        "this machine has neither Debian's package {} nor rustup: install rustup, then run `cargo \
         xtask setup` again",
        PACKAGES[0]
    )
}

/// Whether apt knows all packages; reads the package lists first if they are missing, or so old that
/// only some are in them.
fn apt_has_packages() -> bool {
    let known = || {
        PACKAGES
            .iter()
            .all(|package| output(Command::new("apt-cache").args(["show", package])).is_some())
    };
    if known() {
        return true;
    }
    if !is_root() {
        // Enough to tell what root would do.
        return output(Command::new("apt-cache").args(["show", PACKAGES[0]])).is_some();
    }
    if output(Command::new("apt-get").arg("--version")).is_none() {
        return false;
    }
    println!("reading Debian's package lists: apt-get update");
    output(Command::new("apt-get").arg("update")).is_some() && known()
}

fn install_packages() -> Result<()> {
    let command = format!(
        "apt-get install -y --no-install-recommends {}",
        PACKAGES.join(" ")
    );
    if !is_root() {
        bail!("installing Debian's packages needs root; as root, run: apt-get update && {command}");
    }
    println!("installing Debian's compiler and LLVM: {command}");
    process::run(
        Command::new("apt-get")
            .args(["install", "-y", "--no-install-recommends"])
            .args(PACKAGES)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn install_linker() -> Result<()> {
    let tools = workspace::tools();
    println!(
        "building bpf-linker {LINKER_VERSION} into {}",
        tools.display()
    );
    let mut command = Command::new("cargo");
    command
        .args(["install", "bpf-linker", "--locked", "--version"])
        .args([LINKER_VERSION, "--root"])
        .arg(tools);
    let prefix = format!("/usr/lib/llvm-{LLVM}");
    if std::path::Path::new(&prefix).is_dir() {
        // Without the prefix it finds another LLVM and does not link.
        command.args(["--no-default-features", "--features"]);
        command.arg(format!("llvm-{LLVM}"));
        command.env("LLVM_PREFIX", prefix);
    }
    process::run(&mut command)
}

/// Whether this process may install packages.
pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}
