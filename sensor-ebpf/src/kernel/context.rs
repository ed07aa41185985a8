//! What the kernel gives a program for a packet.

use core::ffi::c_void;

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use sensor_common::settings::Direction;
use sensor_ebpf::sampling::Wanted;

/// What a program is given for a packet.
pub trait Context: Copy {
    /// First byte that can be read directly.
    fn data(this: *const Self) -> *const u8;
    /// End of what can be read directly.
    fn data_end(this: *const Self) -> *const u8;
    /// Interface that the program runs on.
    fn ifindex(this: *const Self) -> u32;
    /// Interface that the packet came in through; 0 if it was made here.
    fn received_on(this: *const Self) -> u32;
    /// Whether the packet had a VLAN tag that is not among its bytes.
    fn tagged(this: *const Self) -> bool;
    /// Length of the whole packet.
    fn length(this: *const Self) -> usize;
    /// Copies the first `length` bytes; 0 on success.
    fn load(this: *const Self, to: *mut u8, length: u32) -> i64;
}

/// What a sample can be taken of.
pub trait Sampled: Context {
    /// Takes a sample of the packet. `dns_offset` is as in [`sensor_common::sample::Sample`].
    fn sample(this: *const Self, direction: Direction, dns_offset: u32, wanted: Wanted);
}

/// Reads a field of a context. Volatile, so that the load stays as written.
macro_rules! field {
    ($context:expr, $field:ident) => {
        // SAFETY: the kernel passes a valid context, and the field is aligned.
        unsafe { (&raw const (*$context).$field).read_volatile() }
    };
}

impl Context for xdp_md {
    #[inline(always)]
    fn data(this: *const Self) -> *const u8 {
        field!(this, data) as usize as *const u8
    }

    #[inline(always)]
    fn data_end(this: *const Self) -> *const u8 {
        field!(this, data_end) as usize as *const u8
    }

    #[inline(always)]
    fn ifindex(this: *const Self) -> u32 {
        field!(this, ingress_ifindex)
    }

    #[inline(always)]
    fn received_on(_: *const Self) -> u32 {
        0
    }

    #[inline(always)]
    fn tagged(_: *const Self) -> bool {
        false
    }

    #[inline(always)]
    fn length(this: *const Self) -> usize {
        // SAFETY: a valid context.
        unsafe { bpf_xdp_get_buff_len(this.cast_mut()) as usize }
    }

    #[inline(always)]
    fn load(this: *const Self, to: *mut u8, length: u32) -> i64 {
        // SAFETY: a valid context, and `to` has room for `length` bytes.
        unsafe { bpf_xdp_load_bytes(this.cast_mut(), 0, to.cast::<c_void>(), length) }
    }
}

impl Context for __sk_buff {
    #[inline(always)]
    fn data(this: *const Self) -> *const u8 {
        field!(this, data) as usize as *const u8
    }

    #[inline(always)]
    fn data_end(this: *const Self) -> *const u8 {
        field!(this, data_end) as usize as *const u8
    }

    #[inline(always)]
    fn ifindex(this: *const Self) -> u32 {
        field!(this, ifindex)
    }

    #[inline(always)]
    fn received_on(this: *const Self) -> u32 {
        field!(this, ingress_ifindex)
    }

    #[inline(always)]
    fn tagged(this: *const Self) -> bool {
        field!(this, vlan_present) != 0
    }

    #[inline(always)]
    fn length(this: *const Self) -> usize {
        field!(this, len) as usize
    }

    #[inline(always)]
    fn load(this: *const Self, to: *mut u8, length: u32) -> i64 {
        // SAFETY: a valid context, and `to` has room for `length` bytes.
        unsafe { bpf_skb_load_bytes(this.cast::<c_void>(), 0, to.cast::<c_void>(), length) }
    }
}
