//! TC programs at their hooks: by TCX links, or by filters where the kernel has none.

use std::os::fd::AsFd;

use aya::programs::tc::TcAttachOptions;
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType};
use sensor_common::names::{PROGRAM_EGRESS, PROGRAM_INGRESS};
use sensor_common::settings::Direction;

use super::clsact::{self, Clsact, ClsactError};
use super::held::{HeldHook, HeldLink, Hold};
use super::hook::{AttachError, AttachOptions, TcFlavour};
use super::interface::Interface;
use super::load::{Loaded, chain, program};

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
