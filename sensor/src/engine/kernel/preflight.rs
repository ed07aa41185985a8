//! What this process and this kernel allow, asked before anything is tried.

use std::fs;

/// A capability that loading or attaching needs (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Bit in the effective set.
    bit: u32,
    /// As in capabilities(7).
    pub name: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
}

/// All that are needed. `CAP_SYS_ADMIN` stands for the first two.
pub const NEEDED: [Capability; 3] = [
    Capability {
        bit: 39,
        name: "CAP_BPF",
        purpose: "loading programs and creating maps",
    },
    Capability {
        bit: 38,
        name: "CAP_PERFMON",
        purpose: "programs that compare packet pointers",
    },
    Capability {
        bit: 12,
        name: "CAP_NET_ADMIN",
        purpose: "attaching to an interface",
    },
];

const SYS_ADMIN: u32 = 21;

/// Kernels on which all of this was tried, the oldest first. Others are not refused for their number: what
/// they lack shows when the programs are loaded.
pub const TRIED_KERNELS: [(u32, u32); 3] = [(6, 1), (6, 12), (6, 18)];

/// [`TRIED_KERNELS`] as people read them.
#[must_use]
pub fn tried_kernels() -> String {
    TRIED_KERNELS
        .map(|(major, minor)| format!("{major}.{minor}"))
        .join(", ")
}

/// Why nothing can be loaded here.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// Not privileged.
    #[error(
        "missing {}; run as root, or grant {} to the binary with setcap(8)",
        list(.0),
        grant(.0)
    )]
    Capabilities(Vec<Capability>),
}

fn list(missing: &[Capability]) -> String {
    let missing: Vec<String> = missing
        .iter()
        .map(|capability| format!("{} ({})", capability.name, capability.purpose))
        .collect();
    missing.join(", ")
}

fn grant(missing: &[Capability]) -> String {
    let names: Vec<String> = missing
        .iter()
        .map(|capability| capability.name.to_lowercase())
        .collect();
    format!("{}=ep", names.join(","))
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Host {
    /// `uname -r`.
    pub release: String,
    /// Major and minor of it.
    pub kernel: (u32, u32),
    /// Those of [`NEEDED`] that are missing.
    pub missing: Vec<Capability>,
    /// Whether the kernel describes its types.
    pub btf: bool,
    /// Whether programs are compiled; `None` where it cannot be read.
    pub jit: Option<bool>,
}

impl Host {
    /// Looks at this process and this kernel.
    #[must_use]
    pub fn look() -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim()
            .to_string();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            kernel: version(&release),
            release,
            missing: missing(effective(&status)),
            btf: fs::exists("/sys/kernel/btf/vmlinux").unwrap_or(false),
            jit: fs::read_to_string("/proc/sys/net/core/bpf_jit_enable")
                .ok()
                .map(|text| text.trim() != "0"),
        }
    }

    /// Whether this process may load the program. Whether the kernel can run it is for the load to find out.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self) -> Result<(), PreflightError> {
        if self.missing.is_empty() {
            Ok(())
        } else {
            Err(PreflightError::Capabilities(self.missing.clone()))
        }
    }

    /// Whether the kernel is older than all of [`TRIED_KERNELS`].
    #[must_use]
    pub fn is_older_than_tried(&self) -> bool {
        self.kernel < TRIED_KERNELS[0]
    }
}

/// Major and minor of a release; 0 where there is none.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The effective set in the text of `/proc/self/status`.
fn effective(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

fn missing(effective: u64) -> Vec<Capability> {
    let has = |bit: u32| effective >> bit & 1 != 0;
    NEEDED
        .into_iter()
        .filter(|needed| {
            let by_sys_admin = needed.name != "CAP_NET_ADMIN" && has(SYS_ADMIN);
            !has(needed.bit) && !by_sys_admin
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host {
            release: "6.1.0-13-amd64".into(),
            kernel: version("6.1.0-13-amd64"),
            missing: Vec::new(),
            btf: true,
            jit: Some(true),
        }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(version("6.1.0-13-amd64"), (6, 1));
        assert_eq!(version("5.15.0-rc2"), (5, 15));
        assert_eq!(version(""), (0, 0));
    }

    #[test]
    fn missing_capabilities_are_named() {
        let only_net_admin = effective("CapPrm:\tffff\nCapEff:\t0000000000001000\n");
        let names: Vec<_> = missing(only_net_admin).iter().map(|c| c.name).collect();
        assert_eq!(names, ["CAP_BPF", "CAP_PERFMON"]);
        assert!(missing(1 << SYS_ADMIN | 1 << 12).is_empty());
        assert_eq!(missing(1 << SYS_ADMIN).len(), 1);
        let error = Host {
            missing: missing(0),
            ..host()
        }
        .check()
        .expect_err("nothing is granted");
        let text = error.to_string();
        assert!(
            text.contains("CAP_NET_ADMIN (attaching to an interface)"),
            "{text}"
        );
        assert!(
            text.contains("cap_bpf,cap_perfmon,cap_net_admin=ep"),
            "{text}"
        );
    }

    #[test]
    fn no_kernel_is_refused_for_its_number() {
        for (release, older) in [
            ("5.10.0", true),
            ("6.1.0-13-amd64", false),
            ("6.8.0", false),
        ] {
            let host = Host {
                release: release.into(),
                kernel: version(release),
                btf: false,
                ..host()
            };
            assert!(host.check().is_ok(), "{release}");
            assert_eq!(host.is_older_than_tried(), older, "{release}");
        }
    }
}
