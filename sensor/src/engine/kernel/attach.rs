//! Which hook, and why; attaching to it.

use std::time::Instant;

use sensor_common::settings::Direction;

use super::clsact::Clsact;
use super::held::{HeldHook, Hold};
use super::hook::{AttachError, AttachOptions, Hook, HookChoice, TcFlavour};
use super::interface::{Interface, Kind};
use super::load::{Loaded, Programs};
use super::{tc, xdp};
use crate::engine::status::LinkState;

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
    /// Ingress first.
    hooks: Vec<HeldHook>,
    /// Of the hooks that are filters.
    clsact: Option<Clsact>,
    /// When the last of the hooks was found lost.
    detached_at: Option<Instant>,
}

impl Attached {
    /// Where packets are counted, in few characters: `xdp+tcx`; with how TC programs were attached.
    #[must_use]
    pub fn hooks(&self, tc: TcFlavour) -> String {
        let ingress = match self.hook {
            Hook::XdpNative => "xdp",
            Hook::XdpGeneric => "xdp_generic",
            Hook::Tc => tc.name(),
        };
        if self.egress {
            format!("{ingress}+{}", tc.name())
        } else {
            ingress.into()
        }
    }

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
        if !lost.is_empty() && self.hooks.iter().all(|hook| hook.lost.is_some()) {
            self.detached_at = Some(Instant::now());
        }
        lost
    }

    /// Directions in which nothing is counted any more.
    pub fn detached(&self) -> impl Iterator<Item = Direction> {
        let lost = self.hooks.iter().filter(|hook| hook.lost.is_some());
        lost.map(|hook| hook.direction)
    }

    /// How the interface is that was found like this at a time. Programs are lost with their interface, too:
    /// they were detached only if it was still there afterwards.
    #[must_use]
    pub fn state(&self, found: LinkState, at: Instant) -> LinkState {
        match self.detached_at {
            Some(detached) if found != LinkState::Gone && detached < at => LinkState::Detached,
            _ => found,
        }
    }
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

/// What of the object may be attached to these interfaces.
#[must_use]
pub fn programs(interfaces: &[Interface], options: &AttachOptions) -> Programs {
    let mut programs = Programs::default();
    for interface in interfaces {
        let (choice, _) = plan(interface, options.hook, None);
        programs.xdp |= choice != HookChoice::Tc;
        // Where the driver refuses XDP that nobody asked for, it is TC.
        programs.ingress |= choice == HookChoice::Tc || options.hook == HookChoice::Auto;
        programs.egress |= has_egress(interface, *options);
    }
    programs
}

/// Loopback has both directions on ingress.
fn has_egress(interface: &Interface, options: AttachOptions) -> bool {
    !options.ingress_only && interface.kind != Kind::Loopback
}

/// Attaches to an interface of this thread's network namespace. What [`programs`] tells is loaded.
///
/// # Errors
/// Nothing is attached then.
pub fn attach(
    loaded: &mut Loaded,
    interface: Interface,
    options: &AttachOptions,
) -> Result<Attached, AttachError> {
    let (choice, mut reason) = plan(&interface, options.hook, loaded.no_xdp.as_deref());
    let egress = has_egress(&interface, *options);
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
        interface,
        hook,
        egress,
        reason,
        hooks,
        clsact,
        detached_at: None,
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
    fn what_cannot_be_attached_is_not_verified() {
        let options = |hook, ingress_only| AttachOptions {
            hook,
            ingress_only,
            tc: TcFlavour::Tcx,
            take_over: false,
        };
        let of = |kind, hook| programs(&[interface(kind)], &options(hook, false));
        let each = |programs: Programs| (programs.ingress, programs.egress, programs.xdp);
        let veth = || Kind::Software("veth".into());
        assert_eq!(each(of(veth(), HookChoice::Auto)), (true, true, false));
        assert_eq!(each(of(veth(), HookChoice::Xdp)), (false, true, true));
        assert_eq!(
            each(of(Kind::Loopback, HookChoice::Auto)),
            (true, false, false)
        );
        assert_eq!(
            each(of(Kind::Hardware, HookChoice::Auto)),
            (true, true, true),
            "the driver may refuse XDP"
        );
        let both = [interface(Kind::Hardware), interface(Kind::Loopback)];
        assert_eq!(
            each(programs(&both, &options(HookChoice::Tc, true))),
            (true, false, false)
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
