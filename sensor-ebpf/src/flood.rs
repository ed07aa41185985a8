//! The generator of the flood benchmark, an object of its own: the only program that does not pass its packet on. The
//! loader does not have it; benchmarks run it with `BPF_PROG_TEST_RUN` alone, and nothing attaches it.
//!
//! It is given a template (Ethernet, IPv4 without options, UDP without checksum, DNS) and changes
//! addresses, a port, the id and the first bytes of the name in place. The IPv4 checksum is made anew;
//! a UDP checksum of 0 means none (RFC 768). Frames of other shapes pass as they are.
//!
//! The frame is then sent; or, where the benchmark has put a program into [`NEXT`], given to that, to
//! measure it with many different packets in turn.

#![no_std]
#![no_main]

use aya_ebpf::bindings::xdp_action::XDP_TX;
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, ProgramArray};
use aya_ebpf::programs::XdpContext;

/// Ethernet, IPv4, UDP and DNS headers, a length and eight bytes of name.
const TEMPLATE: usize = 14 + 20 + 8 + 12 + 9;

/// Number of the next frame.
#[map]
static FLOOD: Array<u64> = Array::with_max_entries(1, 0);

/// What takes the frame instead of the wire.
#[map]
static NEXT: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// How many different source addresses, up to 2^24; 0 leaves that of the template. Written by the
/// benchmark, as the others.
#[unsafe(no_mangle)]
static FLOOD_SOURCES: aya_ebpf::Global<u32> = aya_ebpf::Global::new(0);
/// How many different destination addresses.
#[unsafe(no_mangle)]
static FLOOD_DESTINATIONS: aya_ebpf::Global<u32> = aya_ebpf::Global::new(0);
/// Bit 0: the name; bit 1: the destination's port instead of the source's; bit 2: neither port nor id.
#[unsafe(no_mangle)]
static FLOOD_VARIES: aya_ebpf::Global<u32> = aya_ebpf::Global::new(0);

const VARY_NAME: u32 = 1;
const VARY_DESTINATION_PORT: u32 = 2;
const KEEP_TRANSACTION: u32 = 4;

/// One of `many` addresses, as its last three bytes.
#[inline(always)]
fn pick(random: u64, many: u32) -> [u8; 3] {
    let [_, a, b, c] = (((random >> 32) * u64::from(many)) >> 32).to_be_bytes()[4..] else {
        return [0; 3];
    };
    [a, b, c]
}

/// Turns the frame into the next one of the flood, and hands it to [`NEXT`] if there is one: then this does not return.
/// Else it is sent.
#[xdp(frags)]
fn flood(context: XdpContext) -> u32 {
    vary(context.ctx);
    // SAFETY: a valid context; if there is no program, the call does nothing.
    unsafe { NEXT.tail_call(&context, 0) };
    XDP_TX
}

#[inline(always)]
fn vary(context: *mut xdp_md) {
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
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let random = mixed.to_be_bytes();
    if FLOOD_SOURCES.load() != 0 {
        frame[27..30].copy_from_slice(&pick(mixed, FLOOD_SOURCES.load()));
    }
    if FLOOD_DESTINATIONS.load() != 0 {
        let other = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        frame[31..34].copy_from_slice(&pick(other, FLOOD_DESTINATIONS.load()));
    }
    if FLOOD_VARIES.load() & KEEP_TRANSACTION == 0 {
        if FLOOD_VARIES.load() & VARY_DESTINATION_PORT != 0 {
            frame[37] = random[3];
        } else {
            frame[35] = random[3];
        }
        frame[42..44].copy_from_slice(&random[4..6]);
    }
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

/// Reachable only through a bug, and then refused by the verifier: it loops forever.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
