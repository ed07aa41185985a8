//! What to add where. Every packet adds one to exactly one class.
//!
//! Counting a message is one function for each kind ([`dns`], [`icmp_error`], [`tcp`]), so that the
//! kernel's binary half can make calls of them: the verifier then follows them once, and not once for
//! each way through the parser.

use sensor_common::class::{ErrorKind, ICMP_TYPES, IcmpType, QUESTION_STATES, Quoted};
use sensor_common::server::FAMILY_V4;
use sensor_common::totals::{ICMP_CODES, QTYPES, Totals};

use crate::address::{Address, V4, V6};
use crate::outcomes;
use crate::packet::Packet;
use crate::parse::{Connection, Flags, IcmpError, Link, Message, Outcome, Sink, parse};
use crate::servers;
use crate::sketch;
use crate::store::{Shared, Store};
use crate::transactions;

/// Counts a packet, unless it is malformed: then it is counted by [`count_malformed`], or once more with
/// more of its bytes. The kernel may hold part of a packet outside the memory that a program reads
/// directly.
#[inline(always)]
pub fn account<P: Packet, S: Sink>(packet: P, link: Link, tagged: bool, sink: &mut S) -> Outcome {
    let outcome = parse(packet, link, tagged, sink);
    if !outcome.is_malformed() {
        count_class(outcome, sink.totals());
    }
    outcome
}

#[inline(always)]
fn count_class(outcome: Outcome, totals: &mut Totals) {
    if let Some(counter) = totals.classes.get_mut(outcome.class()) {
        *counter += 1;
    }
}

/// Adds a malformed packet.
#[inline(always)]
pub fn count_malformed(outcome: Outcome, totals: &mut Totals) {
    count_class(outcome, totals);
    totals.malformed[outcome.reason()] += 1;
    if let Some((tagged, more_fragments)) = outcome.carriage() {
        carriage(totals, tagged, more_fragments);
    }
    if let Some(flags) = outcome.flags() {
        header(totals, flags);
    }
}

/// The same index, with a bound that the verifier sees too: the compiler, which knows that an enum is
/// in range, would drop the mask.
#[inline(always)]
fn masked<const N: usize>(index: usize) -> usize {
    const { assert!(N.is_power_of_two()) };
    core::hint::black_box(index) & (N - 1)
}

#[inline(always)]
fn carriage(totals: &mut Totals, tagged: u16, more_fragments: u16) {
    if tagged != 0 {
        totals.vlan += 1;
    }
    if more_fragments != 0 {
        totals.first_fragment += 1;
    }
}

#[inline(always)]
fn header(totals: &mut Totals, flags: Flags) {
    totals.opcode[flags.opcode()] += 1;
    if flags.is_truncated() {
        totals.truncated += 1;
    }
    if flags.is_response() {
        totals.rcode[flags.rcode()] += 1;
    }
}

/// Counts a DNS message. Whether a sample of the packet is wanted.
#[inline(always)]
pub fn dns<S: Store>(message: &Message, store: &mut S) -> bool {
    let totals = store.totals();
    carriage(totals, message.tagged, message.more_fragments);
    header(totals, message.flags);
    let bytes = u64::from(message.length);
    if message.flags.is_response() {
        totals.response_bytes += bytes;
    } else {
        totals.query_bytes += bytes;
        totals.question[usize::from(message.question_state) & (QUESTION_STATES - 1)] += 1;
        if message.question_is_read() {
            totals.qtype[usize::from(message.qtype).min(QTYPES - 1)] += 1;
        }
    }
    if message.family == FAMILY_V4 {
        attribute_dns::<V4, S>(message, store)
    } else {
        attribute_dns::<V6, S>(message, store)
    }
}

#[inline(always)]
fn attribute_dns<A: Address, S: Store>(message: &Message, store: &mut S) -> bool {
    let secret = store.hash_key();
    let Some((shard, table)) = store.state() else {
        return false;
    };
    let flags = message.flags;
    let (client, server, port) = if flags.is_response() {
        let (client, server) = (message.destination, message.source);
        (client, server, message.destination_port)
    } else {
        let (client, server) = (message.source, message.destination);
        (client, server, message.source_port)
    };
    let (client, server) = (A::new(client), A::new(server));
    let (client_hash, server_hash) = (client.hash(secret), server.hash(secret));
    let tuple = transactions::tuple(client_hash, server_hash, port);
    let transaction = transactions::transaction(tuple, message.id);
    if !flags.is_response() {
        let sketches = &mut shard.sketches;
        let bank = table.bank();
        sketch::add_source(sketches, bank, client, client_hash, transaction, secret);
        if message.question_is_read() {
            sketch::add_name(sketches, bank, message.name, secret);
        }
        transactions::remember(table, tuple);
    }
    let entry = servers::entry(&mut shard.servers, server, server_hash);
    let counters = &mut entry.counters;
    let bytes = u64::from(message.length);
    if flags.is_response() {
        counters.responses += 1;
        counters.response_bytes += bytes;
        counters.rcode[flags.rcode()] += 1;
        if flags.is_truncated() {
            counters.truncated += 1;
        }
        // What is rare comes last: a call in between would have everything else kept in memory.
        if transactions::may_have_followed(table, transaction) {
            outcomes::follow_response(table, &mut shard.histograms, entry, transaction);
        }
    } else {
        counters.queries += 1;
        counters.query_bytes += bytes;
        if transactions::follows_query(table, transaction) {
            let (following, histograms) = (&mut shard.following, &mut shard.histograms);
            outcomes::follow_query(table, following, histograms, entry, transaction);
        }
    }
    take_token(&mut shard.samples)
}

