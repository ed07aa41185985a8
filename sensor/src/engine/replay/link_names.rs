//! Names of link types, and what can be done about those that are not read here.

use std::fmt;

/// A link type by its number in <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkType(pub u16);

impl fmt::Display for LinkType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(out, "link type {} ({name})", self.0),
            None => write!(out, "link type {}", self.0),
        }
    }
}

impl LinkType {
    fn name(self) -> Option<&'static str> {
        let row = NAMES.binary_search_by_key(&self.0, |(number, _)| *number);
        row.ok().map(|at| NAMES[at].1)
    }

    /// What to do about a capture of it.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self.0 {
            // No packets of a network, or none with IP in them.
            187 | 189 | 195 | 201 | 215 | 220 | 227 | 230 | 249 | 251 | 254 | 255 | 256 | 280
            | 283 => "it carries no IP packets, and so no DNS",
            147..=162 => {
                "its meaning is private to who wrote it: if its packets begin with Ethernet or IP, say so with \
                 `editcap -T ether IN OUT` or `editcap -T rawip IN OUT`"
            }
            _ => {
                "if its packets begin with Ethernet or IP, say so with `editcap -T ether IN OUT` or \
                 `editcap -T rawip IN OUT`; else export what it carries with `tshark -r IN -U dns -w OUT -F pcapng`"
            }
        }
    }
}

/// In the order of their numbers.
const NAMES: &[(u16, &str)] = &[
    (0, "NULL"),
    (1, "ETHERNET"),
    (3, "AX25"),
    (6, "IEEE802_5"),
    (7, "ARCNET_BSD"),
    (8, "SLIP"),
    (9, "PPP"),
    (10, "FDDI"),
    (50, "PPP_HDLC"),
    (51, "PPP_ETHER"),
    (99, "SYMANTEC_FIREWALL"),
    (100, "ATM_RFC1483"),
    (101, "RAW"),
    (104, "C_HDLC"),
    (105, "IEEE802_11"),
    (106, "ATM_CLIP"),
    (107, "FRELAY"),
    (108, "LOOP"),
    (109, "ENC"),
    (113, "LINUX_SLL"),
    (114, "LTALK"),
    (117, "PFLOG"),
    (119, "IEEE802_11_PRISM"),
    (122, "IP_OVER_FC"),
    (123, "SUNATM"),
    (127, "IEEE802_11_RADIOTAP"),
    (129, "ARCNET_LINUX"),
    (138, "APPLE_IP_OVER_IEEE1394"),
    (139, "MTP2_WITH_PHDR"),
    (140, "MTP2"),
    (141, "MTP3"),
    (142, "SCCP"),
    (143, "DOCSIS"),
    (144, "LINUX_IRDA"),
    (147, "USER0"),
    (162, "USER15"),
    (163, "IEEE802_11_AVS"),
    (165, "BACNET_MS_TP"),
    (166, "PPP_PPPD"),
    (169, "GPRS_LLC"),
    (177, "LINUX_LAPD"),
    (182, "MFR"),
    (187, "BLUETOOTH_HCI_H4"),
    (189, "USB_LINUX"),
    (192, "PPI"),
    (195, "IEEE802_15_4_WITHFCS"),
    (197, "ERF"),
    (201, "BLUETOOTH_HCI_H4_WITH_PHDR"),
    (204, "PPP_WITH_DIR"),
    (205, "C_HDLC_WITH_DIR"),
    (206, "FRELAY_WITH_DIR"),
    (215, "IEEE802_15_4_NONASK_PHY"),
    (220, "USB_LINUX_MMAPPED"),
    (224, "FC_2"),
    (226, "IPNET"),
    (227, "CAN_SOCKETCAN"),
    (228, "IPV4"),
    (229, "IPV6"),
    (230, "IEEE802_15_4_NOFCS"),
    (231, "DBUS"),
    (239, "NFLOG"),
    (242, "IPOIB"),
    (243, "MPEG_2_TS"),
    (247, "INFINIBAND"),
    (248, "SCTP"),
    (249, "USBPCAP"),
    (251, "BLUETOOTH_LE_LL"),
    (252, "WIRESHARK_UPPER_PDU"),
    (253, "NETLINK"),
    (254, "BLUETOOTH_LINUX_MONITOR"),
    (255, "BLUETOOTH_BREDR_BB"),
    (256, "BLUETOOTH_LE_LL_WITH_PHDR"),
    (258, "PKTAP"),
    (259, "EPON"),
    (264, "ISO_14443"),
    (272, "NORDIC_BLE"),
    (276, "LINUX_SLL2"),
    (280, "OPENVIZSLA"),
    (283, "IEEE802_15_4_TAP"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        assert!(NAMES.is_sorted_by_key(|(number, _)| *number));
        assert_eq!(LinkType(189).to_string(), "link type 189 (USB_LINUX)");
        assert_eq!(LinkType(9_999).to_string(), "link type 9999");
    }
}
