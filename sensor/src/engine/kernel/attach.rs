//! Which hook, and why; attaching to it.

use std::fmt;

use aya::programs::links::FdLink;
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle};
use aya::programs::xdp::XdpLink;
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, Xdp, XdpMode, tc};
use clap::ValueEnum;
use sensor_common::names::{PROGRAM_EGRESS, PROGRAM_INGRESS, PROGRAM_XDP};

use super::interface::{Interface, Kind};
use super::load::{LoadError, Loaded, chain, program};
use super::preflight::{TCX_KERNEL, XDP_KERNEL};
use crate::engine::status::LinkState;

/// Priority of our clsact filters: the first, so that no other filter hides a packet.
const CLSACT_PRIORITY: u16 = 1;
/// Handle of our clsact filters: fixed, so that one left by a killed process is found again.
const CLSACT_HANDLE: TcHandle = TcHandle::new(0, 0x53);

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
    /// What a kernel offers.
    #[must_use]
    pub fn of(kernel: (u32, u32)) -> Self {
        if kernel >= TCX_KERNEL {
            Self::Tcx
        } else {
            Self::Clsact
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
    /// Id of the ingress program; `None` where the kernel cannot be asked whether it is attached.
    program: Option<u32>,
    /// Held for their drop.
    _links: Vec<HeldLink>,
}

impl Attached {
    /// By what it is known again.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            index: self.interface.index,
            hook: self.hook,
            program: self.program,
        }
    }
}

/// By what an interface is known again.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    index: u32,
    hook: Hook,
    program: Option<u32>,
}

impl Mark {
    /// How the interface is that we attached to, if it is still among these.
    #[must_use]
    pub fn state(&self, all: &[Interface]) -> LinkState {
        let mut all = all.iter();
        match all.find(|interface| interface.index == self.index) {
            Some(interface) if self.is_still_on(interface) => interface.state,
            _ => LinkState::Gone,
        }
    }

    /// Whether an interface with our index is the one that we attached to: a deleted interface's
    /// index may be given to another, which has no program of ours.
    fn is_still_on(&self, now: &Interface) -> bool {
        let Some(program) = self.program else {
            return true;
        };
        match self.hook {
            Hook::XdpNative | Hook::XdpGeneric => now.xdp == Some(program),
            Hook::Tc => SchedClassifier::query_tcx(&now.name, TcAttachType::Ingress)
                // What cannot be asked is not taken for gone.
                .map_or(true, |(_, programs)| {
                    programs.iter().any(|p| p.id() == program)
                }),
        }
    }
}

#[expect(dead_code, reason = "links detach when they are dropped")]
enum HeldLink {
    Xdp(XdpLink),
    Tc(SchedClassifierLink),
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
    /// Version of the kernel.
    pub kernel: (u32, u32),
}