/// Whether a sample may be taken.
#[inline(always)]
fn take_token(tokens: &mut u64) -> bool {
    if *tokens == 0 {
        return false;
    }
    *tokens -= 1;
    true
}

/// Counts a TCP segment that opens or refuses a connection to a DNS server.
#[inline(always)]
pub fn tcp<S: Store>(connection: &Connection, store: &mut S) {
    let event = masked::<4>(connection.event as usize);
    store.totals().tcp[event] += 1;
    if connection.family == u32::from(FAMILY_V4) {
        attribute_tcp::<V4, S>(connection, event, store);
    } else {
        attribute_tcp::<V6, S>(connection, event, store);
    }
}

#[inline(always)]
fn attribute_tcp<A: Address, S: Store>(connection: &Connection, event: usize, store: &mut S) {
    let secret = store.hash_key();
    if let Some((shard, _)) = store.state() {
        let server = A::new(connection.server);
        let entry = servers::entry(&mut shard.servers, server, server.hash(secret));
        entry.counters.tcp[event] += 1;
    }
}

/// Counts an ICMP error. Whether a sample of the packet is wanted.
#[inline(always)]
pub fn icmp_error<S: Store>(error: &IcmpError, store: &mut S) -> bool {
    let totals = store.totals();
    let code = usize::from(error.code).min(ICMP_CODES - 1);
    let icmp_type = masked::<ICMP_TYPES>(usize::from(error.icmp_type));
    let quoted = masked::<4>(usize::from(error.quoted));
    totals.icmp_error[icmp_type][code][quoted] += 1;
    if quoted != Quoted::Query.index() && quoted != Quoted::Response.index() {
        return false;
    }
    if error.verifiable == 0 {
        totals.unverifiable += 1;
    }
    if error.family == FAMILY_V4 {
        attribute_error::<V4, S>(error, quoted == Quoted::Query.index(), store)
    } else {
        attribute_error::<V6, S>(error, quoted == Quoted::Query.index(), store)
    }
}

#[inline(always)]
fn attribute_error<A: Address, S: Store>(error: &IcmpError, is_query: bool, store: &mut S) -> bool {
    let secret = store.hash_key();
    let Some((shard, table)) = store.state() else {
        return false;
    };
    let server = A::new(error.server);
    let server_hash = server.hash(secret);
    if is_query {
        let client = A::new(error.client);
        let tuple = transactions::tuple(client.hash(secret), server_hash, error.client_port);
        let recent = transactions::is_recent(table, tuple);
        let entry = servers::entry(&mut shard.servers, server, server_hash);
        let transaction = transactions::transaction(tuple, error.id);
        let mut matched = u64::from(recent);
        if error.verifiable != 0 && transactions::may_have_followed(table, transaction) {
            let histograms = &mut shard.histograms;
            matched |= outcomes::follow_error(table, histograms, entry, transaction);
        }
        entry.error_sender = A::new(error.sender).key();
        let counters = &mut entry.counters;
        counters.errors[error.kind()] += 1;
        counters.errors_matched[error.kind()] += matched;
        if error.sender == error.server {
            counters.errors_from_server += 1;
        }
        if error.verifiable == 0 {
            counters.errors_unverifiable += 1;
        }
    } else {
        let entry = servers::entry(&mut shard.servers, server, server_hash);
        entry.counters.backscatter += 1;
    }
    take_token(&mut shard.samples)
}

impl IcmpError {
    /// What it says of the path.
    #[inline(always)]
    fn kind(&self) -> usize {
        // Known type numbers only: the parser made it of one.
        let icmp_type = match self.icmp_type {
            0 => IcmpType::V4Unreachable,
            1 => IcmpType::V4TimeExceeded,
            2 => IcmpType::V6Unreachable,
            3 => IcmpType::V6TooBig,
            _ => IcmpType::V6TimeExceeded,
        };
        ErrorKind::of(icmp_type, self.code).index()
    }
}
