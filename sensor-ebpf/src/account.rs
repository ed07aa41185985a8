//! What to add where. Every packet adds one to `seen` and to exactly one class.

use sensor_common::class::{ErrorKind, ICMP_TYPES, QuestionState, Quoted, TcpEvent};
use sensor_common::totals::{ICMP_CODES, QTYPES};

use crate::address::Address;
use crate::packet::Packet;
use crate::parse::{Carriage, Flags, IcmpError, Link, Message, Outcome, Sink, parse};
use crate::servers;
use crate::store::Store;

/// Counts one packet.
///
/// Where the packet cannot be parsed, `whole` is asked once for more of it than `packet` could
/// reach: the kernel may hold part of a packet outside the memory that a program reads directly.
#[inline(always)]
pub fn account<P: Packet, W: Packet, S: Store>(
    packet: P,
    whole: impl FnOnce(&mut S) -> Option<W>,
    link: Link,
    tagged: bool,
    store: &mut S,
) -> Outcome {
    store.totals().seen += 1;
    let mut outcome = parse(packet, link, tagged, &mut Accountant(store));
    if outcome.is_malformed() {
        if let Some(whole) = whole(store) {
            outcome = parse(whole, link, tagged, &mut Accountant(store));
        }
        if outcome.is_malformed() {
            malformed(outcome, store);
        }
    }
    if let Some(counter) = store.totals().classes.get_mut(outcome.class()) {
        *counter += 1;
    }
    outcome
}

#[inline(always)]
fn malformed<S: Store>(outcome: Outcome, store: &mut S) {
    store.totals().malformed[outcome.reason()] += 1;
    let mut accountant = Accountant(store);
    if let Some(carriage) = outcome.carriage() {
        accountant.carriage(carriage);
    }
    if let Some(flags) = outcome.flags() {
        accountant.header(flags);
    }
}

/// The same index, with a bound that the verifier sees too: the compiler, which knows that an enum is
/// in range, would drop the mask.
#[inline(always)]
fn masked<const N: usize>(index: usize) -> usize {
    const { assert!(N.is_power_of_two()) };
    core::hint::black_box(index) & (N - 1)
}

struct Accountant<'a, S>(&'a mut S);

impl<S: Store> Accountant<'_, S> {
    #[inline(always)]
    fn carriage(&mut self, carriage: Carriage) {
        let totals = self.0.totals();
        if carriage.tagged {
            totals.vlan += 1;
        }
        if carriage.more_fragments != 0 {
            totals.first_fragment += 1;
        }
    }

    #[inline(always)]
    fn header(&mut self, flags: Flags) {
        let totals = self.0.totals();
        totals.opcode[flags.opcode()] += 1;
        if flags.is_truncated() {
            totals.truncated += 1;
        }
        if flags.is_response() {
            totals.rcode[flags.rcode()] += 1;
        }
    }
}

impl<S: Store> Sink for Accountant<'_, S> {
    #[inline(always)]
    fn is_dns_port(&self, port: u16) -> bool {
        self.0.is_dns_port(port)
    }

    #[inline(always)]
    fn dns<A: Address>(&mut self, message: &Message<A>) {
        self.carriage(message.carriage);
        self.header(message.flags);
        let flags = message.flags;
        let bytes = u64::from(message.length);
        let totals = self.0.totals();
        if flags.is_response() {
            totals.response_bytes += bytes;
        } else {
            totals.query_bytes += bytes;
            let question = message.question;
            totals.question[question.state.index()] += 1;
            if question.state == QuestionState::Read {
                totals.qtype[usize::from(question.qtype).min(QTYPES - 1)] += 1;
            }
        }
        let key = self.0.hash_key();
        let Some(servers) = self.0.servers() else {
            return;
        };
        if flags.is_response() {
            let server = &mut servers::entry(servers, message.source, key).counters;
            server.responses += 1;
            server.response_bytes += bytes;
            server.rcode[flags.rcode()] += 1;
            if flags.is_truncated() {
                server.truncated += 1;
            }
        } else {
            let server = &mut servers::entry(servers, message.destination, key).counters;
            server.queries += 1;
            server.query_bytes += bytes;
        }
    }

    #[inline(always)]
    fn tcp<A: Address>(&mut self, server: A, event: TcpEvent) {
        self.0.totals().tcp[event.index()] += 1;
        let key = self.0.hash_key();
        if let Some(servers) = self.0.servers() {
            servers::entry(servers, server, key).counters.tcp[event.index()] += 1;
        }
    }

    #[inline(always)]
    fn icmp_error<A: Address>(&mut self, error: &IcmpError<A>) {
        let totals = self.0.totals();
        let code = usize::from(error.code).min(ICMP_CODES - 1);
        let icmp_type = masked::<ICMP_TYPES>(error.icmp_type.index());
        totals.icmp_error[icmp_type][code][error.quoted.index()] += 1;
        let is_query = match error.quoted {
            Quoted::Query => true,
            Quoted::Response => false,
            Quoted::Other | Quoted::Unreadable => return,
        };
        if !error.verifiable {
            totals.unverifiable += 1;
        }
        let key = self.0.hash_key();
        let Some(servers) = self.0.servers() else {
            return;
        };
        let server = servers::entry(servers, error.server, key);
        if is_query {
            server.counters.errors[ErrorKind::of(error.icmp_type, error.code).index()] += 1;
            server.error_sender = error.sender.key();
            if error.sender == error.server {
                server.counters.errors_from_server += 1;
            }
            if !error.verifiable {
                server.counters.errors_unverifiable += 1;
            }
        } else {
            server.counters.backscatter += 1;
        }
    }
}
