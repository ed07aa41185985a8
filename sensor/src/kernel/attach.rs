//! Which hook, and why; attaching to it.

use std::fmt;
use std::os::fd::AsFd;

use aya::programs::tc::TcAttachOptions;
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, Xdp, XdpMode};
use aya::sys::SyscallError;
use clap::ValueEnum;
use sensor_common::names::{PROGRAM_EGRESS, PROGRAM_INGRESS, PROGRAM_XDP};
use sensor_common::settings::Direction;

use super::clsact::{Clsact, ClsactError};
use super::held::{HeldHook, HeldLink, Hold};
use super::interface::{Interface, Kind, LinkState};
use super::load::{LoadError, Loaded, chain, program};

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

/// What is attached to an interface. Dropping it detaches.
pub struct Attached {
    /// The interface.
    pub interface: Interface,
    /// Ingress hook.
    pub hook: Hook,
    /// Whether sent packets are counted too.
    pub egress: bool,
    /// Why this hook, as a sentence for people.
    pub reason: String,
    /// As of the last look.
    pub state: LinkState,
    /// Ingress first.
    hooks: Vec<HeldHook>,
    /// Of the hooks that are filters.
    clsact: Option<Clsact>,
}

impl Attached {
    /// Asks the kernel whether our programs are still at their hooks. Returns what was lost since the last
    /// look: directions, and why.
    pub fn look(&mut self) -> Vec<(Direction, String)> {
        let clsact = self.clsact.as_ref();
        let mut lost = Vec::new();
        for hook in &mut self.hooks {
            if hook.look(clsact) {
                lost.extend(hook.lost.clone().map(|why| (hook.direction, why)));
            }
        }
        lost
    }

    /// Directions in which nothing is counted any more.
    pub fn detached(&self) -> impl Iterator<Item = Direction> {
        let lost = self.hooks.iter().filter(|hook| hook.lost.is_some());
        lost.map(|hook| hook.direction)
    }

    /// Whether nothing at all is counted any more.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.hooks.iter().all(|hook| hook.lost.is_some())
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

/// What will be tried, and the reason: decided before anything is touched, so that `doctor` can say
/// it too. `no_xdp` says why this kernel runs no XDP program of ours, if so.
#[must_use]
pub fn plan(interface: &Interface, hook: HookChoice, no_xdp: Option<&str>) -> (HookChoice, String) {
    if hook != HookChoice::Auto {
        return (hook, "asked for with --hook".into());
    }
    if let Some(reason) = no_xdp {
        return (HookChoice::Tc, format!("no XDP: {reason}"));
    }
    if let Some(id) = interface.xdp {
        return (
            HookChoice::Tc,
            format!("another XDP program (id {id}) owns the interface"),
        );
    }
    match &interface.kind {
        Kind::Hardware => (HookChoice::Xdp, "the driver may run XDP itself".into()),
        Kind::Loopback => (
            HookChoice::Tc,
            "loopback has no native XDP, and each packet is counted once, on ingress".into(),
        ),
        Kind::Software(kind) => (
            HookChoice::Tc,
            format!("native XDP would change how this device ({kind}) works: its offloads"),
        ),
    }
}

/// Attaches to an interface of this thread's network namespace.
///
/// # Errors
/// Nothing is attached then.
pub fn attach(
    loaded: &mut Loaded,
    interface: Interface,
    options: &AttachOptions,
) -> Result<Attached, AttachError> {
    let (choice, mut reason) = plan(&interface, options.hook, loaded.no_xdp.as_deref());
    let egress = !options.ingress_only && interface.kind != Kind::Loopback;
    if choice != HookChoice::Tc {
        may_have_xdp(loaded, &interface)?;
    }
    let mut tc = Tc::new(&interface, *options)?;
    // Before anything is attached.
    if choice == HookChoice::Tc {
        tc.vacate(Direction::Ingress)?;
    }
    if egress {
        tc.vacate(Direction::Egress)?;
    }
    let (ingress, hook) = match choice {
        HookChoice::Tc => (tc.attach(loaded, Direction::Ingress)?, Hook::Tc),
        HookChoice::Xdp | HookChoice::Auto => {
            match attach_xdp(loaded, &interface, options.hook == HookChoice::Xdp) {
                Ok((link, hook, note)) => {
                    if let Some(note) = note {
                        reason = format!("{reason}; {note}");
                    }
                    (HeldHook::new(Direction::Ingress, Hold::Link(link)), hook)
                }
                // Only `auto` may choose another hook than XDP.
                Err(error) if options.hook == HookChoice::Auto => {
                    reason = format!("native XDP was refused: {error}");
                    tc.vacate(Direction::Ingress)?;
                    (tc.attach(loaded, Direction::Ingress)?, Hook::Tc)
                }
                Err(error) => return Err(error),
            }
        }
    };
    let mut hooks = vec![ingress];
    if egress {
        hooks.push(tc.attach(loaded, Direction::Egress)?);
    }
    let clsact = tc.clsact;
    if clsact.is_some() && (egress || hook == Hook::Tc) {
        reason = format!("{reason}; TC by clsact filters, which have room for one sensor");
    }
    log::info!("{}: {hook}, because {reason}", interface.name);
    Ok(Attached {
        state: interface.state,
        interface,
        hook,
        egress,
        reason,
        hooks,
        clsact,
    })
}

/// Attaches TC programs to one interface.
struct Tc<'a> {
    interface: &'a Interface,
    take_over: bool,
    /// `None` for TCX.
    clsact: Option<Clsact>,
}

