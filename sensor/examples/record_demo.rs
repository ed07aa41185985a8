//! Records `sensor/assets/demo.pcap`, which `sensor demo` plays where it may not stage an outage:
//! the real packets of the real demo. As root: `cargo run --release --example record_demo`.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use pcap_parser::{LegacyPcapBlock, PcapHeader, ToVec};
use sensor::command::demo::{DEVICE, Network};
use sensor::stage::packet_socket::PacketSocket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let network = Network::new()?;
    let socket = PacketSocket::open(&network.server, DEVICE)?;
    let mut capture = PcapHeader::new().to_vec()?;
    let mut frames = 0;
    let mut record = || -> Result<()> {
        while let Some(frame) = socket.receive() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            let length = u32::try_from(frame.len())?;
            let mut block = LegacyPcapBlock {
                ts_sec: u32::try_from(now.as_secs())?,
                ts_usec: now.subsec_micros(),
                caplen: length,
                origlen: length,
                data: &frame,
            };
            capture.extend(block.to_vec()?);
            frames += 1;
        }
        Ok(())
    };
    let mut play = std::pin::pin!(network.play());
    let mut often = tokio::time::interval(Duration::from_millis(1));
    loop {
        tokio::select! {
            played = &mut play => {
                played?;
                break;
            }
            _ = often.tick() => record()?,
        }
    }
    record()?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.pcap");
    fs::write(&path, &capture)?;
    println!(
        "{frames} frames, {} bytes: {}",
        capture.len(),
        path.display()
    );
    Ok(())
}
