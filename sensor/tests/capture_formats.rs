//! What captures come in: compression, link layers, resolutions of time, damage. Every file is made here.

use std::io::{Cursor, Write};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use sensor::engine::replay::capture::Capture;
use sensor::engine::replay::capture_error::CaptureError;
use sensor::stage::client;

/// An IPv4 packet with a DNS query.
fn query() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 7, 192, 0, 2, 53,
    ];
    let dns = client::query(1, "www.example.org");
    packet.extend([0x9c, 0x40, 0, 53, 0, 8 + dns.len() as u8, 0, 0]);
    packet.extend(dns);
    packet[3] = packet.len() as u8;
    packet
}

/// A pcap file of this link type with these frames, one a second.
fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, link] {
        bytes.extend(word.to_le_bytes());
    }
    for (second, frame) in (1_u32..).zip(frames) {
        let length = frame.len() as u32;
        for word in [second, 0, length, length] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(frame);
    }
    bytes
}

/// Frames with their times, and how the reading ended.
type Frames = (Vec<(Option<Duration>, Vec<u8>)>, Result<(), CaptureError>);

/// All frames of a capture, and how it ended.
fn read(bytes: &[u8]) -> Frames {
    let mut frames = Vec::new();
    let ended = Capture::new("a.pcap".into(), bytes)
        .and_then(|capture| capture.for_each(|f| frames.push((f.time, f.bytes.to_vec()))));
    (frames, ended)
}

/// What the frame carries behind its Ethernet header, if that says IPv4.
fn carried(bytes: &[u8]) -> Option<Vec<u8>> {
    let (frames, ended) = read(bytes);
    ended.expect("a capture");
    let (_, frame) = frames.into_iter().next()?;
    (frame.get(12..14)? == [8, 0]).then(|| frame[14..].to_vec())
}

