//! Captures that hold each packet twice are recognised; those with honest retransmissions are not.

mod support;

use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use support::outage_frames::{asked, outage, server};
use support::pcap::{self, Frames};
use support::traffic::Exchange;

const TOLD: &str = "packets are in the capture more than once";

fn replay(path: &Path) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_sensor"))
        .args(["replay", "--output", "json"])
        .arg(path)
        .output()
        .expect("sensor runs");
    assert!(output.status.success(), "{output:?}");
    output
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let parse = |line: &str| serde_json::from_str(line).expect("JSON");
    text.lines().map(parse).collect()
}

/// Counts of a capture, and whether copies were told.
fn counts(name: &str, frames: &[(u64, Vec<u8>)]) -> (Value, Value, bool) {
    let path = pcap::write(name, frames);
    let output = replay(&path);
    std::fs::remove_file(&path).expect("removed");
    let objects = objects(&output);
    let is_server = |object: &&Value| object.get("transactions").is_some();
    let server = objects.iter().find(is_server).expect("a server");
    let told = String::from_utf8_lossy(&output.stderr).contains(TOLD);
    let totals = objects.last().expect("totals");
    (totals.clone(), server["transactions"].clone(), told)
}

/// Each packet a second time, behind this tag and by this TTL, after so many microseconds.
fn twice(frames: &Frames, tag: &[u8], ttl: u8, after_us: u64) -> Frames {
    let copy = |(us, frame): &(u64, Vec<u8>)| {
        let mut copy = frame[..12].to_vec();
        // The other direction of a mirror port has other addresses.
        copy[5] ^= 1;
        copy.extend(tag);
        copy.extend(&frame[12..]);
        copy[12 + tag.len() + 2 + 8] = ttl;
        [(*us, frame.clone()), (*us + after_us, copy)]
    };
    let mut all: Frames = frames.iter().flat_map(copy).collect();
    all.sort_by_key(|(us, _)| *us);
    all
}

#[test]
fn each_packet_of_a_capture_that_holds_it_twice_is_counted_once() {
    let frames = outage(20);
    let (single, transactions, told) = counts("single.pcap", &frames);
    assert!(!told);
    assert!(single.get("copies").is_none(), "{single}");
    let ttl = frames[0].1[14 + 8];
    for (tag, ttl, after_us) in [
        // `-i any`, a mirror port whose directions are apart by a VLAN, and one at both sides of a router.
        (&[][..], ttl, 15),
        (&[0x81, 0, 0, 20][..], ttl, 400),
        (&[][..], ttl - 1, 900),
    ] {
        let doubled = twice(&frames, tag, ttl, after_us);
        let (totals, same, told) = counts("doubled.pcap", &doubled);
        assert!(told, "{after_us}");
        assert_eq!(totals["copies"], frames.len() as u64);
        for count in ["seen", "classes"] {
            assert_eq!(totals[count], single[count], "{count}");
        }
        assert_eq!(same, transactions);
    }
}

#[test]
fn a_few_packets_that_are_there_twice_are_enough() {
    let frames: Frames = outage(20)[..8].to_vec();
    let ttl = frames[0].1[14 + 8];
    let (totals, transactions, told) = counts("few.pcap", &twice(&frames, &[], ttl, 30));
    assert!(told);
    assert_eq!(totals["seen"], 8);
    assert_eq!(transactions["retransmitted"], 0, "{transactions}");
}

#[test]
fn the_first_packets_of_a_slow_capture_are_not_counted_twice_either() {
    // Two seconds apart: nobody waits so long for earlier frames.
    let query = |n: u64| {
        let exchange = Exchange {
            client: IpAddr::from([192, 0, 2, 7]),
            server: server(),
            port: 20_000,
            id: n as u16,
        };
        (n * 2_000_000, exchange.query("www.example.org"))
    };
    let frames: Frames = (0..40).map(query).collect();
    let ttl = frames[0].1[14 + 8];
    let (totals, _, told) = counts("slow.pcap", &twice(&frames, &[], ttl, 30));
    assert!(told);
    assert_eq!(
        (&totals["seen"], &totals["copies"]),
        (&40.into(), &40.into())
    );
}

#[test]
fn honest_retransmissions_are_no_copies() {
    // A dead server: each query is sent three times, to the byte the same, after times that stubs and resolvers use.
    for after_ms in [50, 376, 1_000] {
        let query = |n: u64| {
            let exchange = Exchange {
                client: IpAddr::from([192, 0, 2, 7]),
                server: server(),
                port: 20_000,
                id: n as u16,
            };
            let frame = exchange.query("www.example.org");
            (0..3).map(move |copy| (n * 40_000 + copy * after_ms * 1_000, frame.clone()))
        };
        let mut frames: Frames = (0..200).flat_map(query).collect();
        frames.sort_by_key(|(us, _)| *us);
        let (totals, transactions, told) = counts("again.pcap", &frames);
        assert!(!told, "{after_ms}");
        assert_eq!(totals["seen"], 600);
        // But for those of the few queries that are not followed.
        let again = transactions["retransmitted"].as_u64().expect("a count");
        assert!((380..=400).contains(&again), "{transactions}");
    }
}

#[test]
fn healthy_traffic_with_a_few_doubled_packets_is_counted_as_it_is() {
    let mut frames = asked(0, 20, false);
    // The network doubles one packet in twenty.
    let doubled: Frames = frames.iter().step_by(20).cloned().collect();
    let expected = (frames.len() + doubled.len()) as u64;
    frames.extend(doubled.into_iter().map(|(us, frame)| (us + 20, frame)));
    frames.sort_by_key(|(us, _)| *us);
    let (totals, _, told) = counts("some.pcap", &frames);
    assert!(!told);
    assert_eq!(totals["seen"], expected);
}
