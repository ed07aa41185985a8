//! Any bytes: no panic, bounded work, and the sum holds.

mod support;

use std::cell::RefCell;

use proptest::prelude::*;
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;
use sensor::measure::counters::Counters;
use sensor_common::class::{Class, QuestionState, Quoted};
use sensor_common::totals::Totals;
use sensor_ebpf::packet::{Bytes, Packet};
use sensor_ebpf::parse::{
    Connection, DnsPort, Garbage, IcmpError, Link, Outcome, Query, Response, Sink, parse,
};
use support::frames::corpus;

const LINKS: [Link; 2] = [Link::Ethernet, Link::Layer3];

thread_local! {
    static ENGINE: RefCell<HostEngine> =
        RefCell::new(HostEngine::new("test", for_ports(&[53, 5353]).expect("ports")));
}

/// What one frame adds. The engine stays: its tables are megabytes.
fn count(frame: &[u8], link: Link) -> Totals {
    ENGINE.with_borrow_mut(|engine| {
        let before = *engine.totals();
        engine.count(frame, link);
        engine.totals().since(&before)
    })
}

/// What must hold of every packet.
fn check(totals: &Totals) {
    assert_eq!(totals.seen, 1);
    assert_eq!(totals.classes.iter().sum::<u64>(), 1);
    let class = |class: Class| totals.classes[class.index()];
    assert_eq!(
        totals.malformed.iter().sum::<u64>(),
        class(Class::Malformed)
    );
    let questions = QuestionState::ALL
        .iter()
        .map(|state| totals.questions(*state));
    assert_eq!(questions.sum::<u64>(), class(Class::DnsQuery));
    assert_eq!(totals.unread[QuestionState::Read.index()], 0);
    let errors: u64 = totals.icmp_error.as_flattened().as_flattened().iter().sum();
    assert_eq!(errors, class(Class::IcmpError));
    assert!(totals.rcode.iter().sum::<u64>() <= totals.opcode.iter().sum::<u64>());
}

/// Counts how often a packet is read.
#[derive(Clone, Copy)]
struct Counted<'a> {
    bytes: Bytes<'a>,
    reads: &'a std::cell::Cell<usize>,
}

impl Packet for Counted<'_> {
    fn bytes<const N: usize>(&self) -> Option<&[u8; N]> {
        self.reads.set(self.reads.get() + 1);
        self.bytes.bytes()
    }

    fn byte(&self) -> Option<u8> {
        self.reads.set(self.reads.get() + 1);
        self.bytes.byte()
    }

    fn skip(self, n: usize) -> Self {
        Self {
            bytes: self.bytes.skip(n),
            ..self
        }
    }

    fn before<const N: usize>(&self) -> Option<&[u8; N]> {
        self.reads.set(self.reads.get() + 1);
        self.bytes.before()
    }

    fn offset(&self) -> usize {
        self.bytes.offset()
    }

    fn since(self, start: Self) -> usize {
        self.bytes.since(start.bytes)
    }
}

struct Nobody(Box<Totals>);

impl Sink for Nobody {
    fn dns_port(&self, source: u16, destination: u16) -> DnsPort {
        const DNS: u16 = 53_u16.to_be();
        match (source, destination) {
            (_, DNS) => DnsPort::Destination,
            (DNS, _) => DnsPort::Source,
            _ => DnsPort::Neither,
        }
    }

    fn totals(&mut self) -> &mut Totals {
        &mut self.0
    }

    fn hash_key(&self) -> u64 {
        0
    }

    fn query<P: Packet>(&mut self, _: &Query, _: P) {}

    fn response<P: Packet>(&mut self, _: &Response, _: P) {}

    fn garbage(&mut self, _: &Garbage) {}

    fn tcp(&mut self, _: &Connection) {}

    fn icmp_error_of_other(&mut self, _: u8, _: u8, _: Quoted) {}

    fn icmp_error<P: Packet>(&mut self, _: &IcmpError, _: P) {}
}

/// Reads of the worst packet: the link, two tags, IP, nine extension headers, ICMP, the quoted IP
/// with nine more, UDP twice; or the headers, 17 labels and the type.
const MOST_READS: usize = 36;

fn work(frame: &[u8], link: Link) -> usize {
    let reads = std::cell::Cell::new(0);
    let packet = Counted {
        bytes: Bytes::new(frame),
        reads: &reads,
    };
    let _: Outcome = parse(packet, link, false, &mut Nobody(bytemuck::zeroed_box()));
    reads.get()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_bytes_land_in_one_class(frame in proptest::collection::vec(any::<u8>(), 0..600)) {
        for link in LINKS {
            check(&count(&frame, link));
            prop_assert!(work(&frame, link) <= MOST_READS);
        }
    }

    /// Real frames with some bytes changed get further than random ones.
    #[test]
    fn damaged_frames_land_in_one_class(
        which in any::<proptest::sample::Index>(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        length in any::<proptest::sample::Index>(),
    ) {
        let corpus = corpus();
        let mut frame = which.get(&corpus).frame.clone();
        for (at, byte) in damage {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        let cut = length.index(frame.len() + 1);
        for frame in [&frame[..], &frame[..cut]] {
            for link in LINKS {
                check(&count(frame, link));
                prop_assert!(work(frame, link) <= MOST_READS);
            }
        }
    }
}

#[test]
fn every_truncation_of_every_frame_lands_in_one_class() {
    for named in corpus() {
        for length in 0..=named.frame.len() {
            let frame = &named.frame[..length];
            check(&count(frame, Link::Ethernet));
            assert!(work(frame, Link::Ethernet) <= MOST_READS, "{}", named.name);
            // Without its Ethernet header the frame is what a tun device carries.
            if length >= 14 {
                check(&count(&frame[14..], Link::Layer3));
            }
        }
    }
}