/// What will be tried, and the reason: decided before anything is touched, so that `doctor` can say
/// it too.
#[must_use]
pub fn plan(interface: &Interface, options: &AttachOptions) -> (HookChoice, String) {
    if options.hook != HookChoice::Auto {
        return (options.hook, "asked for with --hook".into());
    }
    if options.kernel < XDP_KERNEL {
        let (major, minor) = XDP_KERNEL;
        return (
            HookChoice::Tc,
            format!("multi-buffer XDP programs need kernel {major}.{minor}"),
        );
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
    let (choice, mut reason) = plan(&interface, options);
    let mut links = Vec::new();
    let hook = match choice {
        HookChoice::Tc => {
            links.push(attach_tc(
                loaded,
                &interface,
                TcAttachType::Ingress,
                options.tc,
            )?);
            Hook::Tc
        }
        HookChoice::Xdp | HookChoice::Auto => {
            match attach_xdp(loaded, &interface, options.hook == HookChoice::Xdp) {
                Ok((link, hook, note)) => {
                    links.push(link);
                    if let Some(note) = note {
                        reason = format!("{reason}; {note}");
                    }
                    hook
                }
                // Only `auto` may choose another hook than XDP.
                Err(error) if options.hook == HookChoice::Auto => {
                    reason = format!("native XDP was refused: {error}");
                    links.push(attach_tc(
                        loaded,
                        &interface,
                        TcAttachType::Ingress,
                        options.tc,
                    )?);
                    Hook::Tc
                }
                Err(error) => return Err(error),
            }
        }
    };
    let egress = !options.ingress_only && interface.kind != Kind::Loopback;
    if egress {
        links.push(attach_tc(
            loaded,
            &interface,
            TcAttachType::Egress,
            options.tc,
        )?);
    }
    log::info!("{}: {hook}, because {reason}", interface.name);
    Ok(Attached {
        program: program_id(loaded, hook, options.tc),
        interface,
        hook,
        egress,
        reason,
        _links: links,
    })
}

/// Id of the ingress program, where the kernel tells what is attached.
fn program_id(loaded: &mut Loaded, hook: Hook, tc: TcFlavour) -> Option<u32> {
    let info = match (hook, tc) {
        (Hook::Tc, TcFlavour::Clsact) => return None,
        (Hook::Tc, TcFlavour::Tcx) => {
            let tc: &mut SchedClassifier = program(&mut loaded.ebpf, PROGRAM_INGRESS).ok()?;
            tc.info()
        }
        (Hook::XdpNative | Hook::XdpGeneric, _) => {
            let xdp: &mut Xdp = program(&mut loaded.ebpf, PROGRAM_XDP).ok()?;
            xdp.info()
        }
    };
    Some(info.ok()?.id())
}

/// Native XDP; generic too where it was asked for.
fn attach_xdp(
    loaded: &mut Loaded,
    interface: &Interface,
    or_generic: bool,
) -> Result<(HeldLink, Hook, Option<String>), AttachError> {
    if let Some(id) = interface.xdp {
        return Err(AttachError::XdpTaken {
            interface: interface.name.clone(),
            id,
        });
    }
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
    // Where the kernel refuses a link, aya attaches over netlink instead, and such a program would
    // outlive us if we are killed. Going through FdLink drops it again.
    let link =
        FdLink::try_from(link).map_err(|_| "the kernel refuses a BPF link for it".to_string())?;
    XdpLink::try_from(link)
        .map(HeldLink::Xdp)
        .map_err(|error| chain(&error))
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

fn attach_tc(
    loaded: &mut Loaded,
    interface: &Interface,
    direction: TcAttachType,
    flavour: TcFlavour,
) -> Result<HeldLink, AttachError> {
    let (name, text) = match direction {
        TcAttachType::Egress => (PROGRAM_EGRESS, "TC egress"),
        _ => (PROGRAM_INGRESS, "TC ingress"),
    };
    let refused = |reason| AttachError::Refused {
        interface: interface.name.clone(),
        hook: text.into(),
        reason,
    };
    let classifier: &mut SchedClassifier = program(&mut loaded.ebpf, name)?;
    let options = match flavour {
        // First: a program before us could hide a packet by its verdict.
        TcFlavour::Tcx => TcAttachOptions::TcxOrder(LinkOrder::first()),
        TcFlavour::Clsact => {
            // It may be there already, and then it is not ours to judge.
            let _ = tc::qdisc_add_clsact(&interface.name);
            // A filter that a killed process left behind.
            let _ = tc::qdisc_detach_program(&interface.name, direction, name);
            TcAttachOptions::Netlink(NlOptions {
                priority: CLSACT_PRIORITY,
                handle: CLSACT_HANDLE,
                ..NlOptions::default()
            })
        }
    };
    let id = classifier
        .attach_with_options(&interface.name, direction, options)
        .map_err(|error| refused(chain(&error)))?;
    classifier
        .take_link(id)
        .map(HeldLink::Tc)
        .map_err(|error| refused(chain(&error)))
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

    const AUTO: AttachOptions = AttachOptions {
        hook: HookChoice::Auto,
        ingress_only: false,
        tc: TcFlavour::Tcx,
        kernel: (6, 18),
    };

    #[test]
    fn auto_takes_xdp_on_hardware_only() {
        assert_eq!(plan(&interface(Kind::Hardware), &AUTO).0, HookChoice::Xdp);
        let (hook, reason) = plan(&interface(Kind::Software("veth".into())), &AUTO);
        assert_eq!(hook, HookChoice::Tc);
        assert!(reason.contains("veth"), "{reason}");
        assert_eq!(plan(&interface(Kind::Loopback), &AUTO).0, HookChoice::Tc);
    }

    #[test]
    fn auto_leaves_another_program_alone() {
        let mut taken = interface(Kind::Hardware);
        taken.xdp = Some(17);
        let (hook, reason) = plan(&taken, &AUTO);
        assert_eq!(hook, HookChoice::Tc);
        assert!(reason.contains("17"), "{reason}");
    }

    #[test]
    fn old_kernels_get_tc() {
        let old = AttachOptions {
            kernel: (5, 15),
            ..AUTO
        };
        assert_eq!(plan(&interface(Kind::Hardware), &old).0, HookChoice::Tc);
        assert_eq!(TcFlavour::of((6, 5)), TcFlavour::Clsact);
        assert_eq!(TcFlavour::of((6, 6)), TcFlavour::Tcx);
    }

    #[test]
    fn what_is_asked_for_is_what_is_tried() {
        let asked = AttachOptions {
            hook: HookChoice::Xdp,
            ..AUTO
        };
        let veth = interface(Kind::Software("veth".into()));
        assert_eq!(plan(&veth, &asked).0, HookChoice::Xdp);
    }
}
