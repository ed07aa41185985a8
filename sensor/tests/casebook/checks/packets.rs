//! Bytes of packets.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use hickory_proto::op::{Message, MessageType};

use super::Check;
use crate::frames::{self, UDP, Way};
use crate::message::Question;

pub fn all() -> Vec<Check> {
    vec![
        ("messages are read by another parser", messages),
        ("checksums are right", checksums),
        ("fragments make up the datagram", fragments),
        (
            "an error quotes what it is about, as far as it should",
            quotes,
        ),
    ]
}

fn question() -> Question {
    Question {
        id: 7,
        opcode: 0,
        name: "www1.example.net".into(),
        qtype: 48,
        edns: 4_096,
        dnssec: true,
    }
}

fn way(is_ipv4: bool) -> Result<Way> {
    let [source, destination] = if is_ipv4 {
        ["198.51.100.7", "192.0.2.53"]
    } else {
        ["2001:db8::7", "2001:db8::53"]
    };
    let (source, destination): (IpAddr, IpAddr) = (source.parse()?, destination.parse()?);
    Ok(Way {
        source,
        destination,
    })
}

fn messages() -> Result<()> {
    let query = Message::from_vec(&question().query())?;
    ensure!(query.message_type() == MessageType::Query);
    ensure!(query.max_payload() == 4_096);
    ensure!(
        query
            .extensions()
            .as_ref()
            .is_some_and(|edns| edns.flags().dnssec_ok)
    );
    for size in [0, 200, 1_400, 3_000] {
        let bytes = question().answer(0, size, false, false);
        ensure!(size < 200 || bytes.len() == size, "{size}: {}", bytes.len());
        let answer = Message::from_vec(&bytes)?;
        ensure!(answer.answers().len() == 1 && answer.id() == 7);
        ensure!(answer.queries()[0].name().to_string() == "www1.example.net.");
    }
    let truncated = Message::from_vec(&question().answer(0, 3_000, true, false))?;
    ensure!(truncated.truncated() && truncated.answers().is_empty());
    let refused = Message::from_vec(&question().answer(5, 0, false, false))?;
    ensure!(u16::from(refused.response_code()) == 5);
    ensure!(refused.recursion_available() && !refused.authoritative());
    let kept = Message::from_vec(&question().answer(3, 0, false, true))?;
    ensure!(kept.authoritative() && !kept.recursion_available());
    Ok(())
}

/// The sum of a segment with its pseudo header, as its receiver makes it.
fn sum(parts: &[&[u8]]) -> u32 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}

fn checksums() -> Result<()> {
    for (is_ipv4, header) in [(true, 20), (false, 40)] {
        let way = way(is_ipv4)?;
        let segment = frames::udp(way, [40_000, 53], &question().query());
        let packet = frames::packet(way, UDP, &segment, 1);
        let addresses = &packet[if is_ipv4 { 12..20 } else { 8..40 }];
        let length = (segment.len() as u32).to_be_bytes();
        ensure!(sum(&[addresses, &length, &[0, UDP], &segment]) == 0xffff);
        ensure!(!is_ipv4 || sum(&[&packet[..20]]) == 0xffff);
        let error = frames::error(way.back(), [[3, 3], [1, 4]], &packet, 548);
        let message = &error[header..];
        let length = (message.len() as u32).to_be_bytes();
        let addresses = &error[8..header];
        let right = if is_ipv4 {
            sum(&[message]) == 0xffff
        } else {
            sum(&[addresses, &length, &[0, 58], message]) == 0xffff
        };
        ensure!(right, "of ICMP, IPv4: {is_ipv4}");
    }
    Ok(())
}

fn fragments() -> Result<()> {
    for (is_ipv4, header) in [(true, 20), (false, 48)] {
        let way = way(is_ipv4)?;
        let segment = frames::udp(
            way,
            [53, 40_000],
            &question().answer(0, 3_500, false, false),
        );
        let parts = frames::packets(way, UDP, &segment, 9);
        ensure!(parts.len() == 3, "{} fragments", parts.len());
        let mut whole = Vec::new();
        for part in &parts {
            ensure!(part.len() <= 1_500);
            let offset = if is_ipv4 {
                usize::from(u16::from_be_bytes([part[6], part[7]]) & 0x1fff) * 8
            } else {
                usize::from(u16::from_be_bytes([part[42], part[43]]) & 0xfff8)
            };
            ensure!(offset == whole.len(), "at {offset}");
            whole.extend_from_slice(&part[header..]);
        }
        ensure!(whole == segment);
        ensure!(frames::packets(way, UDP, &segment[..1_400], 9).len() == 1);
    }
    Ok(())
}

fn quotes() -> Result<()> {
    let way = way(true)?;
    let segment = frames::udp(way, [40_000, 53], &question().query());
    let packet = frames::packet(way, UDP, &segment, 1);
    let short = frames::error(way.back(), [[3, 3], [1, 4]], &packet, 8);
    ensure!(short.len() == 20 + 8 + 20 + 8 && short[20..22] == [3, 3]);
    let long = frames::error(way.back(), [[3, 4], [2, 0]], &packet, 548);
    let quoted = long.get(28..).context("a quote")?;
    ensure!(quoted == packet);
    ensure!(long[26..28] == 1_280_u16.to_be_bytes(), "the MTU");
    Ok(())
}
