//! The programs that the kernel runs. They only adapt: context in, verdict out.
//!
//! Every path passes the packet on. XDP returns `XDP_PASS`; TC returns `TC_ACT_UNSPEC`, which
//! leaves the decision to the programs and filters behind (`TC_ACT_OK` would hide the packet from
//! them).
#![no_std]
#![no_main]
// Inline assembly for BPF, as in aya-ebpf; see `kernel/frame.rs`.
#![feature(asm_experimental_arch)]

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

mod kernel;

use kernel::garbage::{garbage_egress, garbage_ingress, garbage_xdp};
use kernel::hook::{again_egress, again_ingress, again_xdp, packet};
use sensor_common::settings::Direction;
use sensor_ebpf::parse::Outcome;

const TC_ACT_UNSPEC: i32 = -1;

/// Counts received packets before the stack sees them; multi-buffer frames too.
#[xdp(frags)]
#[inline(always)]
fn sensor_xdp(context: XdpContext) -> u32 {
    let mut outcome = Outcome(packet(context.ctx, Direction::Ingress));
    if outcome.is_malformed() {
        outcome = Outcome(again_xdp(context.ctx, outcome.0));
    }
    if outcome.is_garbage() {
        garbage_xdp(context.ctx);
    }
    XDP_PASS
}

/// Counts received packets where XDP would change the device.
#[classifier]
#[inline(always)]
fn sensor_ingress(context: TcContext) -> i32 {
    let mut outcome = Outcome(packet(context.skb.skb, Direction::Ingress));
    if outcome.is_malformed() {
        outcome = Outcome(again_ingress(context.skb.skb, outcome.0));
    }
    if outcome.is_garbage() {
        garbage_ingress(context.skb.skb);
    }
    TC_ACT_UNSPEC
}

/// Counts sent packets.
#[classifier]
#[inline(always)]
fn sensor_egress(context: TcContext) -> i32 {
    let mut outcome = Outcome(packet(context.skb.skb, Direction::Egress));
    if outcome.is_malformed() {
        outcome = Outcome(again_egress(context.skb.skb, outcome.0));
    }
    if outcome.is_garbage() {
        garbage_egress(context.skb.skb);
    }
    TC_ACT_UNSPEC
}

/// Does nothing: what `cargo xtask bench` measures the others against.
#[xdp(frags)]
fn empty_xdp(_: XdpContext) -> u32 {
    XDP_PASS
}

/// The same for TC.
#[classifier]
fn empty_tc(_: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// Reachable only through a bug, and then refused by the verifier: it loops forever.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
