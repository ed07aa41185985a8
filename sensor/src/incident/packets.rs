//! Packets of an incident as a capture file.

use std::io::{self, Write};
use std::time::Duration;

use pcap_parser::{LegacyPcapBlock, PcapHeader, ToVec};
use sensor_common::sample::Sample;

use crate::measure::clock::WallClock;

/// Length of the header of a pcap file.
pub(super) const PCAP_HEADER: usize = 24;
/// Before IP packets that had no Ethernet header: type IPv4 or IPv6 follows.
const NO_ADDRESSES: [u8; 12] = [0; 12];

/// Writes sampled packets as a pcap file with Ethernet frames.
///
/// # Errors
/// From the writer.
pub fn write_pcap(
    mut writer: impl Write,
    packets: &[Sample],
    calendar: &WallClock,
) -> io::Result<()> {
    // What the serializer refuses cannot be written either.
    let unwritable = |_| io::Error::from(io::ErrorKind::InvalidData);
    writer.write_all(&PcapHeader::new().to_vec().map_err(unwritable)?)?;
    let mut sorted: Vec<&Sample> = packets.iter().collect();
    sorted.sort_by_key(|sample| sample.time);
    for sample in sorted {
        let bytes = sample.bytes.get(..sample.captured as usize).unwrap_or(&[]);
        let mut frame = Vec::with_capacity(bytes.len() + 14);
        if sample.layer3 != 0 {
            let is_v6 = bytes.first().is_some_and(|first| first >> 4 == 6);
            let ethertype: u16 = if is_v6 { 0x86dd } else { 0x0800 };
            frame.extend(NO_ADDRESSES);
            frame.extend(ethertype.to_be_bytes());
        }
        let made_up = frame.len() as u32;
        frame.extend(bytes);
        let at: Duration = calendar.of_sample(sample);
        let mut block = LegacyPcapBlock {
            ts_sec: at.as_secs() as u32,
            ts_usec: at.subsec_micros(),
            caplen: frame.len() as u32,
            origlen: sample.length + made_up,
            data: &frame,
        };
        writer.write_all(&block.to_vec().map_err(unwritable)?)?;
    }
    writer.flush()
}
