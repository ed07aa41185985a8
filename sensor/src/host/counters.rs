//! Counters of this host's network stack (proc(5), `/proc/net`), of the network namespace of the calling thread.
//!
//! What cannot be read counts as 0: everything works without it.

use std::fs;
use std::ops::{AddAssign, Sub};

use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Each only grows; or how much each grew between two readings.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl Sub for Counters {
            type Output = Self;

            /// A counter that was set back counts as if it had not grown.
            fn sub(self, before: Self) -> Self {
                Self { $($name: self.$name.saturating_sub(before.$name),)* }
            }
        }

        impl Counters {
            /// Each times a factor, rounded down.
            #[must_use]
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "what is usual of a counter is an estimate"
            )]
            pub fn times(self, factor: f64) -> Self {
                Self { $($name: (self.$name as f64 * factor) as u64,)* }
            }
        }
    };
}

counters! {
    /// Datagrams to a port without a socket.
    no_ports,
    /// Datagrams that programs read from UDP sockets, of any port.
    read,
    /// Datagrams that UDP sockets had no room for, of any port.
    rcvbuf_errors,
    /// Packets that the kernel dropped before the protocols.
    softnet_drops,
    /// Packets that the interfaces dropped.
    interface_drops,
    /// ICMP destination unreachable errors that were sent.
    icmp_sent,
    /// ICMP messages that the kernel's rate limit held back.
    icmp_held_back,
    /// Packets of this host without a route.
    no_routes,
    /// Packets that were dropped after they had left their socket.
    out_discards,
    /// Datagrams of which a fragment was missing.
    reassembly_failed,
    /// Packets that the reverse path filter dropped.
    reverse_path_filtered,
    /// Connections that a listening TCP socket had no room for.
    listen_overflows,
    /// Packets that connection tracking dropped because its table was full, or that it could not enter.
    conntrack_drops,
    /// Entries that could not be made: two packets of one connection at once.
    conntrack_insert_failed,
}

impl Counters {
    /// As they are now.
    #[must_use]
    pub fn read() -> Self {
        let mut all = Self::default();
        for name in ["snmp", "netstat"] {
            all.add_table(&text(name));
        }
        all.add_v6(&text("snmp6"));
        all.add_softnet(&text("softnet_stat"));
        all.add_interfaces(&text("dev"));
        all.add_conntrack(&text("stat/nf_conntrack"));
        all
    }

    /// Pairs of lines, names and values (`Ip: InReceives ...`, `Ip: 4711 ...`).
    fn add_table(&mut self, text: &str) {
        let mut lines = text.lines();
        while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            let group = names.split(':').next().unwrap_or_default();
            let names = names.split_whitespace().skip(1);
            for (name, value) in names.zip(values.split_whitespace().skip(1)) {
                let value = value.parse().unwrap_or(0);
                let place = match (group, name) {
                    ("Udp", "NoPorts") => &mut self.no_ports,
                    ("Udp", "InDatagrams") => &mut self.read,
                    ("Udp", "RcvbufErrors") => &mut self.rcvbuf_errors,
                    ("Icmp", "OutDestUnreachs") => &mut self.icmp_sent,
                    ("Icmp", "OutRateLimitGlobal" | "OutRateLimitHost") => &mut self.icmp_held_back,
                    ("Ip", "OutNoRoutes") => &mut self.no_routes,
                    ("Ip", "OutDiscards") => &mut self.out_discards,
                    ("Ip", "ReasmFails") => &mut self.reassembly_failed,
                    ("TcpExt", "IPReversePathFilter") => &mut self.reverse_path_filtered,
                    ("TcpExt", "ListenOverflows") => &mut self.listen_overflows,
                    _ => continue,
                };
                *place += value;
            }
        }
    }

    /// A name and a value in each line.
    fn add_v6(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(name), Some(value)) = (words.next(), words.next()) else {
                continue;
            };
            let value: u64 = value.parse().unwrap_or(0);
            let place = match name {
                "Udp6NoPorts" => &mut self.no_ports,
                "Udp6InDatagrams" => &mut self.read,
                "Udp6RcvbufErrors" => &mut self.rcvbuf_errors,
                "Icmp6OutDestUnreachs" => &mut self.icmp_sent,
                "Icmp6OutRateLimitHost" => &mut self.icmp_held_back,
                "Ip6OutNoRoutes" => &mut self.no_routes,
                "Ip6OutDiscards" => &mut self.out_discards,
                "Ip6ReasmFails" => &mut self.reassembly_failed,
                _ => continue,
            };
            *place += value;
        }
    }

    /// The second column of each CPU's line, in hexadecimal.
    fn add_softnet(&mut self, text: &str) {
        let column = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
        self.softnet_drops += text.lines().filter_map(column).sum::<u64>();
    }

    /// The fourth column of what each interface received.
    fn add_interfaces(&mut self, text: &str) {
        let column = |line: &str| {
            line.split_once(':')?
                .1
                .split_whitespace()
                .nth(3)?
                .parse::<u64>()
                .ok()
        };
        self.interface_drops += text.lines().filter_map(column).sum::<u64>();
    }

    /// A line of names, and one of hexadecimal values for each CPU.
    fn add_conntrack(&mut self, text: &str) {
        let mut lines = text.lines();
        let names: Vec<&str> = lines
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        for line in lines {
            for (name, value) in names.iter().zip(line.split_whitespace()) {
                let place = match *name {
                    "drop" | "early_drop" => &mut self.conntrack_drops,
                    "insert_failed" => &mut self.conntrack_insert_failed,
                    _ => continue,
                };
                *place += u64::from_str_radix(value, 16).unwrap_or(0);
            }
        }
    }
}

