//! Which DNS packets the kernel drops, and why: an object of its own, on the tracepoint `kfree_skb`.
//!
//! It reads the kernel's own structures, at offsets that the loader takes from the kernel's BTF. A packet that
//! is not dropped never comes here. Each drop is counted by its reason; who it was for is read within a budget.

#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use aya_ebpf::Global;
use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_probe_read_kernel};
use aya_ebpf::macros::{map, raw_tracepoint};
use aya_ebpf::maps::{PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::RawTracePointContext;
use sensor_common::drops::{
    BUDGET, Dropped, FROM_SERVER, Layout, MAX_DROPPED, MAX_REASONS, Reason, STAGE_EARLY,
    STAGE_FORWARD, STAGE_INPUT, STAGE_OUTPUT, TICK_BITS, TO_SERVER, WINDOW,
};
use sensor_common::server::{FAMILY_V4, FAMILY_V6};
use sensor_common::settings::MAX_PORTS;

/// By the kernel's number of the reason.
#[map]
static REASONS: PerCpuArray<Reason> = PerCpuArray::with_max_entries(MAX_REASONS as u32, 0);

/// One of the two is in use, the other is being read.
#[map]
static DROPPED_0: PerCpuHashMap<Dropped, u64> =
    PerCpuHashMap::with_max_entries(MAX_DROPPED as u32, 0);
#[map]
static DROPPED_1: PerCpuHashMap<Dropped, u64> =
    PerCpuHashMap::with_max_entries(MAX_DROPPED as u32, 0);

/// Written by the loader before the object is loaded: the verifier takes each field for a constant.
#[unsafe(no_mangle)]
static LAYOUT: Global<Layout> = Global::new(Layout {
    window: 0,
    window_bytes: 0,
    head: 0,
    network_header: 0,
    interface: 0,
    pointers: 0,
    pointers_bytes: 0,
    device: 0,
    socket: 0,
    route: 0,
    route_device: 0,
    device_flags: 0,
    device_net: 0,
    socket_net: 0,
    net_number: 0,
    has_receiver: 0,
    port_count: 0,
    ports: [0; MAX_PORTS],
});

/// Which of the two maps is in use. Changed by the loader.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.bank")]
static mut BANK: u64 = 0;

/// Reads one field of [`LAYOUT`]. Volatile, or the compiler would insert the default.
macro_rules! layout {
    ($($field:tt)+) => {
        // SAFETY: the place is a field of a static, aligned and initialised; `Global` is transparent.
        unsafe { (&raw const (*(&raw const LAYOUT).cast::<Layout>()).$($field)+).read_volatile() }
    };
}

/// IPv6 header, UDP header and the first bytes of a DNS message.
const HEADERS: usize = 64;
/// Of an IPv4 packet.
const FRAGMENT_OFFSET: u16 = 0x1fff;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// `IFF_LOOPBACK`: routes to an address of the namespace itself lead to its loopback device.
const LOOPBACK: u32 = 8;
/// The lowest bit of `_skb_refdst` is no part of the pointer.
const NO_REFERENCE: u64 = 1;

/// Counts a dropped packet.
#[raw_tracepoint(tracepoint = "kfree_skb")]
fn drops(context: RawTracePointContext) -> i32 {
    let buffer: u64 = context.arg(0);
    let reason: u32 = context.arg(2);
    let place = reason.min(MAX_REASONS as u32 - 1);
    let Some(counts) = REASONS.get_ptr_mut(place) else {
        return 0;
    };
    // SAFETY: a value of this CPU alone. A program that interrupts this one may take one count from it.
    let counts = unsafe { &mut *counts };
    counts.dropped += 1;
    // SAFETY: no arguments.
    let tick = (unsafe { bpf_jiffies64() } >> TICK_BITS) as u32;
    if counts.tick != tick {
        counts.tick = tick;
        counts.used = 0;
    }
    if counts.used >= BUDGET {
        counts.unparsed += 1;
        return 0;
    }
    counts.used += 1;
    let receiver = if layout!(has_receiver) == 0 {
        0
    } else {
        context.arg(3)
    };
    if let Some(dropped) = parse(buffer, place, receiver) {
        counts.dns += 1;
        if !count(&dropped) {
            counts.full += 1;
        }
    }
    0
}

/// Does nothing: what the other is measured against.
#[raw_tracepoint(tracepoint = "kfree_skb")]
fn empty_drops(_: RawTracePointContext) -> i32 {
    0
}

/// Whether there was room.
#[inline(always)]
fn count(dropped: &Dropped) -> bool {
    // SAFETY: an aligned word that the loader changes.
    let bank = unsafe { (&raw const BANK).read_volatile() };
    if bank == 0 {
        add(&DROPPED_0, dropped)
    } else {
        add(&DROPPED_1, dropped)
    }
}

#[inline(always)]
fn add(map: &PerCpuHashMap<Dropped, u64>, dropped: &Dropped) -> bool {
    const NO_EXIST: u64 = 1;
    if increment(map, dropped) {
        return true;
    }
    // Another CPU may have been faster.
    map.insert(dropped, &1, NO_EXIST).is_ok() || increment(map, dropped)
}

#[inline(always)]
fn increment(map: &PerCpuHashMap<Dropped, u64>, dropped: &Dropped) -> bool {
    let Some(packets) = map.get_ptr_mut(dropped) else {
        return false;
    };
    // SAFETY: a value of this CPU alone.
    unsafe { *packets += 1 };
    true
}

/// Copies from the kernel's memory; none where that cannot be read.
#[inline(always)]
fn read<T: Copy>(from: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes as many bytes as the value has, or zeros, and may be given any address.
    let result = unsafe {
        bpf_probe_read_kernel(
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            from as *const _,
        )
    };
    // SAFETY: written, and of integers alone.
    (result == 0).then(|| unsafe { value.assume_init() })
}

/// A part of the socket buffer; behind what the loader asks for it holds anything.
type Window = MaybeUninit<[u64; WINDOW / 8]>;

/// Copies as many bytes as the loader asks for, in place: copies of copies would not fit the stack.
#[inline(always)]
fn piece(window: &mut Window, buffer: u64, from: u32, bytes: u32) -> Option<()> {
    if bytes as usize > WINDOW {
        return None;
    }
    // SAFETY: inside the array, by the comparison.
    let result = unsafe {
        bpf_probe_read_kernel(
            window.as_mut_ptr().cast(),
            bytes,
            (buffer + u64::from(from)) as *const _,
        )
    };
    (result == 0).then_some(())
}

/// As [`read`], with what cannot be read as 0.
#[inline(always)]
fn at(base: u64, offset: u32) -> u64 {
    if base == 0 {
        return 0;
    }
    read(base + u64::from(offset)).unwrap_or(0)
}

/// What a DNS packet is counted by; none of another packet.
#[inline(always)]
fn parse(buffer: u64, reason: u32, receiver: u64) -> Option<Dropped> {
    let mut window = Window::uninit();
    piece(&mut window, buffer, layout!(window), layout!(window_bytes))?;
    let head: u64 = word(&window, layout!(head))?;
    let network: u16 = word(&window, layout!(network_header))?;
    let interface: u32 = word(&window, layout!(interface))?;
    let start = head + u64::from(network);
    let headers: [u64; HEADERS / 8] = read(start)?;
    // SAFETY: an array of bytes of the same size.
    let headers: [u8; HEADERS] = unsafe { core::mem::transmute(headers) };
    let mut dropped = Dropped {
        reason,
        ..Dropped::default()
    };
    let (destination, length) = if headers[0] >> 4 == 4 {
        let fragment = u16::from_be_bytes([headers[6], headers[7]]);
        if fragment & FRAGMENT_OFFSET != 0 {
            return None;
        }
        dropped.family = FAMILY_V4;
        dropped.protocol = headers[9];
        (16, u64::from(headers[0] & 15) * 4)
    } else if headers[0] >> 4 == 6 {
        dropped.family = FAMILY_V6;
        dropped.protocol = headers[6];
        (24, 40)
    } else {
        return None;
    };
    if dropped.protocol != UDP && dropped.protocol != TCP {
        return None;
    }
    // Ports, and up to the flags of a DNS message.
    let transport: [u8; 12] = match length {
        20 => copy(&headers, 20),
        40 if dropped.family == FAMILY_V6 => copy(&headers, 40),
        _ => read(start + length)?,
    };
    let from = is_dns(u16::from_ne_bytes([transport[0], transport[1]]));
    let to = is_dns(u16::from_ne_bytes([transport[2], transport[3]]));
    let is_response = dropped.protocol == UDP && transport[10] & 0x80 != 0;
    dropped.direction = match (from, to) {
        (false, false) => return None,
        (true, true) if is_response => FROM_SERVER,
        (true, false) => FROM_SERVER,
        _ => TO_SERVER,
    };
    dropped.server = match (destination, dropped.direction) {
        (16, TO_SERVER) => v4(&headers, 16),
        (16, _) => v4(&headers, 12),
        (_, TO_SERVER) => copy(&headers, 24),
        (_, _) => copy(&headers, 8),
    };
    piece(
        &mut window,
        buffer,
        layout!(pointers),
        layout!(pointers_bytes),
    )?;
    dropped.namespace = namespace(&window, receiver);
    dropped.interface = interface;
    dropped.stage = stage(&window, interface);
    Some(dropped)
}

#[inline(always)]
fn copy<const N: usize>(headers: &[u8; HEADERS], from: usize) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = headers[from + at];
        at += 1;
    }
    bytes
}

