//! The generator of the flood benchmark.
//!
//! It is given a template (Ethernet, IPv4 without options, UDP without checksum, DNS) and changes
//! the source address, the source port, the id and the first bytes of the name in place. The IPv4
//! checksum is made anew; a UDP checksum of 0 means none (RFC 768). Frames of other shapes pass as
//! they are.

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;

/// Ethernet, IPv4, UDP and DNS headers, a length and eight bytes of name.
const TEMPLATE: usize = 14 + 20 + 8 + 12 + 9;

/// Number of the next frame.
#[map]
pub static FLOOD: Array<u64> = Array::with_max_entries(1, 0);

/// What varies from frame to frame; written by the benchmark. Bit 0: the source, bit 1: the name,
/// bit 2: the destination's port instead of the source's.
#[unsafe(no_mangle)]
pub static FLOOD_VARIES: aya_ebpf::Global<u32> = aya_ebpf::Global::new(0);

const VARY_SOURCE: u32 = 1;
const VARY_NAME: u32 = 2;
const VARY_DESTINATION_PORT: u32 = 4;

/// Turns the frame into the next one of the flood.
#[inline(always)]
pub fn next(context: *mut xdp_md) {
    let Some(counter) = FLOOD.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: a map value; one thread runs the generator.
    let number = unsafe {
        *counter += 1;
        *counter
    };
    // SAFETY: a valid context.
    let (data, end) = unsafe { ((*context).data as usize, (*context).data_end as usize) };
    if data + TEMPLATE > end {
        return;
    }
    // SAFETY: the verifier has seen the comparison above.
    let frame = unsafe { &mut *(data as *mut [u8; TEMPLATE]) };
    if frame[12..14] != [8, 0] || frame[14] != 0x45 || frame[23] != 17 {
        return;
    }
    // An odd multiplier visits every value once.
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    if FLOOD_VARIES.load() & VARY_SOURCE != 0 {
        frame[27..30].copy_from_slice(&random[..3]);
    }
    if FLOOD_VARIES.load() & VARY_DESTINATION_PORT != 0 {
        frame[37] = random[3];
    } else {
        frame[35] = random[3];
    }
    frame[42..44].copy_from_slice(&random[4..6]);
    if FLOOD_VARIES.load() & VARY_NAME != 0 {
        let mut at = 0;
        while at < 8 {
            frame[55 + at] = b'a' + (random[at] & 15);
            at += 1;
        }
    }
    frame[24] = 0;
    frame[25] = 0;
    let mut sum = 0;
    let mut at = 14;
    while at < 34 {
        sum += u32::from(frame[at]) << 8 | u32::from(frame[at + 1]);
        at += 2;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    frame[24..26].copy_from_slice(&(!sum as u16).to_be_bytes());
}
