//! The first bytes of a packet into the ring buffer: a function, because few packets need it.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::helpers::generated::bpf_skb_cgroup_id;
use sensor_common::sample::{SAMPLE_BYTES, Sample};
use sensor_common::settings::Direction;
use sensor_ebpf::parse::Link;
use sensor_ebpf::sampling::Wanted;
use sensor_ebpf::store::Shared;

use super::context::{Context, Sampled};
use super::maps::{SAMPLES, SHARDS, control, setting};
use super::store::{Table, link};

impl Sampled for xdp_md {
    #[inline(always)]
    fn sample(this: *const Self, _: Direction, dns_offset: u32, wanted: Wanted) {
        sample_xdp(this.cast_mut(), dns_offset, wanted.0);
    }
}

impl Sampled for __sk_buff {
    #[inline(always)]
    fn sample(this: *const Self, direction: Direction, dns_offset: u32, wanted: Wanted) {
        sample_tc(this.cast_mut(), direction as u32, dns_offset, wanted.0);
    }
}

/// Takes a sample of a packet at XDP.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sample_xdp(context: *mut xdp_md, dns_offset: u32, wanted: u64) -> u32 {
    take(
        context,
        Direction::Ingress as u32,
        dns_offset,
        Wanted(wanted),
        0,
    )
}

/// Takes a sample of a packet at TC.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sample_tc(
    context: *mut __sk_buff,
    direction: u32,
    dns_offset: u32,
    wanted: u64,
) -> u32 {
    let leaves = direction == Direction::Egress as u32;
    let cgroup = if leaves && setting!(cgroups) != 0 {
        // SAFETY: the kernel's own context; a packet without a socket gives 0.
        unsafe { bpf_skb_cgroup_id(context) }
    } else {
        0
    };
    take(context, direction, dns_offset, Wanted(wanted), cgroup)
}

#[inline(always)]
fn take<C: Context>(
    context: *const C,
    direction: u32,
    dns_offset: u32,
    wanted: Wanted,
    cgroup: u64,
) -> u32 {
    // SAFETY: the helper has no preconditions.
    let cpu = unsafe { bpf_get_smp_processor_id() } as u32;
    let Some(shard) = SHARDS.get_ptr_mut(cpu) else {
        return 0;
    };
    // SAFETY: a map value of that type; no one else writes the values of this CPU meanwhile.
    let shard = unsafe { &mut *shard };
    let Some(mut entry) = SAMPLES.reserve::<Sample>(0) else {
        shard.sampling.lost += 1;
        return 0;
    };
    let length = C::length(context);
    let captured = if length < SAMPLE_BYTES {
        length
    } else {
        SAMPLE_BYTES
    };
    let (sample, shift) = (entry.as_mut_ptr(), control!(sample_shift));
    // SAFETY: the reserved memory has room for a sample.
    unsafe {
        (&raw mut (*sample).time).write(Table.now());
        (&raw mut (*sample).transaction).write(wanted.hash());
        (&raw mut (*sample).cgroup).write(cgroup);
        (&raw mut (*sample).kind).write(wanted.kind());
        (&raw mut (*sample).shift).write(shift);
        (&raw mut (*sample).ifindex).write(C::ifindex(context));
        (&raw mut (*sample).direction).write(direction);
        (&raw mut (*sample).length).write(length as u32);
        (&raw mut (*sample).dns_offset).write(dns_offset);
        (&raw mut (*sample).layer3).write(u32::from(link(context) == Link::Layer3));
    }
    let captured = (core::hint::black_box(captured as u32).wrapping_sub(1) & 127) + 1;
    // SAFETY: as above; `captured` is at most the room there is.
    let failed = unsafe {
        (&raw mut (*sample).captured).write(captured);
        C::load(context, (&raw mut (*sample).bytes).cast(), captured) != 0
    };
    if failed {
        shard.sampling.lost += 1;
        entry.discard(0);
    } else {
        shard.sampling.taken += 1;
        entry.submit(0);
    }
    0
}
