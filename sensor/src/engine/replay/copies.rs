//! Packets that a capture holds more than once: captured on `any`, or at a mirror port that shows both directions.
//!
//! A copy is the same from the network layer on, but for what a router changes, and is captured within milliseconds. A
//! query that is sent again comes after a time-out. Copies are left out only where many packets have some: one that the
//! network itself has doubled is counted twice.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use bytemuck::{Zeroable, zeroed_slice_box};
use foldhash::fast::FixedState;

use super::clock::nanoseconds;

/// A copy is captured within so long: switches and bridges take less. No resolver sends a query again as soon.
const WITHIN_NS: u64 = 10_000_000;
/// A packet that comes more often is in a loop, or of a flood of equal packets: those are all counted.
const MOST: u32 = 4;
/// Fewer copies are no habit of the capture.
const LEAST: u32 = 4;
/// Nor are fewer than one in so many frames: half of all frames are copies where each packet is there twice.
const ONE_IN: u32 = 3;
/// Frames after which they count half.
const MEMORY: u32 = 1_024;
/// Packets that are remembered: more than come within the time of a copy, and as much as stays in a cache.
const REMEMBERED: usize = 1 << 14;
/// Shorter parts of packets need not differ where the packets do: an IP header and ports.
const SHORTEST_PART: usize = 40;

/// What was captured, and whether it may be a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suspect(u64);

/// A packet that was seen: it is small, because each packet looks at another one.
#[derive(Clone, Copy, Zeroable)]
struct Seen {
    /// Nanoseconds since 1970.
    last: u64,
    /// The upper half of what stands for the packet. The lower half says where this lies.
    packet: u32,
    times: u32,
}

impl Seen {
    fn is(&self, packet: u64) -> bool {
        self.packet == (packet >> 32) as u32
    }
}

/// See the module.
pub(super) struct Copies {
    seen: Box<[Seen]>,
    hash: FixedState,
    /// Of late.
    frames: u32,
    found: u32,
}

impl Copies {
    pub(super) fn new() -> Self {
        Self {
            seen: zeroed_slice_box(REMEMBERED),
            hash: FixedState::default(),
            frames: 0,
            found: 0,
        }
    }

    /// Takes a frame with an Ethernet header. Gives something where the same packet was just there.
    pub(super) fn note(
        &mut self,
        time: Option<Duration>,
        frame: &[u8],
        is_cut: bool,
    ) -> Option<Suspect> {
        self.frames += 1;
        if self.frames > MEMORY {
            self.frames /= 2;
            self.found /= 2;
        }
        let time = nanoseconds(time?);
        let packet = self.packet(frame, is_cut)?;
        let seen = &mut self.seen[packet as usize % REMEMBERED];
        let is_again = seen.is(packet) && time.abs_diff(seen.last) <= WITHIN_NS;
        let times = if is_again { seen.times + 1 } else { 1 };
        *seen = Seen {
            packet: (packet >> 32) as u32,
            last: time,
            times,
        };
        match times {
            2..=MOST => {
                self.found += 1;
                Some(Suspect(packet))
            }
            // Those before it were none.
            times if times == MOST + 1 => {
                self.found = self.found.saturating_sub(MOST - 1);
                None
            }
            _ => None,
        }
    }

    /// Whether that is a copy, and copies are left out of this capture.
    pub(super) fn is_left_out(&self, suspect: Suspect) -> bool {
        let many = self.found >= LEAST && self.found * ONE_IN >= self.frames;
        let seen = &self.seen[suspect.0 as usize % REMEMBERED];
        many && (!seen.is(suspect.0) || seen.times <= MOST)
    }

