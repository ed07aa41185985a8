//! What to add where. Every packet adds one to exactly one class.
//!
//! Counting a message is one function for each kind: [`query`], [`response`], [`icmp_error`], [`tcp`].

use sensor_common::class::{
    Class, ERROR_KINDS, ErrorKind, ICMP_TYPES, IcmpType, QUESTION_STATES, QUOTED, QuestionState,
    Quoted, SampleKind, TCP_EVENTS,
};
use sensor_common::server::FAMILY_V4;
use sensor_common::totals::{ICMP_CODES, QTYPES, Totals};

use crate::address::{self, Address, V4, V6};
use crate::forgery::{is_forged, is_forged_error, is_forged_response};
use crate::packet::Packet;
use crate::parse::{
    Carriage, Connection, Flags, Garbage, IcmpError, Link, Outcome, Query, Response, Sink, parse,
};
use crate::rare::Rare;
use crate::sampling::{self, Wanted};
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
    if let Some(carriage) = outcome.carriage() {
        count_carriage(totals, carriage);
    }
    if let Some(flags) = outcome.flags() {
        count_header(totals, flags);
        if flags.is_response() {
            totals.rcode[flags.rcode()] += 1;
        }
    }
}

#[inline(always)]
fn count_carriage(totals: &mut Totals, carriage: Carriage) {
    if carriage.is_plain() {
        return;
    }
    if carriage.tagged != 0 {
        totals.vlan += 1;
    }
    if carriage.more_fragments != 0 {
        totals.first_fragment += 1;
    }
}

#[inline(always)]
fn count_header(totals: &mut Totals, flags: Flags) {
    if flags.is_plain() {
        totals.opcode[0] += 1;
        return;
    }
    totals.opcode[flags.opcode()] += 1;
    if flags.is_truncated() {
        totals.truncated += 1;
    }
}

#[inline(always)]
fn count_question<S: Store>(totals: &mut Totals, state: u16, qtype: u16) {
    if state == QuestionState::Read as u16 {
        totals.qtype[S::at_most::<{ QTYPES - 1 }>(usize::from(qtype))] += 1;
    } else {
        totals.unread[usize::from(state) & (QUESTION_STATES - 1)] += 1;
    }
}

/// Counts a DNS query.
#[inline(always)]
pub fn query<S: Store<Shared: Rare>>(query: &Query, store: &mut S) -> Wanted {
    let totals = store.totals();
    count_carriage(totals, query.message.carriage);
    count_header(totals, query.message.flags);
    totals.query_bytes += u64::from(query.message.length);
    count_question::<S>(totals, query.question_state, query.qtype);
    // Of queries alone: with all packets, those that alternate with responses would have even numbers.
    let number = totals.classes[Class::DnsQuery.index()];
    if query.message.family == u16::from(FAMILY_V4) {
        attribute_query::<V4, S>(query, number, store)
    } else {
        attribute_query::<V6, S>(query, number, store)
    }
}

#[inline(always)]
fn attribute_query<A: Address, S: Store<Shared: Rare>>(
    query: &Query,
    number: u64,
    store: &mut S,
) -> Wanted {
    let secret = store.hash_key();
    let Some((shard, table)) = store.state() else {
        return Wanted::NOTHING;
    };
    let (client, server) = (A::new(query.client), A::new(query.server));
    if is_probe(client, query.message.client_port, table) {
        return probe(store);
    }
    let (client_hash, server_hash) = (client.hash(secret), server.hash(secret));
    let tuple = transactions::tuple(client_hash, server_hash, query.message.client_port);
    let hash = sampling::hash(client_hash, query.message.client_port, query.message.id);
    let transaction = transactions::transaction(hash, server_hash);
    transactions::remember(table, tuple);
    let mask = table.mask();
    let source = sketch::Source {
        address: client,
        hash: client_hash,
        prefix_hash: client.prefix_hash(secret),
        name: query.name,
        transaction,
        number,
        is_flood: mask != 0,
    };
    sketch::add(&mut shard.sketches, table.bank(), source);
    let entry = servers::entry(&mut shard.servers, server, server_hash, table);
    entry.counters.queries += 1;
    entry.counters.query_bytes += u64::from(query.message.length);
    // What is rare comes last: a call in between would have everything else kept in memory.
    if transactions::passes(transaction, mask) {
        let (following, histograms) = (&mut shard.following, &mut shard.histograms);
        table.follow_query(following, histograms, entry, transaction);
    }
    sampling::of_transaction(&mut shard.sampling, hash, table.sample_mask())
}