impl<'a> Tc<'a> {
    fn new(interface: &'a Interface, options: AttachOptions) -> Result<Self, AttachError> {
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
    fn vacate(&mut self, direction: Direction) -> Result<(), AttachError> {
        self.clsact.as_mut().map_or(Ok(()), |clsact| {
            let vacated = clsact.vacate(direction, self.take_over);
            vacated.map_err(Self::failed(self.interface))
        })
    }

    fn attach(
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
            hook: format!("TC {}", super::clsact::name(direction)),
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

/// Whether this kernel has our XDP program, and the interface room for it.
fn may_have_xdp(loaded: &Loaded, interface: &Interface) -> Result<(), AttachError> {
    if let Some(reason) = &loaded.no_xdp {
        return Err(AttachError::NoXdp {
            interface: interface.name.clone(),
            reason: reason.clone(),
        });
    }
    match interface.xdp {
        Some(id) => Err(AttachError::XdpTaken {
            interface: interface.name.clone(),
            id,
        }),
        None => Ok(()),
    }
}

/// Native XDP; generic too where it was asked for.
fn attach_xdp(
    loaded: &mut Loaded,
    interface: &Interface,
    or_generic: bool,
) -> Result<(HeldLink, Hook, Option<String>), AttachError> {
    let xdp: &mut Xdp = program(&mut loaded.ebpf, PROGRAM_XDP)?;
    let native = match try_xdp(xdp, interface, XdpMode::Driver) {
        Ok(link) => return Ok((link, Hook::XdpNative, None)),
        Err(reason) => reason,
    };
    let refused = |hook: &str, reason| AttachError::Refused {
        interface: interface.name.clone(),
        hook: hook.into(),
        reason,
    };
    if !or_generic {
        return Err(refused("native XDP", native));
    }
    match try_xdp(xdp, interface, XdpMode::Skb) {
        Ok(link) => {
            let note = format!("generic, because the driver refuses native XDP: {native}");
            Ok((link, Hook::XdpGeneric, Some(note)))
        }
        Err(generic) => Err(refused(
            "XDP",
            format!("native: {native}; generic: {generic}; try --hook tc"),
        )),
    }
}

fn try_xdp(xdp: &mut Xdp, interface: &Interface, mode: XdpMode) -> Result<HeldLink, String> {
    let id = xdp
        .attach_to_if_index(interface.index, mode)
        .map_err(|error| explain(&error))?;
    let link = xdp.take_link(id).map_err(|error| chain(&error))?;
    HeldLink::xdp(link).map_err(|_| "the kernel refuses a BPF link for it".into())
}

/// A system error in the words of what usually causes it.
fn explain(error: &ProgramError) -> String {
    let text = chain(error);
    let ProgramError::SyscallError(syscall) = error else {
        return text;
    };
    match syscall.io_error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "the driver has no native XDP".into(),
        Some(libc::EBUSY | libc::EEXIST) => "another XDP program is attached".into(),
        Some(libc::ERANGE | libc::EMSGSIZE) => {
            "the MTU is too large for the driver's XDP buffers".into()
        }
        Some(libc::ENODEV) => "the interface is gone".into(),
        Some(libc::EINVAL | libc::ENOSPC | libc::ENOMEM) => format!(
            "the driver cannot run XDP as it is set up: too few queues for each CPU, LRO, or header split ({text})"
        ),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(kind: Kind) -> Interface {
        Interface {
            index: 2,
            name: "eth0".into(),
            mtu: 1500,
            state: LinkState::Up,
            kind,
            has_ethernet: true,
            xdp: None,
            controller: None,
            below: None,
        }
    }

    #[test]
    fn auto_takes_xdp_on_hardware_only() {
        assert_eq!(
            plan(&interface(Kind::Hardware), HookChoice::Auto, None).0,
            HookChoice::Xdp
        );
        let (hook, reason) = plan(
            &interface(Kind::Software("veth".into())),
            HookChoice::Auto,
            None,
        );
        assert_eq!(hook, HookChoice::Tc);
        assert!(reason.contains("veth"), "{reason}");
        assert_eq!(
            plan(&interface(Kind::Loopback), HookChoice::Auto, None).0,
            HookChoice::Tc
        );
    }

    #[test]
    fn auto_leaves_another_program_alone() {
        let mut taken = interface(Kind::Hardware);
        taken.xdp = Some(17);
        let (hook, reason) = plan(&taken, HookChoice::Auto, None);
        assert_eq!(hook, HookChoice::Tc);
        assert!(reason.contains("17"), "{reason}");
    }

    #[test]
    fn without_xdp_programs_it_is_tc_and_says_why() {
        let (hook, reason) = plan(
            &interface(Kind::Hardware),
            HookChoice::Auto,
            Some("unknown func bpf_xdp_load_bytes#189"),
        );
        assert_eq!(hook, HookChoice::Tc);
        assert!(reason.contains("bpf_xdp_load_bytes"), "{reason}");
    }

    #[test]
    fn what_is_asked_for_is_what_is_tried() {
        let veth = interface(Kind::Software("veth".into()));
        assert_eq!(plan(&veth, HookChoice::Xdp, None).0, HookChoice::Xdp);
    }
}
