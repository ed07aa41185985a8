//! The next-hop MTU of an ICMP "packet too big", from a sampled packet.

use sensor_common::sample::Sample;

const ETHERNET: usize = 14;
/// Of an IPv4 header without options, and of an IPv6 header.
const IPV6: usize = 40;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Bytes that the next hop takes (RFC 1191 4, RFC 4443 3.2). `None` where the error is another one, gives none, or lies
/// behind a VLAN tag or an extension header.
#[must_use]
pub fn next_hop_mtu(sample: &Sample) -> Option<u32> {
    let bytes = sample.bytes.get(..sample.captured as usize)?;
    let ip = match sample.layer3 {
        0 => bytes.get(ETHERNET..)?,
        _ => bytes,
    };
    let first = *ip.first()?;
    let mtu = match first >> 4 {
        4 if *ip.get(9)? == ICMP => {
            let icmp = ip.get(usize::from(first & 15) * 4..)?;
            let is_too_big = icmp.get(..2)? == [3, 4];
            let mtu = u16::from_be_bytes(icmp.get(6..8)?.try_into().ok()?);
            is_too_big.then_some(u32::from(mtu))?
        }
        6 if *ip.get(6)? == ICMPV6 => {
            let icmp = ip.get(IPV6..)?;
            let mtu = u32::from_be_bytes(icmp.get(4..8)?.try_into().ok()?);
            (*icmp.first()? == 2).then_some(mtu)?
        }
        _ => return None,
    };
    (mtu != 0).then_some(mtu)
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;

    fn sample(layer3: u32, packet: &[u8]) -> Sample {
        let mut sample = Sample::zeroed();
        sample.layer3 = layer3;
        sample.captured = packet.len() as u32;
        sample.bytes[..packet.len()].copy_from_slice(packet);
        sample
    }

    #[test]
    fn the_mtu_is_read_of_both_families() {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[9] = ICMP;
        packet[20..28].copy_from_slice(&[3, 4, 0, 0, 0, 0, 0x05, 0x14]);
        assert_eq!(next_hop_mtu(&sample(1, &packet)), Some(1_300));
        let framed = [vec![0; ETHERNET], packet.clone()].concat();
        assert_eq!(next_hop_mtu(&sample(0, &framed)), Some(1_300));
        packet[21] = 3;
        assert_eq!(next_hop_mtu(&sample(1, &packet)), None, "another code");
        let mut packet = vec![0; 48];
        packet[0] = 0x60;
        packet[6] = ICMPV6;
        packet[40..48].copy_from_slice(&[2, 0, 0, 0, 0, 0, 0x05, 0x00]);
        assert_eq!(next_hop_mtu(&sample(1, &packet)), Some(1_280));
        assert_eq!(next_hop_mtu(&sample(1, &packet[..44])), None, "cut short");
    }
}
