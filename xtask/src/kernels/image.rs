//! Debian's cloud kernels: found by apt, unpacked into the build directory, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{output, run};
use crate::workspace;

/// An unpacked kernel.
pub struct Image {
    /// As asked for: `6.1`.
    pub version: String,
    /// `uname -r`.
    pub release: String,
    /// What qemu boots.
    pub vmlinuz: PathBuf,
    /// Folder of its modules.
    pub modules: PathBuf,
}

impl Image {
    /// The numbers of its version, by which the newest of several is known.
    #[must_use]
    pub fn numbers(&self) -> Vec<u32> {
        let numbers = self.version.split('.').map(|part| part.parse().ok());
        numbers.map_while(|number| number).collect()
    }

    /// The newest image of a version; fetched unless it is there.
    ///
    /// # Errors
    /// apt knows none, or it cannot be fetched.
    pub fn get(version: &str) -> Result<Self> {
        let names = output(Command::new("apt-cache").args([
            "search",
            "--names-only",
            "^linux-image-.*-cloud-amd64$",
        ]))
        .context("no apt-cache: images are those of Debian's packages")?;
        let Some(package) = newest(&names, version) else {
            bail!(
                "apt knows no cloud image of Linux {version}: after `apt-get update` it has those of {}",
                versions(&names).join(", ")
            );
        };
        let unpacked = workspace::kernels().join(&package);
        if !unpacked.join("boot").is_dir() {
            fetch(&package, &unpacked)?;
        }
        let release = package.trim_start_matches("linux-image-").to_string();
        Ok(Self {
            version: version.into(),
            vmlinuz: unpacked.join("boot").join(format!("vmlinuz-{release}")),
            modules: unpacked.join("lib/modules").join(&release),
            release,
        })
    }
}

fn fetch(package: &str, unpacked: &Path) -> Result<()> {
    let downloads = workspace::kernels().join("download");
    fs::create_dir_all(&downloads)?;
    println!("fetching {package} into {}", unpacked.display());
    let mut command = Command::new("apt-get");
    command.current_dir(&downloads);
    // Downloads as this user: apt's own may not write here.
    command.args(["--quiet=2", "-o", "APT::Sandbox::User=root", "download"]);
    run(command.arg(package)).context("cannot fetch the image; `apt-get update` may help")?;
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&format!("{package}_"))
    };
    let entries = fs::read_dir(&downloads)?.flatten();
    let archive = entries.map(|entry| entry.path()).find(is_ours);
    let archive = archive.with_context(|| format!("apt-get left no {package}"))?;
    // Moved when it is whole, so that an end half-way leaves nothing that looks unpacked.
    let partial = unpacked.with_extension("partial");
    run(Command::new("dpkg").arg("-x").arg(&archive).arg(&partial))?;
    fs::rename(&partial, unpacked)?;
    fs::remove_file(archive)?;
    Ok(())
}

/// Numbers of a release, to compare two.
fn numbers(release: &str) -> Vec<u32> {
    let parts = release.split(|c: char| !c.is_ascii_digit());
    parts.filter_map(|part| part.parse().ok()).collect()
}

/// Releases in the output of `apt-cache search`; without the metapackages, which have no image.
fn releases(names: &str) -> impl Iterator<Item = &str> {
    names.lines().filter_map(|line| {
        let package = line.split(' ').next()?;
        let release = package.strip_prefix("linux-image-")?;
        (numbers(release).len() > 2).then_some(release)
    })
}

fn newest(names: &str, version: &str) -> Option<String> {
    releases(names)
        .filter(|release| {
            let rest = release.strip_prefix(version);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .max_by_key(|release| numbers(release))
        .map(|release| format!("linux-image-{release}"))
}

/// Major and minor of every image that apt knows.
fn versions(names: &str) -> Vec<String> {
    let mut found: Vec<Vec<u32>> = releases(names)
        .map(|release| numbers(release)[..2].to_vec())
        .collect();
    found.sort();
    found.dedup();
    found.iter().map(|n| format!("{}.{}", n[0], n[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "\
linux-image-6.1.0-9-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-56-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.12-cloud-amd64 - Linux for x86-64 cloud (meta-package)
linux-image-6.12.117+deb12-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-6.12.99+deb12-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-cloud-amd64 - Linux for x86-64 cloud (meta-package)
";

    #[test]
    fn the_newest_image_of_a_version_is_taken() {
        let of = |version| newest(NAMES, version);
        assert_eq!(
            of("6.1").as_deref(),
            Some("linux-image-6.1.0-56-cloud-amd64")
        );
        assert_eq!(
            of("6.12").as_deref(),
            Some("linux-image-6.12.117+deb12-cloud-amd64")
        );
        assert_eq!(
            of("6.12.99").as_deref(),
            Some("linux-image-6.12.99+deb12-cloud-amd64")
        );
        assert_eq!(of("6"), newest(NAMES, "6.12"));
        assert_eq!(of("5.15"), None);
        assert_eq!(versions(NAMES), ["6.1", "6.12"]);
    }
}
