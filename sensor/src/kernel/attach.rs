//! Which hook, and why; attaching to it.

use std::fmt;

use clap::ValueEnum;
use sensor_common::settings::Direction;

use super::clsact::{Clsact, ClsactError};
use super::held::{HeldHook, Hold};
use super::interface::{Interface, Kind, LinkState};
use super::load::{LoadError, Loaded};
pub use super::tc::TcFlavour;
use super::{tc, xdp};

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
        xdp::may_attach(loaded, &interface)?;
    }
    let mut tc = tc::Tc::new(&interface, *options)?;
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
            match xdp::attach(loaded, &interface, options.hook == HookChoice::Xdp) {
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
