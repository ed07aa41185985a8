//! Where this kernel keeps what the drop program reads, and what its reasons are called.

use std::collections::BTreeMap;

use sensor_common::drops::{Layout, MAX_REASONS, TRACEPOINT, WINDOW};
use sensor_common::settings::MAX_PORTS;

use super::btf::{Btf, BtfError};

/// The enumeration of reasons, and how its names begin.
const REASONS: &str = "skb_drop_reason";
const PREFIX: &str = "SKB_DROP_REASON_";
/// Arguments of the tracepoint with a reason, and with a receiving socket beside it.
const WITH_REASON: usize = 3;
const WITH_RECEIVER: usize = 4;

/// Of pointers, the largest fields.
const ALIGNMENT: u32 = 8;

/// Names of reasons by the kernel's numbers.
pub type Names = BTreeMap<u32, String>;

/// Of a kernel, and for these DNS ports.
///
/// # Errors
/// What the kernel lacks.
pub fn layout(btf: &Btf, ports: &[u16]) -> Result<Layout, BtfError> {
    let arguments = btf.arguments(TRACEPOINT)?;
    if arguments < WITH_REASON {
        let reason = "reason at the tracepoint kfree_skb (Linux 5.17 and later have it)";
        return Err(BtfError::Missing(reason.into()));
    }
    let buffer = |field: &str| btf.offset("sk_buff", &[field]);
    let (head, network) = (buffer("head")?, buffer("network_header")?);
    let interface = buffer("skb_iif")?;
    let (window, window_bytes) = around(&[(head, 8), (network, 2), (interface, 4)])
        .ok_or_else(|| apart("head, network_header and skb_iif"))?;
    let (device, socket) = (buffer("dev")?, buffer("sk")?);
    let route = buffer("_skb_refdst")?;
    let (pointers, pointers_bytes) = around(&[(device, 8), (socket, 8), (route, 8)])
        .ok_or_else(|| apart("dev, sk and _skb_refdst"))?;
    let mut in_order = [0; MAX_PORTS];
    for (place, port) in in_order.iter_mut().zip(ports) {
        *place = port.to_be();
    }
    Ok(Layout {
        window,
        window_bytes,
        head: head - window,
        network_header: network - window,
        interface: interface - window,
        pointers,
        pointers_bytes,
        device: device - pointers,
        socket: socket - pointers,
        route: route - pointers,
        route_device: btf.offset("dst_entry", &["dev"])?,
        device_flags: btf.offset("net_device", &["flags"])?,
        device_net: btf.offset("net_device", &["nd_net", "net"])?,
        socket_net: btf.offset("sock_common", &["skc_net", "net"])?,
        net_number: btf.offset("net", &["ns", "inum"])?,
        has_receiver: u32::from(arguments >= WITH_RECEIVER),
        port_count: ports.len().min(MAX_PORTS) as u32,
        ports: in_order,
    })
}

/// From where, and how many bytes, to read fields at once: each is an offset and a size. None where they are too far
/// apart. What is aligned in the kernel is so in the copy: a verifier takes no other read of the stack.
fn around(fields: &[(u32, u32)]) -> Option<(u32, u32)> {
    let from = fields.iter().map(|(at, _)| *at).min()? & !(ALIGNMENT - 1);
    let to = fields.iter().map(|(at, size)| at + size).max()?;
    ((to - from) as usize <= WINDOW).then_some((from, to - from))
}

fn apart(fields: &str) -> BtfError {
    BtfError::Missing(format!("sk_buff whose {fields} are near each other"))
}

