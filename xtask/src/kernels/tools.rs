//! What booting a kernel needs of this machine.

use std::process::Command;

use anyhow::{Result, bail};

use super::initramfs::which;
use crate::process::{output, run};
use crate::setup::is_root;

/// Programs and Debian's packages that have them.
const TOOLS: [(&str, &str); 9] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("xz", "xz-utils"),
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("setpriv", "util-linux"),
    ("strip", "binutils"),
    ("dpkg", "dpkg"),
];

/// Installs what is missing, where that can be done.
///
/// # Errors
/// What is missing, and how to install it.
pub fn install() -> Result<()> {
    if cfg!(not(target_arch = "x86_64")) {
        bail!(
            "kernels are booted on x86-64 alone: tests are built for this machine, and images fetched for that"
        );
    }
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let command = format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    if output(Command::new("apt-get").arg("--version")).is_none() {
        bail!(
            "not installed: the programs of Debian's packages {}; images of Debian's kernels are fetched with apt-get, too",
            packages.join(", ")
        );
    }
    if !is_root() {
        bail!(
            "not installed: {}; as root, run: {command}",
            packages.join(", ")
        );
    }
    println!("installing what boots a kernel: {command}");
    run(Command::new("apt-get")
        .args(["install", "-y", "--no-install-recommends"])
        .args(&packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    bail!("still not there after `{command}`: {}", packages.join(", "))
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<_> = TOOLS
        .iter()
        .filter(|(program, _)| which(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    packages
}