/// Counts a DNS response.
#[inline(always)]
pub fn response<S: Store<Shared: Rare>>(response: &Response, store: &mut S) -> Wanted {
    let totals = store.totals();
    let flags = response.message.flags;
    count_carriage(totals, response.message.carriage);
    count_header(totals, flags);
    totals.rcode[flags.rcode()] += 1;
    totals.response_bytes += u64::from(response.message.length);
    if response.message.family == u16::from(FAMILY_V4) {
        attribute_response::<V4, S>(response, store)
    } else {
        attribute_response::<V6, S>(response, store)
    }
}

#[inline(always)]
fn attribute_response<A: Address, S: Store<Shared: Rare>>(
    response: &Response,
    store: &mut S,
) -> Wanted {
    let (secret, origin) = (store.hash_key(), store.origin());
    let Some((shard, table)) = store.state() else {
        return Wanted::NOTHING;
    };
    let (client, server) = (A::new(response.client), A::new(response.server));
    if is_probe(client, response.message.client_port, table) {
        return probe(store);
    }
    let (client_hash, server_hash) = (client.hash(secret), server.hash(secret));
    let (port, id) = (response.message.client_port, response.message.id);
    let hash = sampling::hash(client_hash, port, id);
    let transaction = transactions::transaction(hash, server_hash);
    let entry = servers::entry(&mut shard.servers, server, server_hash, table);
    if is_forged_response(entry, server, origin, table) {
        return forged(store);
    }
    let counters = &mut entry.counters;
    counters.responses += 1;
    counters.response_bytes += u64::from(response.message.length);
    let flags = response.message.flags;
    counters.rcode[flags.rcode()] += 1;
    if flags.is_truncated() {
        counters.truncated += 1;
    }
    if transactions::may_have_followed(table, transaction) {
        table.follow_response(&mut shard.histograms, entry, transaction, flags);
    }
    sampling::of_transaction(&mut shard.sampling, hash, table.sample_mask())
}

/// Whether the sensor itself asks, or is told.
#[inline(always)]
fn is_probe<A: Address>(client: A, port: u16, table: &impl Shared) -> bool {
    let probes = table.probe_port();
    probes != 0 && port == probes && table.is_own(&client.key())
}

/// Counts a packet of a probe, beside its class. The sensor is no client: it asks where something fails already.
#[inline(always)]
fn probe<S: Store>(store: &mut S) -> Wanted {
    store.totals().probes += 1;
    Wanted::NOTHING
}

/// Counts a packet that its sender cannot have sent, beside its class. Nothing of it is believed.
#[inline(always)]
fn forged<S: Store>(store: &mut S) -> Wanted {
    store.totals().forged += 1;
    match store.state() {
        Some((shard, _)) => sampling::by_token(&mut shard.sampling, SampleKind::Forged, 0),
        None => Wanted::NOTHING,
    }
}

/// Counts what can be no genuine message, beside its class. Rare: the kernel's half makes it a function of its own.
#[inline(always)]
pub fn garbage<S: Store<Shared: Rare>>(garbage: &Garbage, store: &mut S) -> Wanted {
    let totals = store.totals();
    totals.garbage += 1;
    if let Some(header) = garbage.header() {
        count_carriage(totals, header.carriage);
        count_header(totals, header.flags);
        if header.flags.is_response() {
            totals.rcode[header.flags.rcode()] += 1;
            totals.response_bytes += garbage.length;
        } else {
            totals.query_bytes += garbage.length;
            count_question::<S>(totals, header.question_state, header.qtype);
        }
    }
    let secret = store.hash_key();
    let Some((shard, table)) = store.state() else {
        return Wanted::NOTHING;
    };
    if garbage.to_server != 0 {
        let family = garbage.family as u16;
        let key = address::key(garbage.receiver, family);
        let hash = address::hash(garbage.receiver, family, secret);
        let entry = servers::entry_of(&mut shard.servers, &key, hash, table);
        entry.counters.garbage += 1;
    }
    sampling::by_token(&mut shard.sampling, SampleKind::Garbage, 0)
}

/// Counts a TCP segment that opens or refuses a connection to a DNS server.
#[inline(always)]
pub fn tcp<S: Store<Shared: Rare>>(connection: &Connection, store: &mut S) {
    let event = connection.event as usize & (TCP_EVENTS - 1);
    store.totals().tcp[event] += 1;
    if connection.family == u32::from(FAMILY_V4) {
        attribute_tcp::<V4, S>(connection, event, store);
    } else {
        attribute_tcp::<V6, S>(connection, event, store);
    }
}

#[inline(always)]
fn attribute_tcp<A: Address, S: Store<Shared: Rare>>(
    connection: &Connection,
    event: usize,
    store: &mut S,
) {
    let secret = store.hash_key();
    if let Some((shard, table)) = store.state() {
        let (client, server) = (A::new(connection.client), A::new(connection.server));
        if is_probe(client, connection.client_port as u16, table) {
            probe(store);
            return;
        }
        let hash = server.hash(secret);
        let entry = servers::entry(&mut shard.servers, server, hash, table);
        entry.counters.tcp[event] += 1;
    }
}

