//! Questions over TCP.

use std::time::Duration;

use crate::fates::Sent;
use crate::format::fate::Via;
use crate::frames::{self, TCP, Way};
use crate::traffic::{Copy, Event, World};
use crate::words::Error;

/// Waits of a TCP that gets no SYN-ACK.
const SYN_WAITS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

impl World<'_> {
    /// A question over TCP.
    pub fn connect(&mut self, at: Duration, number: usize, copy: &Copy) {
        let (way, back) = (copy.way, copy.way.back());
        let ports = [self.port(), copy.port];
        let return_ports = [ports[1], ports[0]];
        let syn = frames::tcp(way, ports, frames::SYN, [1, 0], &[]);
        let sent = Sent {
            at,
            way,
            ports,
            via: Via::Tcp,
            copy: 1,
            question: &copy.question,
        };
        let fate = self.fates.of(&sent, &mut self.random);
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
        let reply =
            message(
                copy.question
                    .answer(answer.rcode.0, size, false, self.keeps(&copy.way)),
            );
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
}
