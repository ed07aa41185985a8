//! The traffic of a situation: who sends what, when, and what comes back.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use crate::fates::Fates;
use crate::format::{Answer, Ask, Fate, Fragments, Recurse, Reject, Seen, Situation, Tcp, Via};
use crate::frames::{self, Direction, Frame, TCP, UDP, Way};
use crate::message::Question;
use crate::names::Names;
use crate::random::Random;
use crate::stray;
use crate::words::{Error, Rate, Span};

/// Frames of a situation in the order of their times, as they pass the sensor.
pub fn frames(situation: &Situation) -> Vec<Frame> {
    let mut world = World {
        situation,
        random: Random::new(situation.seed ^ 0x5e_4501),
        frames: Vec::new(),
        queue: BinaryHeap::new(),
        lookups: Vec::new(),
        fates: Fates::new(&situation.fate),
        recursions: HashMap::new(),
        packets: 0,
    };
    for number in 0..situation.ask.len() {
        world.begin(number);
    }
    while let Some(Reverse((at, _, event))) = world.queue.pop() {
        world.happen(at, &event);
    }
    stray::add(&mut world);
    let mut frames = world.frames;
    frames.retain(|frame| (situation.begins..situation.lasts).contains(&frame.at));
    // Stable: what was sent first is first.
    frames.sort_by_key(|frame| frame.at);
    frames
}

/// Times within a span at which something happens at a rate, or so many times in it.
pub fn times(
    random: &mut Random,
    (rate, count): (Option<&Rate>, Option<u32>),
    span: Span,
    end: Duration,
    regular: bool,
) -> Vec<Duration> {
    let end = span.to.min(end);
    if let Some(count) = count {
        let gap = end.saturating_sub(span.from) / count.max(1);
        return (0..count).map(|n| span.from + gap * n).collect();
    }
    let Some(rate) = rate else {
        return Vec::new();
    };
    let mut times = Vec::new();
    let mut at = span.from;
    if regular {
        const STEP: Duration = Duration::from_micros(100);
        let mut due = 0.999;
        while at < end {
            due += rate.at(at) * STEP.as_secs_f64();
            while due >= 1.0 {
                due -= 1.0;
                times.push(at);
            }
            at += STEP;
        }
        return times;
    }
    let most = rate.most();
    if most <= 0.0 {
        return times;
    }
    loop {
        at += Duration::from_secs_f64((random.wait() / most).min(1e6));
        if at >= end {
            break;
        }
        if random.chance(rate.at(at) / most) {
            times.push(at);
        }
    }
    times
}

/// A question on its way to an answer.
struct Lookup {
    /// Which of the situation's; none: a resolver asks.
    ask: Option<usize>,
    client: IpAddr,
    servers: Vec<IpAddr>,
    port: u16,
    client_port: u16,
    question: Question,
    began: Duration,
    copies: usize,
    is_over: bool,
    /// That waits for this one.
    parent: Option<Box<Parent>>,
    recurse: Option<Recurse>,
}

/// The query of a client that a resolver works on.
struct Parent {
    lookup: usize,
    copy: Copy,
}

/// One copy of a query.
#[derive(Clone)]
struct Copy {
    way: Way,
    client_port: u16,
    port: u16,
    question: Question,
    seen: Seen,
}

enum Event {
    /// The next copy.
    Send(usize),
    /// An answer has reached the client.
    Answered(usize, u8),
    /// The resolver gives up.
    GiveUp(usize),
}

pub struct World<'a> {
    pub situation: &'a Situation,
    pub random: Random,
    frames: Vec<Frame>,
    queue: BinaryHeap<Reverse<(Duration, Sequence, Event)>>,
    lookups: Vec<Lookup>,
    fates: Fates<'a>,
    /// Running ones, by the client's lookup.
    recursions: HashMap<usize, usize>,
    packets: u16,
}

/// Order of events at the same time.
type Sequence = u64;

