//! The XDP program at its hook.

use aya::programs::{ProgramError, Xdp, XdpMode};
use sensor_common::names::PROGRAM_XDP;

use super::held::HeldLink;
use super::hook::{AttachError, Hook};
use super::interface::Interface;
use super::load::{Loaded, chain, program};

/// Whether this kernel has our XDP program, and the interface room for it.
pub(super) fn may_attach(loaded: &Loaded, interface: &Interface) -> Result<(), AttachError> {
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
pub(super) fn attach(
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
