//! The first bytes of a packet into the ring buffer.

use sensor_common::sample::{SAMPLE_BYTES, Sample};
use sensor_common::settings::Direction;
use sensor_ebpf::parse::Link;
use sensor_ebpf::store::Shared;

use super::frame::Context;
use super::maps::{SAMPLES, SHARDS};
use super::store::{Maps, Table};

/// Takes a sample if accounting wanted one.
#[inline(always)]
pub fn take<C: Context>(context: *const C, direction: Direction, maps: &Maps) {
    if maps.wants_sample == 0 {
        return;
    }
    let Some(shard) = SHARDS.get_ptr_mut(maps.cpu) else {
        return;
    };
    // SAFETY: a map value of that type; no one else writes the values of this CPU meanwhile.
    let shard = unsafe { &mut *shard };
    let Some(mut entry) = SAMPLES.reserve::<Sample>(0) else {
        shard.samples_lost += 1;
        return;
    };
    let length = C::length(context);
    let captured = if length < SAMPLE_BYTES {
        length
    } else {
        SAMPLE_BYTES
    };
    let sample = entry.as_mut_ptr();
    // SAFETY: the reserved memory has room for a sample.
    unsafe {
        (&raw mut (*sample).time).write(Table.now());
        (&raw mut (*sample).ifindex).write(C::ifindex(context));
        (&raw mut (*sample).direction).write(direction as u32);
        (&raw mut (*sample).length).write(length as u32);
        (&raw mut (*sample).dns_offset).write(maps.dns_offset);
        (&raw mut (*sample).layer3).write(u32::from(maps.link() == Link::Layer3));
    }
    let captured = (core::hint::black_box(captured as u32).wrapping_sub(1) & 127) + 1;
    // SAFETY: as above; `captured` is at most the room there is.
    let failed = unsafe {
        (&raw mut (*sample).captured).write(captured);
        C::load(context, (&raw mut (*sample).bytes).cast(), captured) != 0
    };
    if failed {
        shard.samples_lost += 1;
        entry.discard(0);
    } else {
        shard.sampled += 1;
        entry.submit(0);
    }
}
