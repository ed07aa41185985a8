//! TC programs at their hooks: by TCX links, or by filters where the kernel has none.

use std::os::fd::AsFd;

use aya::programs::tc::TcAttachOptions;
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};
use aya::sys::SyscallError;
use sensor_common::names::{PROGRAM_EGRESS, PROGRAM_INGRESS};
use sensor_common::settings::Direction;

use super::attach::{AttachError, AttachOptions};
use super::clsact::{self, Clsact, ClsactError};
use super::held::{HeldHook, HeldLink, Hold};
use super::interface::Interface;
use super::load::{Loaded, chain, program};

/// How TC programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcFlavour {
    /// A link, gone with its process.
    Tcx,
    /// A filter of the clsact queueing discipline, over netlink.
    Clsact,
}

impl TcFlavour {
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

/// Attaches TC programs to one interface.
pub(super) struct Tc<'a> {
    interface: &'a Interface,
    take_over: bool,
    /// `None` for TCX.
    pub(super) clsact: Option<Clsact>,
}

impl<'a> Tc<'a> {
    pub(super) fn new(
        interface: &'a Interface,
        options: AttachOptions,
    ) -> Result<Self, AttachError> {
        let clsact = match options.tc {
            TcFlavour::Tcx => None,
            TcFlavour::Clsact => {
                Some(Clsact::new(interface).map_err(|error| AttachError::Clsact {
                    interface: interface.name.clone(),
                    source: error.into(),
                })?)
            }
        };
        Ok(Self {
            interface,
            take_over: options.take_over,
            clsact,
        })
    }

    fn failed(interface: &Interface) -> impl Fn(ClsactError) -> AttachError {
        |source| AttachError::Clsact {
            interface: interface.name.clone(),
            source,
        }
    }

    /// See [`Clsact::vacate`].
    pub(super) fn vacate(&mut self, direction: Direction) -> Result<(), AttachError> {
        self.clsact.as_mut().map_or(Ok(()), |clsact| {
            let vacated = clsact.vacate(direction, self.take_over);
            vacated.map_err(Self::failed(self.interface))
        })
    }

    pub(super) fn attach(
        &mut self,
        loaded: &mut Loaded,
        direction: Direction,
    ) -> Result<HeldHook, AttachError> {
        let (name, attach_type) = match direction {
            Direction::Ingress => (PROGRAM_INGRESS, TcAttachType::Ingress),
            Direction::Egress => (PROGRAM_EGRESS, TcAttachType::Egress),
        };
        let refused = |reason| AttachError::Refused {
            interface: self.interface.name.clone(),
            hook: format!("TC {}", clsact::name(direction)),
            reason,
        };
        let classifier: &mut SchedClassifier = program(&mut loaded.ebpf, name)?;
        let hold = if let Some(clsact) = &mut self.clsact {
            let id = classifier
                .info()
                .map_err(|error| refused(chain(&error)))?
                .id();
            let program = classifier.fd().map_err(|error| refused(chain(&error)))?;
            clsact
                .attach(direction, program.as_fd(), id)
                .map_err(Self::failed(self.interface))?;
            Hold::Filter
        } else {
            // First: a program before us could hide a packet by its verdict.
            let first = TcAttachOptions::TcxOrder(LinkOrder::first());
            let link = classifier
                .attach_with_options(&self.interface.name, attach_type, first)
                .and_then(|id| classifier.take_link(id))
                .map_err(|error| refused(chain(&error)))?;
            Hold::Link(HeldLink::tcx(link).map_err(|error| refused(chain(&error)))?)
        };
        Ok(HeldHook::new(direction, hold))
    }
}
