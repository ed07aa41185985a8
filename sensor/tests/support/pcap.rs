//! Capture files with Ethernet frames, made for a test.

use std::path::PathBuf;

/// Time since 1970 at which these captures begin, in microseconds.
pub const BEGIN_US: u64 = 1_780_000_000_000_000;

/// Frames and their times, in microseconds since the beginning.
pub type Frames = Vec<(u64, Vec<u8>)>;

/// The header of a file.
pub fn header() -> Vec<u8> {
    let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A record of a file.
pub fn record(us: u64, frame: &[u8]) -> Vec<u8> {
    let us = BEGIN_US + us;
    let length = frame.len() as u32;
    let words = [
        (us / 1_000_000) as u32,
        (us % 1_000_000) as u32,
        length,
        length,
    ];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(frame);
    bytes
}

/// A whole file.
pub fn file(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let records = frames.iter().flat_map(|(us, frame)| record(*us, frame));
    header().into_iter().chain(records).collect()
}

/// A path of this process alone.
pub fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sensor-{}-{name}", std::process::id()))
}

/// Writes a file.
pub fn write(name: &str, frames: &[(u64, Vec<u8>)]) -> PathBuf {
    let path = path(name);
    std::fs::write(&path, file(frames)).expect("a temporary file");
    path
}

/// A block of pcapng: type, body padded to words, and the length around it.
pub fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = (12 + padded as u32).to_le_bytes();
    let mut block = kind.to_le_bytes().to_vec();
    block.extend(length);
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(length);
    block
}
