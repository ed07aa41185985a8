//! Captures whose frames are not in the order of time, several captures as one, and parts of one.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// Frames that were captured at this time, in milliseconds.
type Frames = Vec<(u64, Vec<u8>)>;

fn udp(source: ([u8; 4], u16), destination: ([u8; 4], u16), message: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0];
    packet.extend(source.0);
    packet.extend(destination.0);
    packet.extend(source.1.to_be_bytes());
    packet.extend(destination.1.to_be_bytes());
    packet.extend([0, 8 + message.len() as u8, 0, 0]);
    packet.extend(message);
    packet[3] = packet.len() as u8;
    packet
}

const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 7], 40_000);
const SERVER: ([u8; 4], u16) = ([192, 0, 2, 53], 53);

fn query(id: u16) -> Vec<u8> {
    let message = sensor::stage::client::query(id, "www.example.org");
    udp(CLIENT, SERVER, &message)
}

fn answer(id: u16) -> Vec<u8> {
    let mut message = sensor::stage::client::query(id, "www.example.org");
    message[2] |= 0x80;
    udp(SERVER, CLIENT, &message)
}

fn write(name: &str, frames: &[(u64, Vec<u8>)]) -> PathBuf {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 101] {
        bytes.extend(word.to_le_bytes());
    }
    for (ms, frame) in frames {
        let ms = 1_780_000_000_000 + ms;
        let length = frame.len() as u32;
        for word in [
            (ms / 1_000) as u32,
            (ms % 1_000 * 1_000) as u32,
            length,
            length,
        ] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(frame);
    }
    let path = std::env::temp_dir().join(format!("sensor-order-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file");
    path
}

/// A query every 50 ms, each answered after 10 ms.
fn answered(count: u16) -> Frames {
    let pair = |id: u16| {
        let ms = u64::from(id) * 50;
        [(ms, query(id)), (ms + 10, answer(id))]
    };
    (0..count).flat_map(pair).collect()
}

fn replay(arguments: &[&str], files: &[PathBuf]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sensor"))
        .args(["replay", "--output", "json"])
        .args(arguments)
        .args(files)
        .output()
        .expect("sensor runs")
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let parse = |line: &str| serde_json::from_str(line).expect("JSON");
    text.lines().map(parse).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn seen(output: &Output) -> u64 {
    let objects = objects(output);
    objects.last().expect("totals")["seen"]
        .as_u64()
        .expect("a count")
}

fn transactions(output: &Output) -> Value {
    let mut objects = objects(output).into_iter();
    let server = objects.find(|object| object.get("transactions").is_some());
    server.expect("a server")["transactions"].clone()
}

#[test]
fn frames_that_are_a_little_out_of_order_are_put_in_order() {
    let ordered = answered(200);
    let mut mixed = ordered.clone();
    // Each answer comes before its query.
    for pair in mixed.chunks_mut(2) {
        pair.swap(0, 1);
    }
    let expected = replay(&[], &[write("ordered.pcap", &ordered)]);
    assert!(
        !stderr(&expected).contains("order"),
        "{}",
        stderr(&expected)
    );
    let found = replay(&[], &[write("mixed.pcap", &mixed)]);
    assert!(found.status.success(), "{}", stderr(&found));
    assert_eq!(transactions(&found)["answered"], 200);
    assert_eq!(transactions(&found), transactions(&expected));
    let says = "200 frames were up to 10 ms out of order";
    assert!(stderr(&found).contains(says), "{}", stderr(&found));
}

#[test]
fn a_capture_in_no_order_is_counted_and_not_judged() {
    let backwards: Frames = (0..100).map(|n| ((100 - n) * 5_000, query(1))).collect();
    let output = replay(&[], &[write("backwards.pcap", &backwards)]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(seen(&output), 100);
    let text = stderr(&output);
    assert!(text.contains("goes back 99 times"), "{text}");
    assert!(
        text.contains("detection is off") && text.contains("reordercap IN OUT"),
        "{text}"
    );
}

#[test]
fn several_captures_are_one_in_the_order_of_time() {
    let all = answered(600);
    let whole = replay(&[], &[write("whole.pcap", &all)]);
    // A ring buffer, whose files are named in any order.
    let parts: Vec<PathBuf> = all
        .chunks(300)
        .zip(0..)
        .map(|(part, number)| write(&format!("ring{number}.pcap"), part))
        .collect();
    let (first, others) = parts.split_at(2);
    let found = replay(&[], &[others, first].concat());
    assert!(found.status.success(), "{}", stderr(&found));
    assert_eq!(seen(&found), 1_200);
    assert_eq!(transactions(&found), transactions(&whole));
    // Two interfaces, captured side by side: queries here, answers there.
    let (queries, answers): (Vec<_>, Vec<_>) =
        all.iter().cloned().partition(|(ms, _)| ms % 50 == 0);
    let files = [
        write("queries.pcap", &queries),
        write("answers.pcap", &answers),
    ];
    let found = replay(&[], &files);
    assert_eq!(transactions(&found), transactions(&whole));
    assert_eq!(transactions(&found)["answered"], 600);
}

#[test]
fn a_part_of_a_capture_is_chosen_by_time() {
    let path = write("part.pcap", &answered(200));
    // 10 s of 20 pairs each: two seconds of it.
    let output = replay(
        &["--from", "4s", "--until", "5999ms"],
        std::slice::from_ref(&path),
    );
    assert_eq!(seen(&output), 80, "{}", stderr(&output));
    // 1,780,000,000 s after 1970 is 20:26:40.
    let output = replay(
        &["--from", "2026-05-28T20:26:45Z"],
        std::slice::from_ref(&path),
    );
    assert_eq!(seen(&output), 200, "{}", stderr(&output));
    let output = replay(&["--from", "yesterday"], &[path]);
    assert_eq!(output.status.code(), Some(64));
    assert!(
        stderr(&output).contains("since the first packet such as 90s"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_query_whose_time_out_lies_beyond_the_end_waits_and_is_not_unanswered() {
    let mut frames = answered(200);
    // The last answer is at 9,960 ms. Two queries without one long before, three shortly before it.
    for (id, ms) in [
        (1_000, 1_000),
        (1_001, 7_000),
        (1_002, 8_500),
        (1_003, 9_000),
        (1_004, 9_900),
    ] {
        frames.push((ms, query(id)));
    }
    frames.sort_by_key(|(ms, _)| *ms);
    let counts = transactions(&replay(&[], &[write("waiting.pcap", &frames)]));
    assert_eq!(
        (&counts["unanswered"], &counts["waiting"]),
        (&2.into(), &3.into()),
        "{counts}"
    );
}