fn through_a_pipe(bytes: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sensor"))
        .args(["replay", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sensor runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(bytes).expect("it is read");
    drop(input);
    child.wait_with_output().expect("it ends")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(bytes, level)
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    // In blocks as small as other tools' that stream.
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut packed = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut packed = lzma_rust2::XzWriter::new(Vec::new(), options).expect("options");
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

type Pack = fn(&[u8]) -> Vec<u8>;

const COMPRESSIONS: [(&str, Pack); 5] = [
    ("gzip", gzip),
    ("zstd", zstd),
    ("lz4", lz4),
    ("xz", xz),
    ("bzip2", bzip2),
];

#[test]
fn a_compressed_capture_is_what_it_unpacks_to() {
    let frames: Vec<Vec<u8>> = (0..20_000).map(|_| query()).collect();
    let plain = pcap(101, &frames);
    let (expected, _) = read(&plain);
    for (name, pack) in COMPRESSIONS {
        let (found, ended) = read(&pack(&plain));
        ended.expect(name);
        assert_eq!(found.len(), 20_000, "{name}");
        assert!(found == expected, "{name}");
        // Some tools write a file in several parts, one after the other.
        let parts: Vec<u8> = plain.chunks(400_000).flat_map(pack).collect();
        let (found, ended) = read(&parts);
        ended.expect(name);
        assert!(found == expected, "{name} in parts");
    }
    // pzstd begins with a frame that is skipped.
    let mut skipped = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    skipped.extend(zstd(&plain));
    assert_eq!(read(&skipped).0.len(), 20_000);
}

#[test]
fn a_compressed_capture_comes_through_a_pipe_too() {
    for (name, pack) in COMPRESSIONS {
        let output = through_a_pipe(&pack(&pcap(101, &[query()])));
        assert!(output.status.success(), "{name}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("1  dns_query"), "{name}: {text}");
    }
}

#[test]
fn damage_names_the_compression_and_keeps_what_came_before() {
    let frames: Vec<Vec<u8>> = (0..50_000_u32)
        .map(|n| {
            // What does not compress, so that a part of the file is a part of its frames.
            let noise = n.wrapping_mul(2_654_435_761).to_le_bytes();
            [query(), noise.repeat(3), noise.to_vec()].concat()
        })
        .collect();
    let plain = pcap(101, &frames);
    for (name, pack) in COMPRESSIONS {
        let packed = pack(&plain);
        let (found, ended) = read(&packed[..packed.len() * 9 / 10]);
        let text = ended.expect_err(name).to_string();
        assert!(text.contains(&format!("{name} data")), "{text}");
        assert!(!found.is_empty() && found.len() < 50_000, "{name}");
    }
}

#[test]
fn standard_input_may_be_a_socket() {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    let (mut ours, theirs) = UnixStream::pair().expect("sockets");
    let child = Command::new(env!("CARGO_BIN_EXE_sensor"))
        .args(["replay", "-"])
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .spawn()
        .expect("sensor runs");
    ours.write_all(&pcap(101, &[query()])).expect("it is read");
    drop(ours);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1  dns_query"), "{text}");
}

/// The frame behind a header.
fn behind(header: &[u8]) -> Vec<u8> {
    [header, &query()].concat()
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a list")]
fn every_link_layer_gives_the_packet_that_it_carries() {
    let ethernet = |more: &[u8]| [&[2; 12], more].concat();
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    // Data from the access point, with QoS.
    let wireless = [&[0x88, 2][..], &[0; 22], &[0; 2], &snap].concat();
    let radiotap = |present: u32, fields: &[u8]| {
        let length = 8 + fields.len() as u16;
        [
            &[0, 0][..],
            &length.to_le_bytes(),
            &present.to_le_bytes(),
            fields,
        ]
        .concat()
    };
    // Padded to four bytes, and a time in front of the flags.
    let padded = [
        &radiotap(3, &[0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0])[..],
        &wireless[..26],
        &[0; 2],
        &snap,
    ]
    .concat();
    let pktap = |link: u32| {
        let mut header = [&108_u32.to_le_bytes()[..], &[0; 4], &link.to_le_bytes()].concat();
        header.resize(108, 0);
        header
    };
    let nflog = |order: fn(u16) -> [u8; 2], packet: u16| {
        [
            &[2, 0, 0, 0][..],
            &order(8),
            &order(1),
            &[0, 0, 3, 0],
            &order(6),
            &order(10),
            &[b'x', 0, 0, 0],
            &order(packet),
            &order(9),
        ]
        .concat()
    };
    let length = query().len() as u16 + 4;
    let labels = [0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x11, 64];
    let pppoe = [0x88, 0x64, 0x11, 0, 0, 1, 0, 70, 0, 0x21];
    let layers: Vec<(u32, &str, Vec<u8>)> = vec![
        (1, "Ethernet", ethernet(&[8, 0])),
        (1, "PPPoE", ethernet(&pppoe)),
        (
            1,
            "PPPoE in a VLAN",
            ethernet(&[&[0x81, 0, 0, 7][..], &pppoe].concat()),
        ),
        (1, "MPLS", ethernet(&labels)),
        (
            1,
            "MPLS in a VLAN",
            ethernet(&[&[0x81, 0, 0, 7][..], &labels].concat()),
        ),
        (9, "PPP", vec![0xff, 3, 0, 0x21]),
        (9, "PPP without address", vec![0, 0x21]),
        (50, "PPP with a short protocol", vec![0xff, 3, 0x21]),
        (204, "PPP with a direction", vec![1, 0xff, 3, 0, 0x21]),
        (104, "Cisco HDLC", vec![0x0f, 0, 8, 0]),
        (107, "frame relay", vec![0x18, 0x41, 3, 0xcc]),
        (
            107,
            "frame relay with SNAP",
            vec![0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0],
        ),
        (109, "ENC", [&2_u32.to_le_bytes()[..], &[0; 8]].concat()),
        (127, "radiotap", [&radiotap(0, &[])[..], &wireless].concat()),
        (127, "radiotap, padded", padded),
        (105, "802.11", wireless.clone()),
        (239, "NFLOG", nflog(u16::to_le_bytes, length)),
        (
            239,
            "NFLOG of a big-endian host",
            nflog(u16::to_be_bytes, length),
        ),
        (242, "IPoIB", [&[1; 40][..], &[8, 0, 0, 0]].concat()),
        (
            258,
            "PKTAP of Ethernet",
            [pktap(1), ethernet(&[8, 0])].concat(),
        ),
        (258, "PKTAP of raw IP", pktap(12)),
    ];
    for (link, name, header) in layers {
        let found = carried(&pcap(link, &[behind(&header)]));
        assert!(found.as_ref() == Some(&query()), "{name}: {found:x?}");
        // Cut short anywhere it is read, and as nothing else.
        let frame = behind(&header);
        for length in 0..frame.len() {
            let (frames, ended) = read(&pcap(link, &[frame[..length].to_vec()]));
            ended.expect(name);
            assert_eq!(frames.len(), 1, "{name} of {length} bytes");
        }
    }
    // An old tag is one of today's.
    let frame = behind(&ethernet(&[0x91, 0, 0, 7, 8, 0]));
    let (frames, _) = read(&pcap(1, &[frame]));
    assert_eq!(frames[0].1[12..18], [0x88, 0xa8, 0, 7, 8, 0]);
    // What is encrypted, or management, is not DNS, and not malformed either.
    for header in [[0x88, 0x42], [0x80, 0]] {
        let mut frame = behind(&wireless);
        frame[..2].copy_from_slice(&header);
        assert_eq!(carried(&pcap(105, &[frame])), None);
    }
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = 12 + body.len() as u32;
    let (kind, length) = (kind.to_le_bytes(), length.to_le_bytes());
    [&kind[..], &length, body, &length].concat()
}

/// A pcapng file of one packet at this time, in units of an interface with these options.
fn pcapng(options: &[u8], units: u64) -> Vec<u8> {
    let section = [
        &0x1a2b_3c4d_u32.to_le_bytes()[..],
        &[1, 0, 0, 0],
        &[0xff; 8],
    ]
    .concat();
    let interface = [&[101, 0, 0, 0][..], &[0, 0, 4, 0], options].concat();
    let packet = query();
    let length = packet.len() as u32;
    let mut body = Vec::new();
    for word in [0, (units >> 32) as u32, units as u32, length, length] {
        body.extend(word.to_le_bytes());
    }
    body.extend(&packet);
    body.resize(body.len().next_multiple_of(4), 0);
    [
        block(0x0a0d_0d0a, &section),
        block(1, &interface),
        block(6, &body),
    ]
    .concat()
}

#[test]
fn times_of_pcapng_are_in_any_unit() {
    let at = Duration::from_millis(1_780_000_000_500);
    let seconds = 1_780_000_000_u64;
    let of = |resolution: u8| [9, 0, 1, 0, resolution, 0, 0, 0, 0, 0, 0, 0];
    for (name, options, units) in [
        ("microseconds", vec![], seconds * 1_000_000 + 500_000),
        ("milliseconds", of(3).to_vec(), seconds * 1_000 + 500),
        (
            "nanoseconds",
            of(9).to_vec(),
            seconds * 1_000_000_000 + 500_000_000,
        ),
        ("2^-20", of(0x94).to_vec(), (seconds << 20) + (1 << 19)),
        ("2^-30", of(0x9e).to_vec(), (seconds << 30) + (1 << 29)),
    ] {
        let (frames, ended) = read(&pcapng(&options, units));
        ended.expect(name);
        assert_eq!(frames[0].0, Some(at), "{name}");
    }
    // Picoseconds reach no further than 213 days in 64 bits; an offset says since when.
    let offset = [&[14, 0, 8, 0][..], &seconds.to_le_bytes(), &of(12)].concat();
    let (frames, ended) = read(&pcapng(&offset, 500_000_000_000));
    ended.expect("picoseconds");
    assert_eq!(frames[0].0, Some(at));
}

#[test]
fn a_damaged_record_says_so_with_its_place_and_length() {
    let mut bytes = pcap(101, &[query(), query()]);
    let second = 24 + 16 + query().len();
    bytes[second + 8..second + 12].fill(0xff);
    let (frames, ended) = read(&bytes);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        ended.expect_err("it is damaged").to_string(),
        format!(
            "a.pcap: invalid captured length 4294967295 (limit 262144) at byte {second}, after 1 frame; \
             `editcap` may repair it"
        )
    );
    // In pcapng a length that its block cannot hold.
    let mut bytes = pcapng(&[], 0);
    let packet = bytes.len() - query().len().next_multiple_of(4) - 4 - 8;
    bytes[packet..packet + 4].copy_from_slice(&5_000_u32.to_le_bytes());
    let text = read(&bytes).1.expect_err("it is damaged").to_string();
    assert!(text.contains("invalid captured length 5000"), "{text}");
    // And a block without a length.
    let mut bytes = pcapng(&[], 0);
    let end = bytes.len();
    bytes.extend([6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let text = read(&bytes).1.expect_err("it is damaged").to_string();
    let says = format!("invalid block length 1 (limit 67108864) at byte {end}");
    assert!(text.contains(&says), "{text}");
}

#[test]
fn a_capture_that_failed_does_not_say_that_all_is_well() {
    let whole = pcap(101, &[query(), query()]);
    let output = through_a_pipe(&whole[..whole.len() - 3]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("No incident."), "{text}");
    assert!(text.contains("nothing is known of the rest"), "{text}");
    // Nothing can be said of queries alone, nor of a capture without DNS.
    let text = through_a_pipe(&whole).stdout;
    let text = String::from_utf8_lossy(&text);
    assert!(
        text.contains("only queries are seen; if it was captured on a client, --host"),
        "{text}"
    );
    let text = through_a_pipe(&pcap(101, &[])).stdout;
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("Nothing to detect"), "{text}");
}

#[test]
fn no_reader_fails_on_any_damage() {
    let plain = pcap(127, &[behind(&[0; 40]), query()]);
    let mut files = vec![plain.clone(), pcapng(&[9, 0, 1, 0, 0x94, 0, 0, 0], 1)];
    files.extend(COMPRESSIONS.map(|(_, pack)| pack(&plain)));
    let mut state = 88_172_645_463_325_252_u64;
    for file in files {
        for _ in 0..2_000 {
            let mut bytes = file.clone();
            for _ in 0..3 {
                // Xorshift, so that a failure can be had again.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = state as usize % bytes.len();
                bytes[at] = (state >> 32) as u8;
            }
            let source = Cursor::new(bytes);
            if let Ok(capture) = Capture::new("damaged".into(), source) {
                let _ = capture.for_each(|_| ());
            }
        }
    }
}
