//! Accounting as calls.
//!
//! Functions with a name of their own are global to the kernel: it verifies them by themselves, for any
//! argument, and not again wherever they are called. So the ways through the parser and the ways
//! through accounting add and do not multiply. What they are given by address may be null for all
//! that the verifier knows, and has no padding.

use sensor_common::totals::Totals;
use sensor_ebpf::account;
use sensor_ebpf::parse::{Connection, IcmpError, Message};

use super::store::{Counts, Table};

/// Counts a DNS message; 1 if a sample is wanted.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn account_dns(message: *const Message, totals: *mut Totals, shard: u32) -> u32 {
    // SAFETY: the kernel passes null or whole values, and so do we.
    let (Some(message), Some(totals)) = (unsafe { message.as_ref() }, unsafe { totals.as_mut() })
    else {
        return 0;
    };
    let mut counts = Counts {
        totals,
        shard,
        table: Table,
    };
    u32::from(account::dns(message, &mut counts))
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
