//! Which hooks there are, what is asked of them, and why one is refused.

use std::fmt;

use aya::programs::{ProgramError, SchedClassifier, TcAttachType};
use aya::sys::SyscallError;
use clap::ValueEnum;

use super::clsact::ClsactError;
use super::load::LoadError;

/// Which hook is asked for on ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HookChoice {
    /// XDP on hardware and virtio, TC elsewhere.
    Auto,
    /// XDP: native, or generic where the driver has none.
    Xdp,
    /// TC ingress.
    Tc,
}

/// Where the ingress program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// In the driver.
    XdpNative,
    /// In the stack, before TC.
    XdpGeneric,
    /// TCX or clsact.
    Tc,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XdpNative => "native XDP",
            Self::XdpGeneric => "generic XDP",
            Self::Tc => "TC ingress",
        })
    }
}

/// How TC programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcFlavour {
    /// A link, gone with its process.
    Tcx,
    /// A filter of the clsact queueing discipline, over netlink.
    Clsact,
}

impl TcFlavour {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }

    /// What this kernel offers, by asking it for the TCX programs of the loopback device. `None` where that
    /// is not permitted.
    #[must_use]
    pub fn probe() -> Option<Self> {
        match SchedClassifier::query_tcx("lo", TcAttachType::Ingress) {
            Ok(_) => Some(Self::Tcx),
            Err(ProgramError::SyscallError(SyscallError { call, io_error })) => {
                match (call, io_error.raw_os_error()) {
                    // A kernel that does not know the question.
                    ("bpf_prog_query", Some(libc::EINVAL)) => Some(Self::Clsact),
                    ("bpf_prog_query", _) => None,
                    // It has answered, and its answer cannot be looked up.
                    _ => Some(Self::Tcx),
                }
            }
            Err(_) => None,
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct AttachOptions {
    /// Ingress hook.
    pub hook: HookChoice,
    /// Leave egress alone.
    pub ingress_only: bool,
    /// How TC programs are attached.
    pub tc: TcFlavour,
    /// Take the place of another sensor, where there is only one.
    pub take_over: bool,
}

/// Why nothing was attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Another XDP program owns the interface.
    #[error(
        "{interface} already has an XDP program (id {id}); watch it with --hook tc, or detach the \
         other with `ip link set dev {interface} xdp off`"
    )]
    XdpTaken {
        /// Name.
        interface: String,
        /// Of the other program.
        id: u32,
    },
    /// The kernel refused.
    #[error("cannot attach to {interface} ({hook}): {reason}")]
    Refused {
        /// Name.
        interface: String,
        /// What was tried.
        hook: String,
        /// From the system.
        reason: String,
    },
    /// This kernel runs no XDP program of ours.
    #[error("cannot attach to {interface} with XDP: {reason}; try --hook tc")]
    NoXdp {
        /// Name.
        interface: String,
        /// From the load.
        reason: String,
    },
    /// A filter of clsact.
    #[error("cannot attach to {interface} (TC): {source}")]
    Clsact {
        /// Name.
        interface: String,
        /// Why.
        source: ClsactError,
    },
    /// The object is not what it should be.
    #[error(transparent)]
    Load(#[from] LoadError),
}
