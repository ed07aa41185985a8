//! What can be no genuine message: noted by the look at the packet that finds it, and counted after that in a
//! function of its own, because few packets need it.
//!
//! Counted where it is found, it made the verifier follow half as much again: from there each way through the
//! parser leads on. And a call within the second look would need more stack than there is.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use sensor_common::settings::Direction;
use sensor_ebpf::account;

use super::context::Sampled;
use super::maps::GARBAGE;
use super::store::Maps;

/// Counts what was noted, at XDP.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn garbage_xdp(context: *mut xdp_md) -> u32 {
    count(context, Direction::Ingress)
}

/// The same of a received packet, at TC.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn garbage_ingress(context: *mut __sk_buff) -> u32 {
    count(context, Direction::Ingress)
}

/// The same of a packet that is sent.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn garbage_egress(context: *mut __sk_buff) -> u32 {
    count(context, Direction::Egress)
}

/// [`account::garbage`], and a sample of it.
#[inline(always)]
fn count<C: Sampled>(context: *const C, direction: Direction) -> u32 {
    let (Some(garbage), Some(mut store)) = (GARBAGE.get_ptr(0), Maps::of(context, direction))
    else {
        return 0;
    };
    // SAFETY: a map value of that type; no one else writes that of this CPU meanwhile.
    let garbage = unsafe { &*garbage };
    let wanted = account::garbage(garbage, &mut store);
    if !wanted.is_nothing() {
        C::sample(context, direction, 0, wanted);
    }
    0
}
