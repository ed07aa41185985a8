//! What becomes of a query: answers, errors, and what a resolver asks for it.

use std::time::Duration;

use crate::format::Tcp;
use crate::format::fate::{Answer, Fate, Fragments, Recurse, Reject, Seen};
use crate::frames::{self, Direction, UDP, Way};
use crate::message::Question;
use crate::traffic::{Copy, Event, Lookup, Parent, World};
use crate::words::{Error, Rcode};

/// Between the last client and the answer of what a resolver has asked for.
pub const RESOLVER: Duration = Duration::from_micros(200);
impl World<'_> {
    pub fn apply(&mut self, at: Duration, number: usize, copy: &Copy, place: usize, fate: &Fate) {
        if let Some(recurse) = &fate.recurse {
            self.recurse(at, number, copy, recurse);
        } else if let Some(pause) = &fate.pause {
            if let Some(at) = self.fates.pause(place, pause, at) {
                self.answer_as_usual(at, number, copy);
            }
        } else if let Some(answer) = &fate.answer {
            let Some(waits) = self.fates.capacity(place, answer, at) else {
                return;
            };
            let asked = at;
            let at = at + waits + answer.after.draw(&mut self.random);
            for again in 0..answer.times {
                let at = at + Duration::from_micros(40) * again;
                self.answer(at, number, copy, answer);
            }
            if let Some(reject) = &fate.reject {
                self.reject_message(at, asked, place, copy, reject, answer);
            }
        } else if let Some(reject) = &fate.reject {
            self.reject_message(at, at, place, copy, reject, &Answer::default());
        }
    }

    /// An error about a query, or about its answer.
    fn reject_message(
        &mut self,
        answered: Duration,
        asked: Duration,
        place: usize,
        copy: &Copy,
        reject: &Reject,
        answer: &Answer,
    ) {
        let (mut way, ports, message, at) = if reject.about_answer {
            let from = answer.from.0.first().map(|range| range.first);
            let way = Way {
                source: from.unwrap_or(copy.way.destination),
                destination: copy.way.source,
            };
            let ports = [copy.port, copy.client_port];
            (way, ports, self.answer_message(copy, answer), answered)
        } else {
            let ports = [copy.client_port, copy.port];
            (copy.way, ports, copy.question.query(), asked)
        };
        let of = way;
        if let Some(inner) = reject.quoted_client.0.first() {
            way.source = inner.first;
        }
        let segment = frames::udp(way, ports, &message);
        let about = frames::packets(way, UDP, &segment, 1).swap_remove(0);
        self.reject(at, place, reject, of, &about);
    }

    /// An error about a packet, to who sent it.
    pub fn reject(&mut self, at: Duration, place: usize, reject: &Reject, of: Way, about: &[u8]) {
        let Error::Icmp(four, six) = reject.error else {
            return;
        };
        let way = Way {
            source: reject.from.any_or(of.destination, &mut self.random),
            destination: reject.to.any_or(of.source, &mut self.random),
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
            self.answer_as_usual(at, parent, copy);
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

    /// What a resolver has asked for is known, or never will be.
    pub fn finish_child(&mut self, at: Duration, child: usize, rcode: Option<u8>) {
        self.lookups[child].is_over = true;
        let Some(parent) = self.lookups[child].parent.take() else {
            return;
        };
        self.recursions.remove(&parent.lookup);
        if let Some(rcode) = rcode {
            let answer = Answer {
                rcode: Rcode(rcode),
                ..Answer::default()
            };
            self.answer(at, parent.lookup, &parent.copy, &answer);
        }
    }

    /// As servers answer where nothing else is said.
    pub fn answer_as_usual(&mut self, at: Duration, number: usize, copy: &Copy) {
        let answer = Answer::default();
        let after = answer.after.draw(&mut self.random);
        self.answer(at + after, number, copy, &answer);
    }

    /// An answer over UDP, and what the client makes of it.
    pub fn answer(&mut self, at: Duration, number: usize, copy: &Copy, answer: &Answer) {
        let message = self.answer_message(copy, answer);
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
                if answer.forged {
                    self.pass_as(at, Direction::In, part);
                } else {
                    self.pass(at, way, part);
                }
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

    /// The message, truncated where the client takes no more.
    fn answer_message(&self, copy: &Copy, answer: &Answer) -> Vec<u8> {
        let tc = answer.tc || answer.size > copy.question.limit();
        let keeps = self.keeps(&copy.way);
        copy.question.answer(answer.rcode.0, answer.size, tc, keeps)
    }

    /// Whether the server that is asked keeps the zone.
    pub fn keeps(&self, way: &Way) -> bool {
        self.situation.authorities.contains(way.destination)
    }
}
