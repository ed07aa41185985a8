//! What inputs are made of: files and frames as they should be.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use bytemuck::{Zeroable, bytes_of};
use sensor_common::sample::{SAMPLE_BYTES, Sample};

use crate::support::frames::corpus;
use crate::support::pcap;
use crate::target::Target;

/// Link types of which a capture is made, with those that have a reader of their own (tcpdump.org/linktypes.html).
const LINKS: [u32; 19] = [
    0, 1, 9, 50, 101, 104, 105, 107, 108, 109, 113, 127, 228, 229, 239, 242, 258, 276, 280,
];
/// Frames of one capture.
const FRAMES: usize = 12;

/// Those of a target.
///
/// # Errors
/// A file cannot be read, or made.
pub fn of(target: Target) -> Result<Vec<Vec<u8>>> {
    let frames = corpus().into_iter().map(|named| named.frame);
    match target {
        Target::Captures => captures(&frames.collect::<Vec<_>>()),
        Target::Packets => Ok(frames
            .flat_map(|frame| {
                let behind = frame.get(14..).unwrap_or_default();
                [[&[1], &frame[..]].concat(), [&[0], behind].concat()]
            })
            .collect()),
        Target::Dossiers => Ok(frames.map(|frame| sample(&frame)).collect()),
        Target::Casebook => {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("casebook");
            let mut texts = Vec::new();
            texts_below(&folder, &mut texts)?;
            Ok(texts)
        }
    }
}

fn captures(frames: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for (part, link) in frames.chunks(FRAMES).zip(LINKS.iter().cycle()) {
        let timed: Vec<_> = (0_u64..).map(|n| n * 1_000).zip(part.to_vec()).collect();
        let mut file = pcap::file(&timed);
        file[20..24].copy_from_slice(&link.to_le_bytes());
        all.push(file);
        all.push(pcapng(*link as u16, part));
    }
    for link in LINKS {
        let some: Vec<_> = frames.iter().take(4).cloned().collect();
        all.push(pcapng(link as u16, &some));
    }
    let plain = all[0].clone();
    all.push(packed(
        flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()),
        &plain,
        flate2::write::GzEncoder::finish,
    )?);
    all.push(packed(
        bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast()),
        &plain,
        bzip2::write::BzEncoder::finish,
    )?);
    let lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    all.push(packed(lz4, &plain, |e| {
        e.finish().map_err(std::io::Error::other)
    })?);
    let options = lzma_rust2::XzOptions::default();
    all.push(packed(
        lzma_rust2::XzWriter::new(Vec::new(), options)?,
        &plain,
        lzma_rust2::XzWriter::finish,
    )?);
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    all.push(ruzstd::encoding::compress_to_vec(&plain[..], level));
    Ok(all)
}

fn packed<W: Write>(
    mut packer: W,
    plain: &[u8],
    finish: impl FnOnce(W) -> std::io::Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    packer.write_all(plain)?;
    finish(packer).context("a capture cannot be packed")
}

/// A file with an interface of this link type, and these frames in blocks of all kinds.
fn pcapng(link: u16, frames: &[Vec<u8>]) -> Vec<u8> {
    let words =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let mut file = pcap::block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    // With a resolution of nanoseconds, and the end of options.
    let interface = words(&[u32::from(link), 65_535, 0x0001_0009, 9, 0]);
    file.extend(pcap::block(1, &interface));
    for (n, frame) in (0_u32..).zip(frames) {
        let length = frame.len() as u32;
        let (kind, fields) = match n % 3 {
            0 => (2, vec![0, 5, n * 1_000, length, length]),
            1 => (3, vec![length]),
            _ => (6, vec![0, 5, n * 1_000, length, length]),
        };
        let mut body = words(&fields);
        body.extend(frame);
        file.extend(pcap::block(kind, &body));
    }
    file
}

/// A sample of a frame, as it lies in memory.
fn sample(frame: &[u8]) -> Vec<u8> {
    let mut sample = Sample::zeroed();
    let kept = frame.len().min(SAMPLE_BYTES);
    sample.bytes[..kept].copy_from_slice(&frame[..kept]);
    sample.time = 1_000_000_000;
    sample.length = frame.len() as u32;
    sample.captured = kept as u32;
    sample.dns_offset = 42;
    bytes_of(&sample).to_vec()
}

fn texts_below(folder: &Path, texts: &mut Vec<Vec<u8>>) -> Result<()> {
    let entries = folder.read_dir();
    let mut paths = Vec::new();
    for entry in entries.with_context(|| format!("{}", folder.display()))? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            texts_below(&path, texts)?;
        } else if path.extension().is_some_and(|end| end == "toml") {
            texts.push(std::fs::read(&path)?);
        }
    }
    Ok(())
}
