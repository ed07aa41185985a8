//! Log-linear latency histograms.
//!
//! Latency is counted in units of 1,024 ns: the kernel's clock without its lowest ten bits. A bucket
//! is an eighth of an octave wide or less, from one unit to 17 seconds.

/// Bits of the clock, in nanoseconds, that are dropped.
pub const UNIT_BITS: u32 = 10;
/// Buckets of a fine histogram.
pub const BUCKETS: usize = 176;
/// Buckets of a fine histogram in one of a coarse one, which are two octaves wide.
pub const FINE_PER_COARSE: usize = 16;
/// Buckets of a coarse histogram, and one that stays 0.
pub const COARSE_BUCKETS: usize = 12;

const LINEAR_BITS: u32 = 3;
const LINEAR: u32 = 1 << LINEAR_BITS;

/// The bucket of a latency in units; what is longer than the last bucket is in the last.
#[inline(always)]
#[must_use]
pub const fn bucket(units: u32) -> usize {
    if units < LINEAR {
        return units as usize;
    }
    // BPF has no instruction that counts leading zeros.
    let mut rest = units;
    let mut octave = 0;
    if rest >> 16 != 0 {
        rest >>= 16;
        octave += 16;
    }
    if rest >> 8 != 0 {
        rest >>= 8;
        octave += 8;
    }
    if rest >> 4 != 0 {
        rest >>= 4;
        octave += 4;
    }
    if rest >> 2 != 0 {
        rest >>= 2;
        octave += 2;
    }
    if rest >> 1 != 0 {
        octave += 1;
    }
    let shift = octave - LINEAR_BITS;
    let bucket = ((shift + 1) * LINEAR + (units >> shift & (LINEAR - 1))) as usize;
    if bucket < BUCKETS {
        bucket
    } else {
        BUCKETS - 1
    }
}

/// The least latency of a bucket, in nanoseconds.
#[must_use]
pub const fn floor_ns(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let linear = LINEAR as u64;
    let units = if bucket < linear {
        bucket
    } else {
        (linear + bucket % linear) << (bucket / linear - 1)
    };
    units << UNIT_BITS
}

const _: () = assert!(BUCKETS / FINE_PER_COARSE < COARSE_BUCKETS);
// One microsecond to ten seconds.
const _: () = assert!(floor_ns(1) <= 1_024 && floor_ns(BUCKETS - 1) > 10_000_000_000);
