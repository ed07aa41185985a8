//! The traffic of a situation: who sends what, when, and what comes back.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use crate::exchange::RESOLVER;
use crate::fates::{Fates, Sent};
use crate::format::fate::{Recurse, Seen, Via};
use crate::format::{Ask, Situation, Tcp};
use crate::frames::{self, Direction, Frame, UDP, Way};
use crate::message::Question;
use crate::names::Names;
use crate::random::Random;
use crate::stray;
use crate::times::times;

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
    while let Some(Reverse((at, event))) = world.queue.pop() {
        world.happen(at, event);
    }
    stray::add(&mut world);
    let mut frames = world.frames;
    frames.retain(|frame| (situation.begins..situation.lasts).contains(&frame.at));
    // Stable: what was sent first is first.
    frames.sort_by_key(|frame| frame.at);
    frames
}

/// A question on its way to an answer.
pub struct Lookup {
    /// Which of the situation's; none: a resolver asks.
    pub ask: Option<usize>,
    pub client: IpAddr,
    pub servers: Vec<IpAddr>,
    pub port: u16,
    pub client_port: u16,
    pub question: Question,
    pub began: Duration,
    pub copies: usize,
    pub is_over: bool,
    /// That waits for this one.
    pub parent: Option<Box<Parent>>,
    pub recurse: Option<Recurse>,
}

/// The query of a client that a resolver works on.
pub struct Parent {
    pub lookup: usize,
    pub copy: Copy,
}

/// One copy of a query.
#[derive(Clone)]
pub struct Copy {
    pub way: Way,
    pub client_port: u16,
    pub port: u16,
    pub question: Question,
    pub seen: Seen,
}

/// What happens next; of what happens at the same time, what arrives comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// An answer with this rcode has reached the client.
    Answered(usize, u8),
    /// The resolver gives up.
    GiveUp(usize),
    /// The next copy.
    Send(usize),
}

pub struct World<'a> {
    pub situation: &'a Situation,
    pub random: Random,
    frames: Vec<Frame>,
    queue: BinaryHeap<Reverse<(Duration, Event)>>,
    pub lookups: Vec<Lookup>,
    pub fates: Fates<'a>,
    /// Running ones, by the client's lookup.
    pub recursions: HashMap<usize, usize>,
    packets: u16,
}

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

    pub fn push(&mut self, at: Duration, event: Event) {
        self.queue.push(Reverse((at, event)));
    }

    pub fn port(&mut self) -> u16 {
        self.random.within(1_024..65_536) as u16
    }

    fn happen(&mut self, at: Duration, event: Event) {
        match event {
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
        let sent = Sent {
            at,
            way: copy.way,
            ports: [copy.client_port, copy.port],
            via: Via::Udp,
            copy: copies,
            question: &copy.question,
        };
        let fate = self.fates.of(&sent, &mut self.random);
        copy.seen = fate.map_or(Seen::Both, |(_, fate)| fate.seen);
        let query = copy.question.query();
        self.pass_query(at, &copy, &query);
        match fate {
            None => self.answer_as_usual(at, number, &copy),
            Some((place, fate)) => self.apply(at, number, &copy, place, fate),
        }
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