    /// What stands for a packet: its bytes without the Ethernet header and tags, padding, and what routers change.
    fn packet(&self, frame: &[u8], is_cut: bool) -> Option<u64> {
        let mut at = 12;
        let mut kind = frame.get(at..at + 2)?;
        while matches!(kind, [0x81 | 0x91, 0] | [0x88, 0xa8]) {
            at += 4;
            kind = frame.get(at..at + 2)?;
        }
        let packet = &frame[at + 2..];
        if is_cut && packet.len() < SHORTEST_PART {
            return None;
        }
        let mut hasher = self.hash.build_hasher();
        // Numbers, which are quicker to hash than so few bytes.
        let mut begin = |protocol: u8, first: [u8; 8]| {
            hasher.write_u64(u64::from_le_bytes(first));
            hasher.write_u32(u32::from_le_bytes([kind[0], kind[1], protocol, 0]));
        };
        let rest = match (kind, packet.first_chunk::<8>()) {
            ([0x08, 0], Some(first)) if packet.len() >= 20 => {
                let length = usize::from(u16::from_be_bytes([first[2], first[3]]));
                // Without the TTL and the checksum of the header.
                begin(packet[9], *first);
                &packet[12..length.clamp(12, packet.len())]
            }
            ([0x86, 0xdd], Some(first)) if packet.len() >= 40 => {
                let length = 40 + usize::from(u16::from_be_bytes([first[4], first[5]]));
                // Without the hop limit.
                let mut first = *first;
                first[7] = 0;
                begin(0, first);
                &packet[8..length.clamp(8, packet.len())]
            }
            _ => {
                begin(0, [0; 8]);
                packet
            }
        };
        hasher.write(rest);
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 packet by its number, with a TTL, behind a VLAN tag or none, and padding.
    fn frame(number: u32, ttl: u8, vlan: bool, padding: usize) -> Vec<u8> {
        let mut frame = vec![2; 12];
        if vlan {
            frame.extend([0x81, 0, 0, 7]);
        }
        frame.extend([8, 0, 0x45, 0, 0, 32, 0, 0, 0, 0, ttl, 17, ttl, ttl]);
        frame.extend([192, 0, 2, 1, 192, 0, 2, 53]);
        frame.extend([0x9c, 0x40, 0, 53, 0, 12, 0, 0]);
        frame.extend(number.to_be_bytes());
        frame.extend(vec![0; padding]);
        frame
    }

    fn at(us: u64) -> Duration {
        Duration::from_secs(1_700_000_000) + Duration::from_micros(us)
    }

    /// How many of these would be left out, judged in the end.
    fn left_out(frames: &[(u64, Vec<u8>)]) -> usize {
        let mut copies = Copies::new();
        let note = |(us, frame): &(u64, Vec<u8>)| copies.note(Some(at(*us)), frame, false);
        let suspects: Vec<Suspect> = frames.iter().filter_map(note).collect();
        let left_out = |suspect: &&Suspect| copies.is_left_out(**suspect);
        suspects.iter().filter(left_out).count()
    }

    #[test]
    fn a_packet_that_is_routed_tagged_or_padded_is_the_same() {
        let copies = Copies::new();
        let of = |frame: &[u8]| copies.packet(frame, false).expect("a packet");
        let one = of(&frame(1, 64, false, 0));
        assert_eq!(one, of(&frame(1, 63, true, 14)));
        assert_ne!(one, of(&frame(2, 64, false, 0)));
        let part = &frame(1, 64, false, 0)[..14 + 28];
        assert_eq!(copies.packet(part, true), None);
    }

    #[test]
    fn packets_that_are_all_there_twice_are_copies() {
        let twice: Vec<_> = (0..100)
            .flat_map(|n| {
                [0, 40].map(|later| (u64::from(n) * 5_000 + later, frame(n, 64, false, 0)))
            })
            .collect();
        assert_eq!(left_out(&twice), 100);
        assert_eq!(left_out(&twice[..6]), 0, "three are no habit");
    }

    #[test]
    fn what_is_sent_again_after_a_time_is_no_copy() {
        let again: Vec<_> = (0..100)
            .flat_map(|n| {
                [0, 11_000].map(|later| (u64::from(n) * 50_000 + later, frame(n, 64, false, 0)))
            })
            .collect();
        assert_eq!(left_out(&again), 0);
        // One in ten is doubled by the network.
        let some: Vec<_> = (0..200)
            .flat_map(|n| {
                let copies = if n % 10 == 0 { 2 } else { 1 };
                (0..copies).map(move |copy| (u64::from(n) * 5_000 + copy, frame(n, 64, false, 0)))
            })
            .collect();
        assert_eq!(left_out(&some), 0);
    }

    #[test]
    fn a_flood_of_equal_packets_and_a_loop_are_no_copies() {
        let flood: Vec<_> = (0..500)
            .map(|n| (n * 6_000, frame(7, 64, false, 0)))
            .collect();
        assert_eq!(left_out(&flood), 0);
        let looping: Vec<_> = (0..20_u32)
            .flat_map(|n| {
                (0..30_u8).map(move |hop| {
                    let us = u64::from(n) * 100_000 + u64::from(hop) * 200;
                    (us, frame(n, 64 - hop, false, 0))
                })
            })
            .collect();
        assert_eq!(left_out(&looping), 0);
    }
    /// A packet so many times, 200 us apart.
    fn times(number: u32, begin_us: u64, many: u64) -> impl Iterator<Item = (u64, Vec<u8>)> {
        (0..many).map(move |n| (begin_us + n * 200, frame(number, 64, false, 0)))
    }

    #[test]
    fn what_comes_more_often_is_counted_also_where_others_are_copies() {
        let mut twice: Vec<_> = (0..100)
            .flat_map(|n| times(n, u64::from(n) * 5_000, 2))
            .collect();
        twice.extend(times(1_000, 500_000, 12));
        assert_eq!(left_out(&twice), 100);
    }

    #[test]
    fn what_comes_more_often_is_no_habit_of_the_capture() {
        // Half of these are the second to the fourth of six. One packet in ten is doubled by the network.
        let often: Vec<_> = (0..60)
            .flat_map(|n| {
                let many = if n % 10 == 0 { 2 } else { 6 };
                times(n, u64::from(n) * 50_000, many)
            })
            .collect();
        assert_eq!(left_out(&often), 0);
    }
}
