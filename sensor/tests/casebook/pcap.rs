//! Writes a situation as a capture, for `sensor replay` and tshark.

use std::io::{self, Write};
use std::time::Duration;

use crate::frames::Frame;

/// 2025-10-09, 08:53:20 UTC: situations begin then.
pub const BEGIN: Duration = Duration::from_secs(1_760_000_000);

/// The file format with nanoseconds, link type Ethernet.
///
/// # Errors
/// It cannot be written.
pub fn write(out: &mut impl Write, frames: &[Frame]) -> io::Result<()> {
    for word in [0xa1b2_3c4d_u32, 4 << 16 | 2, 0, 0, 262_144, 1] {
        out.write_all(&word.to_le_bytes())?;
    }
    for frame in frames {
        let at = BEGIN + frame.at;
        let length = frame.bytes.len() as u32;
        for word in [at.as_secs() as u32, at.subsec_nanos(), length, length] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&frame.bytes)?;
    }
    Ok(())
}