/// Entries of the connection tracking table, and how many there may be.
#[must_use]
pub fn conntrack_fill() -> Option<[u64; 2]> {
    let read = |name: &str| -> Option<u64> {
        let path = format!("/proc/sys/net/netfilter/nf_conntrack_{name}");
        fs::read_to_string(path).ok()?.trim().parse().ok()
    };
    Some([read("count")?, read("max")?])
}

/// Empty where it cannot be read.
fn text(name: &str) -> String {
    // Not "self": namespaces belong to threads.
    fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_by_their_names_in_any_order() {
        let mut all = Counters::default();
        all.add_table(
            "Ip: OutNoRoutes Forwarding ReasmFails OutDiscards\nIp: 7 1 2 3\n\
             Icmp: OutRateLimitGlobal OutRateLimitHost OutDestUnreachs\nIcmp: 1000 310 65\n\
             Udp: InDatagrams NoPorts RcvbufErrors\nUdp: 11 12 13\n\
             TcpExt: SyncookiesSent IPReversePathFilter ListenOverflows\nTcpExt: 9 4 5\n",
        );
        all.add_v6("Ip6OutNoRoutes   \t1\nIcmp6OutRateLimitHost 5\nUdp6NoPorts 30\nOther 9\n");
        all.add_softnet("00000001 0000000a 0\n00000001 00000006 0\n");
        all.add_interfaces(
            "Inter-|   Receive\n face |bytes    packets errs drop\n  eth0: 1 2 3 4 5 6\n    lo:9 9 9 1 0\n",
        );
        all.add_conntrack("entries insert_failed drop early_drop\n0c 02 0a 01\n0c 01 00 01\n");
        let expected = Counters {
            no_ports: 42,
            read: 11,
            rcvbuf_errors: 13,
            softnet_drops: 16,
            interface_drops: 5,
            icmp_sent: 65,
            icmp_held_back: 1_315,
            no_routes: 8,
            out_discards: 3,
            reassembly_failed: 2,
            reverse_path_filtered: 4,
            listen_overflows: 5,
            conntrack_drops: 12,
            conntrack_insert_failed: 3,
        };
        assert_eq!(all, expected);
    }

    #[test]
    fn what_cannot_be_read_counts_as_nothing() {
        let mut all = Counters::default();
        all.add_table("Ip: OutNoRoutes\n");
        all.add_table("nonsense\nUdp: x y\n");
        all.add_conntrack("");
        all.add_interfaces("eth0: 1");
        assert_eq!(all, Counters::default());
        let before = Counters {
            no_ports: 9,
            ..Counters::default()
        };
        assert_eq!((Counters::default() - before).no_ports, 0);
    }
}