/// Reasons by their numbers, without what all names have in common.
///
/// # Errors
/// The kernel has none.
pub fn names(btf: &Btf) -> Result<Names, BtfError> {
    let values = btf.values(REASONS)?.into_iter();
    Ok(values
        .filter(|(number, _)| (*number as usize) < MAX_REASONS - 1)
        .map(|(number, name)| {
            let short = name.strip_prefix(PREFIX).or(name.strip_prefix("SKB_"));
            let short = short.map(ToString::to_string);
            (number, short.unwrap_or(name))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::btf::tests::Writer;
    use super::*;

    /// A kernel with an order of fields of its own.
    fn kernel(arguments: usize, head: u32) -> Btf {
        let mut writer = Writer::default();
        let int = writer.integer("int");
        let pointer = writer.pointer(int);
        let headers = writer.structure("", &[("skb_iif", int, 4), ("network_header", int, 40)]);
        let same = writer.union("", &[("", headers, 0), ("headers", headers, 0)]);
        let own = writer.structure("", &[("next", pointer, 0), ("dev", pointer, 16)]);
        let list = writer.union("", &[("", own, 0), ("list", int, 0)]);
        let fields = [
            ("", list, 0),
            ("sk", pointer, 24),
            ("_skb_refdst", pointer, 88),
            ("", same, 128),
            ("head", pointer, head),
        ];
        writer.structure("sk_buff", &fields);
        let net = writer.structure("", &[("net", pointer, 0)]);
        let possible = writer.named("possible_net_t", net);
        writer.structure(
            "net_device",
            &[("flags", int, 176), ("nd_net", possible, 1_320)],
        );
        writer.structure("sock_common", &[("skc_net", possible, 48)]);
        writer.structure("dst_entry", &[("dev", pointer, 0)]);
        let common = writer.structure("ns_common", &[("inum", int, 16)]);
        writer.structure("net", &[("ns", common, 144)]);
        writer.enumeration(
            "skb_drop_reason",
            &[("SKB_NOT_DROPPED_YET", 0), ("SKB_DROP_REASON_NO_SOCKET", 3)],
        );
        let function = writer.function(&vec![pointer; arguments + 1]);
        let traced = writer.pointer(function);
        writer.named("btf_trace_kfree_skb", traced);
        Btf::parse(writer.bytes()).expect("a description")
    }

    #[test]
    fn offsets_are_those_of_the_kernel_at_hand() {
        let layout = layout(&kernel(3, 200), &[53, 5_353]).expect("all is there");
        let expected = Layout {
            window: 128,
            window_bytes: 80,
            head: 72,
            network_header: 40,
            interface: 4,
            pointers: 16,
            pointers_bytes: 80,
            device: 0,
            socket: 8,
            route: 72,
            route_device: 0,
            device_flags: 176,
            device_net: 1_320,
            socket_net: 48,
            net_number: 160,
            has_receiver: 0,
            port_count: 2,
            ports: [53_u16.to_be(), 5_353_u16.to_be(), 0, 0, 0, 0, 0, 0],
        };
        assert_eq!(layout, expected);
        let names = names(&kernel(3, 200)).expect("reasons");
        assert_eq!(names[&3], "NO_SOCKET");
        assert_eq!(names[&0], "NOT_DROPPED_YET");
    }

    #[test]
    fn a_kernel_without_reasons_is_told_apart_from_one_with_the_receiver() {
        let error = layout(&kernel(2, 200), &[53]).expect_err("no reason");
        assert!(error.to_string().contains("5.17"), "{error}");
        let newest = layout(&kernel(4, 200), &[53]).expect("all is there");
        assert_eq!(newest.has_receiver, 1);
    }

    #[test]
    fn fields_too_far_apart_are_refused() {
        assert!(layout(&kernel(3, 128 + 88), &[53]).is_ok());
        assert!(layout(&kernel(3, 128 + 96), &[53]).is_err());
    }

    /// Any kernel that runs these tests as root has it.
    #[test]
    fn this_kernel_has_all_of_it() {
        let Ok(btf) = Btf::of_kernel() else {
            println!("this kernel describes no types");
            return;
        };
        let layout = layout(&btf, &[53]).expect("all is there");
        assert_ne!(layout.net_number, 0);
        let names = names(&btf).expect("reasons");
        for name in ["NO_SOCKET", "NETFILTER_DROP", "NOT_SPECIFIED"] {
            assert!(names.values().any(|known| known == name), "{name}");
        }
    }
}