/// Counts an ICMP error.
#[inline(always)]
pub fn icmp_error<S: Store<Shared: Rare>>(error: &IcmpError, store: &mut S) -> Wanted {
    count_icmp_error(store, error.icmp_type, error.code, error.quoted);
    if error.verifiable == 0 {
        store.totals().unverifiable += 1;
    }
    if error.family == FAMILY_V4 {
        attribute_error::<V4, S>(error, store)
    } else {
        attribute_error::<V6, S>(error, store)
    }
}

/// Adds to the ICMP errors by type, code and what they quote: indexes of
/// [`IcmpType`] and [`Quoted`]. Where the compiler sees that they come from an enum it drops the masks, which
/// the verifier needs: the kernel's half hides it.
#[inline(always)]
pub fn count_icmp_error<S: Store>(store: &mut S, icmp_type: u8, code: u8, quoted: u8) {
    let icmp_type = usize::from(icmp_type) & (ICMP_TYPES - 1);
    let code = S::at_most::<{ ICMP_CODES - 1 }>(usize::from(code));
    let quoted = usize::from(quoted) & (QUOTED - 1);
    store.totals().icmp_error[icmp_type][code][quoted] += 1;
}

#[inline(always)]
fn attribute_error<A: Address, S: Store<Shared: Rare>>(error: &IcmpError, store: &mut S) -> Wanted {
    let (secret, origin) = (store.hash_key(), store.origin());
    let Some((shard, table)) = store.state() else {
        return Wanted::NOTHING;
    };
    let sender = A::new(error.sender);
    let (client, server) = (A::new(error.client), A::new(error.server));
    if error.quoted == Quoted::Query as u8 && is_probe(client, error.client_port, table) {
        return probe(store);
    }
    let (client_hash, server_hash) = (client.hash(secret), server.hash(secret));
    let hash = if error.quoted == Quoted::Query as u8 {
        let entry = servers::entry(&mut shard.servers, server, server_hash, table);
        if is_forged_error(entry, sender, origin, table) {
            return forged(store);
        }
        let tuple = transactions::tuple(client_hash, server_hash, error.client_port);
        let recent = transactions::is_recent(table, tuple);
        let hash = sampling::hash(client_hash, error.client_port, error.id);
        let transaction = transactions::transaction(hash, server_hash);
        let mut matched = u64::from(recent);
        if error.verifiable != 0 && transactions::may_have_followed(table, transaction) {
            let histograms = &mut shard.histograms;
            matched |= table.follow_error(histograms, entry, transaction);
        }
        let counters = &mut entry.counters;
        let kind = kind::<S>(error);
        counters.errors[kind] += 1;
        counters.errors_matched[kind] += matched;
        if error.sender == error.server {
            counters.errors_from_server += 1;
        }
        if error.verifiable == 0 {
            counters.errors_unverifiable += 1;
        }
        hash
    } else {
        if is_forged(sender, origin, table) {
            return forged(store);
        }
        let entry = servers::entry(&mut shard.servers, server, server_hash, table);
        entry.counters.backscatter[kind::<S>(error)] += 1;
        sampling::hash(client_hash, error.client_port, error.id)
    };
    if error.verifiable == 0 {
        sampling::by_token(&mut shard.sampling, SampleKind::ShortQuote, 0)
    } else {
        sampling::of_transaction(&mut shard.sampling, hash, table.sample_mask())
    }
}

/// What an error says of the path: index of an [`ErrorKind`].
#[inline(always)]
fn kind<S: Store>(error: &IcmpError) -> usize {
    let icmp_type = usize::from(error.icmp_type) & (ICMP_TYPES - 1);
    let code = S::at_most::<{ ICMP_CODES - 1 }>(usize::from(error.code));
    usize::from(KINDS[icmp_type][code]) & (ERROR_KINDS - 1)
}

/// [`ErrorKind::of`] for each type and code; the last code stands for all above.
static KINDS: [[u8; ICMP_CODES]; ICMP_TYPES] = kinds();

const fn kinds() -> [[u8; ICMP_CODES]; ICMP_TYPES] {
    let mut kinds = [[0; ICMP_CODES]; ICMP_TYPES];
    let mut icmp_type = 0;
    while icmp_type < IcmpType::ALL.len() {
        let mut code = 0;
        while code < ICMP_CODES {
            kinds[icmp_type][code] = ErrorKind::of(IcmpType::ALL[icmp_type], code as u8) as u8;
            code += 1;
        }
        icmp_type += 1;
    }
    kinds
}
