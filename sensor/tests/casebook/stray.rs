//! Packets that are no part of an exchange.

use std::time::Duration;

use crate::format::{Kind, Packets};
use crate::frames::{self, Direction, TCP, UDP, Way};
use crate::message::Question;
use crate::times::times;
use crate::traffic::World;
use crate::words::Error;

/// Adds those of the situation.
pub fn add(world: &mut World<'_>) {
    let situation = world.situation;
    for packets in &situation.packets {
        let rates = (packets.rate.as_ref(), packets.count);
        let times = times(&mut world.random, rates, packets.at, situation.lasts, false);
        for at in times {
            let way = Way {
                source: packets.from.any(&mut world.random),
                destination: packets.to.any(&mut world.random),
            };
            let packet = build(world, packets, way);
            if packets.forged {
                world.pass_as(at, Direction::In, &packet);
            } else {
                world.pass(at, way, &packet);
            }
            if packets.kind == Kind::Syn && world.random.chance(packets.answers) {
                let port =
                    u16::from_be_bytes([packet[packet.len() - 20], packet[packet.len() - 19]]);
                let back = way.back();
                let segment = frames::tcp(back, [packets.port, port], frames::SYN_ACK, [1, 2], &[]);
                let packet = frames::packet(back, TCP, &segment, 0);
                world.pass(at + Duration::from_micros(100), back, &packet);
            }
        }
    }
}

fn build(world: &mut World<'_>, packets: &Packets, way: Way) -> Vec<u8> {
    let id = world.packet_id();
    let other = packets.from_port.unwrap_or_else(|| world.port());
    match packets.kind {
        Kind::Response => {
            let message = question(world).answer(packets.rcode.0, packets.bytes, false, false);
            let segment = frames::udp(way, [packets.port, other], &message);
            // Later fragments are the same to a sensor that joins none.
            frames::packets(way, UDP, &segment, id).swap_remove(0)
        }
        Kind::Garbage => {
            let mut bytes: Vec<u8> = (0..packets.bytes)
                .map(|_| world.random.next() as u8)
                .collect();
            let is_answer = world.random.chance(packets.answers);
            if let Some(flags) = bytes.get_mut(2) {
                *flags = *flags & 0x7f | u8::from(is_answer) << 7;
            }
            let segment = frames::udp(way, [other, packets.port], &bytes);
            frames::packet(way, UDP, &segment, id)
        }
        Kind::Syn => {
            let number = world.random.next() as u32;
            let segment = frames::tcp(way, [other, packets.port], frames::SYN, [number, 0], &[]);
            frames::packet(way, TCP, &segment, id)
        }
        Kind::Fragment => frames::later_fragment(way, packets.bytes, id),
        Kind::Datagram => {
            let segment = frames::udp(way, [other, packets.port], &vec![0x33; packets.bytes]);
            frames::packet(way, UDP, &segment, id)
        }
        Kind::Icmp => {
            let (four, six) = match packets.error {
                Some(Error::Icmp(four, six)) => (four, six),
                _ => ([3, 3], [1, 4]),
            };
            let random = &mut world.random;
            let query = Way {
                source: packets.quoted_client.any_or(way.destination, random),
                destination: packets.quoted_server.any_or(way.source, random),
            };
            let question = question(world);
            let (quoted, ports, message) = if packets.about_answer {
                (
                    query.back(),
                    [packets.port, other],
                    question.answer(0, packets.bytes, false, false),
                )
            } else {
                (query, [other, packets.port], question.query())
            };
            let segment = frames::udp(quoted, ports, &message);
            let about = frames::packet(quoted, UDP, &segment, id);
            frames::error(way, [four, six], &about, 548)
        }
    }
}

fn question(world: &mut World<'_>) -> Question {
    Question {
        id: world.random.next() as u16,
        opcode: 0,
        name: "example.org".into(),
        qtype: 255,
        edns: 4_096,
        dnssec: false,
    }
}