#[inline(always)]
fn v4(headers: &[u8; HEADERS], from: usize) -> [u8; 16] {
    let [a, b, c, d] = copy(headers, from);
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// A value of the window; the offset is a constant of the loader.
#[inline(always)]
fn word<T: Copy>(window: &Window, offset: u32) -> Option<T> {
    let offset = offset as usize;
    if offset > WINDOW - size_of::<T>() {
        return None;
    }
    // SAFETY: inside the array, by the comparison; the loader gives offsets within what was read.
    Some(unsafe {
        window
            .as_ptr()
            .byte_add(offset)
            .cast::<T>()
            .read_unaligned()
    })
}

#[inline(always)]
fn is_dns(port: u16) -> bool {
    if port == layout!(ports[0]) {
        return true;
    }
    let count = layout!(port_count) as usize;
    let mut at = 1;
    while at < MAX_PORTS {
        if at < count && port == layout!(ports[at]) {
            return true;
        }
        at += 1;
    }
    false
}

/// Of the receiving socket, the device, or the socket that sent it: what a device's field holds once a socket has
/// taken the packet is no pointer, and cannot be read.
#[inline(always)]
fn namespace(pointers: &Window, receiver: u64) -> u32 {
    let mut net = at(receiver, layout!(socket_net));
    if net == 0 {
        let device = word(pointers, layout!(device)).unwrap_or(0);
        net = at(device, layout!(device_net));
    }
    if net == 0 {
        let socket = word(pointers, layout!(socket)).unwrap_or(0);
        net = at(socket, layout!(socket_net));
    }
    if net == 0 {
        return 0;
    }
    read(net + u64::from(layout!(net_number))).unwrap_or(0)
}

#[inline(always)]
fn stage(pointers: &Window, interface: u32) -> u8 {
    if interface == 0 {
        return STAGE_OUTPUT;
    }
    let route = word(pointers, layout!(route)).unwrap_or(0) & !NO_REFERENCE;
    let device = at(route, layout!(route_device));
    if device == 0 {
        return STAGE_EARLY;
    }
    let flags: u32 = read(device + u64::from(layout!(device_flags))).unwrap_or(0);
    if flags & LOOPBACK == 0 {
        STAGE_FORWARD
    } else {
        STAGE_INPUT
    }
}

/// Reachable only through a bug, and then refused by the verifier: it loops forever.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