impl PartialEq for Event {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// Between the last client and the answer of what a resolver has asked for.
const RESOLVER: Duration = Duration::from_micros(200);
/// Waits of a TCP that gets no SYN-ACK.
const SYN_WAITS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

impl World<'_> {
    /// Queues the lookups of clients.
    fn begin(&mut self, number: usize) {
        let situation = self.situation;
        let ask = &situation.ask[number];
        let rates = (ask.rate.as_ref(), ask.count);
        let times = times(
            &mut self.random,
            rates,
            ask.at,
            situation.lasts,
            ask.regular,
        );
        let mut names = Names::new(&ask.names);
        for (n, at) in times.into_iter().enumerate() {
            let client = if ask.regular {
                ask.clients.nth(n as u128)
            } else {
                ask.clients.any(&mut self.random)
            };
            for (gap, name) in names.next(&mut self.random) {
                let which = self.random.below(ask.types.len());
                let client_port = ask.from_port.unwrap_or_else(|| self.port());
                for (beside, qtype) in ask.types[which].0.iter().enumerate() {
                    let at = at + gap + Duration::from_micros(30) * beside as u32;
                    self.lookup(number, ask, client, client_port, name.clone(), *qtype, at);
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that a query has")]
    fn lookup(
        &mut self,
        number: usize,
        ask: &Ask,
        client: IpAddr,
        client_port: u16,
        name: String,
        qtype: u16,
        began: Duration,
    ) {
        let question = Question {
            id: ask.id.unwrap_or_else(|| self.random.next() as u16),
            opcode: ask.opcode as u8,
            name,
            qtype,
            edns: ask.edns,
            dnssec: ask.dnssec,
        };
        let servers = if ask.next_server {
            (0..ask.servers.count())
                .map(|n| ask.servers.nth(n))
                .collect()
        } else {
            vec![ask.servers.any(&mut self.random)]
        };
        self.lookups.push(Lookup {
            ask: Some(number),
            client,
            servers,
            port: ask.port,
            client_port,
            question,
            began,
            copies: 0,
            is_over: false,
            parent: None,
            recurse: None,
        });
        self.push(began, Event::Send(self.lookups.len() - 1));
    }

    fn push(&mut self, at: Duration, event: Event) {
        let sequence = match &event {
            // What arrives at a time arrives before what is sent then.
            Event::Answered(lookup, _) => *lookup as u64,
            Event::Send(lookup) | Event::GiveUp(lookup) => 1 << 40 | *lookup as u64,
        };
        self.queue.push(Reverse((at, sequence, event)));
    }

    pub fn port(&mut self) -> u16 {
        self.random.within(1_024..65_536) as u16
    }

    fn happen(&mut self, at: Duration, event: &Event) {
        match *event {
            Event::Send(lookup) => self.send(at, lookup),
            Event::Answered(lookup, rcode) => self.answered(at, lookup, rcode),
            Event::GiveUp(parent) => {
                let child = self.recursions.get(&parent).copied();
                if let Some(child) = child
                    && !self.lookups[child].is_over
                {
                    let recurse = self.lookups[child].recurse.clone();
                    let fails_with = recurse.and_then(|recurse| recurse.fails_with);
                    self.finish_child(at, child, fails_with.map(|rcode| rcode.0));
                }
            }
        }
    }

    fn answered(&mut self, at: Duration, lookup: usize, rcode: u8) {
        if self.lookups[lookup].is_over {
            return;
        }
        if self.lookups[lookup].parent.is_some() {
            self.finish_child(at + RESOLVER, lookup, Some(rcode));
        } else {
            self.lookups[lookup].is_over = true;
        }
    }

    /// What a resolver has asked for is known, or never will be.
    fn finish_child(&mut self, at: Duration, child: usize, rcode: Option<u8>) {
        self.lookups[child].is_over = true;
        let Some(parent) = self.lookups[child].parent.take() else {
            return;
        };
        self.recursions.remove(&parent.lookup);
        if let Some(rcode) = rcode {
            let answer = Answer {
                rcode: crate::words::Rcode(rcode),
                ..Answer::default()
            };
            self.answer(at, parent.lookup, &parent.copy, &answer);
        }
    }

    fn send(&mut self, at: Duration, number: usize) {
        if self.lookups[number].is_over || at >= self.situation.lasts {
            return;
        }
        self.lookups[number].copies += 1;
        let copies = self.lookups[number].copies;
        let ask = self.lookups[number].ask.map(|ask| &self.situation.ask[ask]);
        if copies > 1 && ask.is_none_or(|ask| ask.new_id) {
            let (id, port) = (self.random.next() as u16, self.port());
            self.lookups[number].question.id = id;
            self.lookups[number].client_port = port;
        }
        let lookup = &self.lookups[number];
        let next = match ask {
            Some(ask) => ask.retry.get(copies - 1),
            None => lookup
                .recurse
                .as_ref()
                .and_then(|r| r.retry.get(copies - 1)),
        };
        let next = next.map(|wait| wait.draw(&mut self.random));
        let mut server = lookup.servers[(copies - 1) % lookup.servers.len()];
        if ask.is_none() && copies > 1 {
            // A resolver tries another one.
            let servers = lookup.recurse.as_ref().map(|r| r.servers.clone());
            server = servers.map_or(server, |servers| servers.any(&mut self.random));
        }
        let mut copy = Copy {
            way: Way {
                source: lookup.client,
                destination: server,
            },
            client_port: lookup.client_port,
            port: lookup.port,
            question: lookup.question.clone(),
            seen: Seen::Both,
        };
        if let Some(wait) = next {
            self.push(at + wait, Event::Send(number));
        }
        if ask.is_some_and(|ask| ask.tcp == Tcp::Only) {
            self.connect(at, number, &copy);
            return;
        }
        let fate = self.fates.of(
            at,
            copy.way,
            &copy.question,
            Via::Udp,
            copies,
            &mut self.random,
        );
        copy.seen = fate.map_or(Seen::Both, |(_, fate)| fate.seen);
        let query = copy.question.query();
        self.pass_query(at, &copy, &query);
        match fate {
            None => {
                let answer = Answer::default();
                let after = answer.after.draw(&mut self.random);
                self.answer(at + after, number, &copy, &answer);
            }
            Some((place, fate)) => self.apply(at, number, &copy, place, fate),
        }
    }

    fn apply(&mut self, at: Duration, number: usize, copy: &Copy, place: usize, fate: &Fate) {
        if let Some(recurse) = &fate.recurse {
            self.recurse(at, number, copy, recurse);
        } else if let Some(pause) = &fate.pause {
            if let Some(at) = self.fates.pause(place, pause, at) {
                let answer = Answer::default();
                let after = answer.after.draw(&mut self.random);
                self.answer(at + after, number, copy, &answer);
            }
        } else if let Some(answer) = &fate.answer {
            let Some(waits) = self.fates.capacity(place, answer, at) else {
                return;
            };
            let at = at + waits + answer.after.draw(&mut self.random);
            for again in 0..answer.times {
                let at = at + Duration::from_micros(40) * again;
                self.answer(at, number, copy, answer);
            }
            if let Some(reject) = fate.reject.as_ref().filter(|reject| reject.about_answer) {
                let message = answer_message(copy, answer);
                let from = answer.from.0.first().map(|range| range.first);
                let way = Way {
                    source: from.unwrap_or(copy.way.destination),
                    destination: copy.way.source,
                };
                let about = frames::udp(way, [copy.port, copy.client_port], &message);
                let about = frames::packets(way, UDP, &about, 1).swap_remove(0);
                self.reject(at, place, reject, way, &about);
            }
        } else if let Some(reject) = &fate.reject {
            let mut way = copy.way;
            if let Some(inner) = reject.quoted_client.0.first() {
                way.source = inner.first;
            }
            let segment = [copy.client_port, copy.port];
            let about = frames::udp(way, segment, &copy.question.query());
            let about = frames::packet(way, UDP, &about, 1);
            self.reject(at, place, reject, copy.way, &about);
        }
    }

    /// An error about a packet, to who sent it.
    fn reject(&mut self, at: Duration, place: usize, reject: &Reject, of: Way, about: &[u8]) {
        let Error::Icmp(four, six) = reject.error else {
            return;
        };
        let or = |addresses: &crate::words::Addresses, other: IpAddr, random: &mut Random| {
            match addresses.count() {
                0 => other,
                _ => addresses.any(random),
            }
        };
        let way = Way {
            source: or(&reject.from, of.destination, &mut self.random),
            destination: or(&reject.to, of.source, &mut self.random),
        };
        if !self.fates.may_reject(place, reject, way.destination, at) {
            return;
        }
        let packet = frames::error(way, [four, six], about, reject.quote);
        let after = reject.after.draw(&mut self.random);
        self.pass(at + after, way, &packet);
    }

    fn recurse(&mut self, at: Duration, parent: usize, copy: &Copy, recurse: &Recurse) {
        if self.recursions.contains_key(&parent) {
            // It works on it.
            return;
        }
        if !self.random.chance(recurse.misses) {
            let answer = Answer::default();
            let after = answer.after.draw(&mut self.random);
            self.answer(at + after, parent, copy, &answer);
            return;
        }
        let question = Question {
            id: self.random.next() as u16,
            edns: 1232,
            ..copy.question.clone()
        };
        let client_port = self.port();
        let server = recurse.servers.any(&mut self.random);
        let began = at + RESOLVER;
        self.lookups.push(Lookup {
            ask: None,
            client: copy.way.destination,
            servers: vec![server],
            port: 53,
            client_port,
            question,
            began,
            copies: 0,
            is_over: false,
            parent: Some(Box::new(Parent {
                lookup: parent,
                copy: copy.clone(),
            })),
            recurse: Some(recurse.clone()),
        });
        let child = self.lookups.len() - 1;
        self.recursions.insert(parent, child);
        self.push(began, Event::Send(child));
        self.push(at + recurse.gives_up, Event::GiveUp(parent));
    }

    /// An answer over UDP, and what the client makes of it.
    fn answer(&mut self, at: Duration, number: usize, copy: &Copy, answer: &Answer) {
        let message = answer_message(copy, answer);
        let is_truncated = message[2] & 2 != 0;
        let mut way = copy.way.back();
        if let Some(other) = answer.from.0.first() {
            way.source = other.first;
        }
        let port = answer.from_port.unwrap_or(copy.port);
        let segment = frames::udp(way, [port, copy.client_port], &message);
        let id = self.packet_id();
        let mut parts = frames::packets(way, UDP, &segment, id);
        let whole = parts.len() == 1 || answer.fragments == Fragments::All;
        match answer.fragments {
            Fragments::All => {}
            Fragments::First => parts.truncate(1),
            Fragments::Later => drop(parts.remove(0)),
        }
        if matches!(copy.seen, Seen::Both | Seen::Answers) {
            for part in &parts {
                self.pass(at, way, part);
            }
        }
        let elsewhere = way.source != copy.way.destination || port != copy.port;
        if answer.lost || !whole || elsewhere {
            return;
        }
        let lookup = &self.lookups[number];
        let ask = lookup.ask.map(|ask| &self.situation.ask[ask]);
        let Some(ask) = ask else {
            self.push(at, Event::Answered(number, answer.rcode.0));
            return;
        };
        let gave_up = ask.gives_up.is_some_and(|wait| at > lookup.began + wait);
        if gave_up || self.random.chance(ask.closed) {
            let packet = frames::packet(way, UDP, &segment, id);
            let error = frames::error(way.back(), [[3, 3], [1, 4]], &packet, 548);
            self.pass(at + Duration::from_micros(200), way.back(), &error);
        }
        let is_over = self.lookups[number].is_over;
        if is_truncated && ask.tcp == Tcp::AfterTruncation && !is_over {
            self.connect(at + Duration::from_micros(300), number, copy);
        }
        self.push(at, Event::Answered(number, answer.rcode.0));
    }

    /// A question over TCP.
    fn connect(&mut self, at: Duration, number: usize, copy: &Copy) {
        let (way, back) = (copy.way, copy.way.back());
        let ports = [self.port(), copy.port];
        let return_ports = [ports[1], ports[0]];
        let syn = frames::tcp(way, ports, frames::SYN, [1, 0], &[]);
        let fate = self
            .fates
            .of(at, way, &copy.question, Via::Tcp, 1, &mut self.random);
        let (place, fate) = match fate {
            Some((place, fate)) => (place, Some(fate)),
            None => (0, None),
        };
        self.pass_segment(at, way, &syn);
        if let Some(reject) = fate.and_then(|fate| fate.reject.as_ref()) {
            let from_server = reject.from.0.is_empty();
            let soon = at + Duration::from_micros(300);
            if reject.error == Error::Reset || (reject.error == Error::PORT && from_server) {
                let reset = frames::tcp(back, return_ports, frames::RESET, [0, 2], &[]);
                self.pass_segment(soon, back, &reset);
            } else {
                let about = frames::packet(way, TCP, &syn, 1);
                self.reject(at, place, reject, way, &about);
            }
            return;
        }
        if fate.is_some_and(|fate| fate.drop || fate.pause.is_some()) {
            let mut at = at;
            for wait in SYN_WAITS {
                at += wait;
                self.pass_segment(at, way, &syn);
            }
            return;
        }
        let answer = fate
            .and_then(|fate| fate.answer.clone())
            .unwrap_or_default();
        let latency = answer.after.draw(&mut self.random);
        let half = latency / 2;
        let message = |message: Vec<u8>| {
            let mut framed = Vec::from((message.len() as u16).to_be_bytes());
            framed.extend(message);
            framed
        };
        let query = message(copy.question.query());
        let size = answer.size.max(600);
        let reply = message(copy.question.answer(answer.rcode.0, size, false));
        let (asked, told) = (1 + query.len() as u32, 1 + reply.len().min(1_400) as u32);
        let steps = [
            (half, false, frames::SYN_ACK, [1, 2], &[][..]),
            (half, true, frames::ACK, [2, 2], &[]),
            (half, true, frames::PUSH, [2, 2], &query),
            (
                half + latency,
                false,
                frames::PUSH,
                [2, asked + 1],
                &reply[..reply.len().min(1_400)],
            ),
            (
                half + latency * 2,
                true,
                frames::FIN,
                [asked + 1, told + 1],
                &[],
            ),
            (
                half + latency * 2,
                false,
                frames::FIN,
                [told + 1, asked + 2],
                &[],
            ),
            (latency * 3, true, frames::ACK, [asked + 2, told + 2], &[]),
        ];
        for (wait, forth, flags, numbers, payload) in steps {
            let (way, ports) = if forth {
                (way, ports)
            } else {
                (back, return_ports)
            };
            let segment = frames::tcp(way, ports, flags, numbers, payload);
            self.pass_segment(at + wait, way, &segment);
        }
        self.push(at + half + latency, Event::Answered(number, answer.rcode.0));
    }

    fn pass_segment(&mut self, at: Duration, way: Way, segment: &[u8]) {
        let packet = frames::packet(way, TCP, segment, 0);
        self.pass(at, way, &packet);
    }

    fn pass_query(&mut self, at: Duration, copy: &Copy, query: &[u8]) {
        if matches!(copy.seen, Seen::Both | Seen::Queries) {
            let segment = frames::udp(copy.way, [copy.client_port, copy.port], query);
            let id = self.packet_id();
            let packet = frames::packet(copy.way, UDP, &segment, id);
            self.pass(at, copy.way, &packet);
        }
    }

    pub fn packet_id(&mut self) -> u16 {
        self.packets = self.packets.wrapping_add(1);
        self.packets
    }

    /// A packet passes the sensor.
    pub fn pass(&mut self, at: Duration, way: Way, packet: &[u8]) {
        let is_own = self.situation.host.contains(way.source);
        let direction = if is_own {
            Direction::Out
        } else {
            Direction::In
        };
        self.pass_as(at, direction, packet);
    }

    pub fn pass_as(&mut self, at: Duration, direction: Direction, packet: &[u8]) {
        self.frames.push(Frame {
            at,
            bytes: frames::ethernet(direction, packet),
        });
    }
}

/// The message, truncated where the client takes no more.
fn answer_message(copy: &Copy, answer: &Answer) -> Vec<u8> {
    let tc = answer.tc || answer.size > copy.question.limit();
    copy.question.answer(answer.rcode.0, answer.size, tc)
}
