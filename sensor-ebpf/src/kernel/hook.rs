//! A packet at a hook: a first look in the program itself, a second in a function of its own.
//!
//! Nothing that every packet needs is a call: where the kernel guards returns against speculation (Safe
//! RET on AMD), each costs 8 ns. The second look, which few packets need, is a global function: the
//! kernel verifies it by itself and not once for each way that leads there.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::debug;
use sensor_common::settings::Direction;
use sensor_ebpf::account;
use sensor_ebpf::parse::{Outcome, Sink};

use super::context::Sampled;
use super::frame::{Linear, Scratch};
use super::store::{Maps, link};

/// Counts a packet by what can be read directly; its outcome if there is more to do, and 0 otherwise.
#[inline(always)]
pub fn packet<C: Sampled>(context: *const C, direction: Direction) -> u32 {
    let Some(mut store) = Maps::of(context, direction) else {
        return 0;
    };
    store.totals().seen += 1;
    let frame = Linear::new(context);
    let (link, tagged) = (link(context), C::tagged(context));
    let outcome = account::account(frame, link, tagged, &mut store);
    if outcome.is_malformed() || outcome.is_garbage() {
        return outcome.0;
    }
    0
}

/// Counts a packet that was found malformed: with more of it, if there is more. Its outcome then.
#[inline(always)]
fn again<C: Sampled>(
    log: &impl EbpfContext,
    context: *const C,
    direction: Direction,
    outcome: u32,
) -> u32 {
    let Some(mut store) = Maps::of(context, direction) else {
        return 0;
    };
    let (link, tagged) = (link(context), C::tagged(context));
    let outcome = match Scratch::copy(context, &mut store) {
        Some(whole) => account::account(whole, link, tagged, &mut store),
        None => Outcome(outcome),
    };
    if outcome.is_malformed() {
        account::count_malformed(outcome, store.totals());
        debug!(log, "malformed packet, reason {}", outcome.reason() as u64);
    }
    outcome.0
}

/// [`again`] for XDP.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn again_xdp(context: *mut xdp_md, outcome: u32) -> u32 {
    again(
        &XdpContext::new(context),
        context,
        Direction::Ingress,
        outcome,
    )
}

/// [`again`] for received packets at TC.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn again_ingress(context: *mut __sk_buff, outcome: u32) -> u32 {
    again(
        &TcContext::new(context),
        context,
        Direction::Ingress,
        outcome,
    )
}

/// [`again`] for sent packets.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn again_egress(context: *mut __sk_buff, outcome: u32) -> u32 {
    again(
        &TcContext::new(context),
        context,
        Direction::Egress,
        outcome,
    )
}
