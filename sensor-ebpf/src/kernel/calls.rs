//! Accounting as calls.
//!
//! Functions with a name of their own are global to the kernel: it verifies them by themselves, for any
//! argument, and not again wherever they are called. So the ways through the parser and the ways
//! through accounting add and do not multiply. What they are given by address may be null for all
//! that the verifier knows, and has no padding.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::debug;
use sensor_common::settings::Direction;
use sensor_common::totals::Totals;
use sensor_ebpf::account;
use sensor_ebpf::parse::{Connection, IcmpError, Outcome, Query, Response, Sink};

use super::frame::{Context, Linear, Scratch};
use super::sample;
use super::store::{Counts, Maps, Table};

/// Counts a DNS query; 1 if a sample is wanted.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn account_query(query: *const Query, totals: *mut Totals, shard: u32) -> u32 {
    // SAFETY: the kernel passes null or whole values, and so do we.
    let (Some(query), Some(totals)) = (unsafe { query.as_ref() }, unsafe { totals.as_mut() })
    else {
        return 0;
    };
    let mut counts = Counts {
        totals,
        shard,
        table: Table,
    };
    u32::from(account::query(query, &mut counts))
}

/// Counts a DNS response; 1 if a sample is wanted.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn account_response(
    response: *const Response,
    totals: *mut Totals,
    shard: u32,
) -> u32 {
    // SAFETY: the kernel passes null or whole values, and so do we.
    let (Some(response), Some(totals)) = (unsafe { response.as_ref() }, unsafe { totals.as_mut() })
    else {
        return 0;
    };
    let mut counts = Counts {
        totals,
        shard,
        table: Table,
    };
    u32::from(account::response(response, &mut counts))
}

/// Counts an ICMP error; 1 if a sample is wanted.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn account_icmp_error(
    error: *const IcmpError,
    totals: *mut Totals,
    shard: u32,
) -> u32 {
    // SAFETY: the kernel passes null or whole values, and so do we.
    let (Some(error), Some(totals)) = (unsafe { error.as_ref() }, unsafe { totals.as_mut() })
    else {
        return 0;
    };
    let mut counts = Counts {
        totals,
        shard,
        table: Table,
    };
    u32::from(account::icmp_error(error, &mut counts))
}

/// Counts a TCP segment.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn account_tcp(
    connection: *const Connection,
    totals: *mut Totals,
    shard: u32,
) -> u32 {
    // SAFETY: the kernel passes null or whole values, and so do we.
    let (Some(connection), Some(totals)) =
        (unsafe { connection.as_ref() }, unsafe { totals.as_mut() })
    else {
        return 0;
    };
    let mut counts = Counts {
        totals,
        shard,
        table: Table,
    };
    account::tcp(connection, &mut counts);
    0
}

/// Counts a packet by what can be read directly; its outcome if that is malformed, and 0 otherwise.
#[inline(always)]
fn packet<C: Context>(context: *const C, direction: Direction) -> u32 {
    let Some(mut store) = Maps::of(context, direction) else {
        return 0;
    };
    store.totals().seen += 1;
    let (link, tagged) = (store.link(), C::tagged(context));
    let outcome = account::account(Linear::new(context), link, tagged, &mut store);
    if outcome.is_malformed() {
        return outcome.0;
    }
    sample::take(context, direction, &store);
    0
}

/// Counts a packet that was found malformed: with more of it, if there is more.
#[inline(always)]
fn again<C: Context>(
    log: &impl EbpfContext,
    context: *const C,
    direction: Direction,
    outcome: u32,
) -> u32 {
    let Some(mut store) = Maps::of(context, direction) else {
        return 0;
    };
    let (link, tagged) = (store.link(), C::tagged(context));
    let outcome = match Scratch::copy(context, &mut store) {
        Some(whole) => account::account(whole, link, tagged, &mut store),
        None => Outcome(outcome),
    };
    if outcome.is_malformed() {
        account::count_malformed(outcome, store.totals());
        debug!(log, "malformed packet, reason {}", outcome.reason() as u64);
    } else {
        sample::take(context, direction, &store);
    }
    0
}

/// [`packet`] for XDP.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packet_xdp(context: *mut xdp_md) -> u32 {
    packet(context, Direction::Ingress)
}

/// [`packet`] for received packets at TC.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packet_ingress(context: *mut __sk_buff) -> u32 {
    packet(context, Direction::Ingress)
}

/// [`packet`] for sent packets.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packet_egress(context: *mut __sk_buff) -> u32 {
    packet(context, Direction::Egress)
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
