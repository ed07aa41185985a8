//! What tshark says of each packet, by the outermost transport.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use sensor_common::class::Class;

use super::verdict::Verdict;

/// Fields, of which the first of each name is taken.
const FIELDS: [&str; 14] = [
    "frame.protocols",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
    "tcp.srcport",
    "tcp.dstport",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "ip.frag_offset",
    "ipv6.fraghdr.offset",
    "dns.flags.response",
    "dns.flags.rcode",
];
/// Neither put together again, nor guessed.
const OPTIONS: [&str; 4] = [
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
    "udp.try_heuristic_first:FALSE",
];
/// Headers between IPv6 and its transport.
const EXTENSIONS: [&str; 5] = [
    "ipv6.hopopts",
    "ipv6.routing",
    "ipv6.dstopts",
    "ipv6.fraghdr",
    "ah",
];
const DNS_PORT: &str = "53";
/// Lengths of a UDP and of a DNS header.
const SHORTEST: u64 = 8 + 12;

/// What it says of one packet.
pub struct Theirs {
    class: Class,
    /// Numbers that are in both: rcode, or type and code of an ICMP error.
    numbers: Vec<u64>,
}

/// A packet of which something else is said.
pub struct Difference {
    pub what: String,
    /// Why that is as it should be; none where it is not.
    pub reason: Option<&'static str>,
}

/// Whether it is installed.
pub fn is_here() -> bool {
    let version = Command::new("tshark")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// What it says of each packet of a capture.
///
/// # Errors
/// It cannot read the capture.
pub fn verdicts(path: &Path) -> Result<Vec<Theirs>> {
    let mut command = Command::new("tshark");
    command.args([
        "-n",
        "-T",
        "fields",
        "-E",
        "occurrence=f",
        "-E",
        "separator=/t",
    ]);
    command.args(OPTIONS.iter().flat_map(|option| ["-o", option]));
    command.args(FIELDS.iter().flat_map(|field| ["-e", field]));
    let output = command.arg("-r").arg(path).output();
    let output = output.context("tshark cannot be started")?;
    ensure!(
        output.status.success(),
        "tshark: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let text = String::from_utf8(output.stdout).context("tshark writes no text")?;
    Ok(text.lines().map(Theirs::of).collect())
}

impl Theirs {
    fn of(line: &str) -> Self {
        let values: Vec<&str> = line.split('\t').collect();
        let field = |name: &str| {
            let at = FIELDS.iter().position(|field| *field == name);
            at.and_then(|at| values.get(at)).copied().unwrap_or("")
        };
        let number = |name: &str| field(name).parse::<u64>().unwrap_or(0);
        let class = |class, numbers: &[&str]| Self {
            class,
            numbers: numbers.iter().map(|name| number(name)).collect(),
        };
        let mut layers = field("frame.protocols").split(':');
        let outer = layers.find(|layer| ["ip", "ipv6"].contains(layer));
        let transport = layers
            .find(|layer| !EXTENSIONS.contains(layer))
            .unwrap_or("");
        let later = match outer {
            Some("ip") => number("ip.frag_offset") != 0,
            Some(_) => {
                !["icmpv6", "udp", "tcp"].contains(&transport) && number("ipv6.fraghdr.offset") != 0
            }
            None => false,
        };
        let is_dns = |source, destination| [field(source), field(destination)].contains(&DNS_PORT);
        match transport {
            _ if later => class(Class::Fragment, &[]),
            "udp" if is_dns("udp.srcport", "udp.dstport") => match field("dns.flags.response") {
                _ if number("udp.length") < SHORTEST => class(Class::Malformed, &[]),
                "1" | "True" => class(Class::DnsResponse, &["dns.flags.rcode"]),
                "0" | "False" => class(Class::DnsQuery, &[]),
                _ => class(Class::Malformed, &[]),
            },
            "tcp" if is_dns("tcp.srcport", "tcp.dstport") => class(Class::DnsTcp, &[]),
            "icmp" if [3, 11, 12].contains(&number("icmp.type")) => {
                class(Class::IcmpError, &["icmp.code"])
            }
            "icmpv6" if (1..=4).contains(&number("icmpv6.type")) => {
                class(Class::IcmpError, &["icmpv6.code"])
            }
            _ => class(Class::NotDns, &[]),
        }
    }

    /// What is different in ours, and why.
    pub fn difference(&self, ours: &Verdict) -> Option<Difference> {
        let Verdict::Counted(counted) = ours else {
            return None;
        };
        let rcode = counted.rcode.map(|rcode| rcode as u64);
        let code = counted.icmp.map(|(_, code)| code as u64);
        let same_numbers = match self.class {
            Class::DnsResponse => rcode == self.numbers.first().copied(),
            Class::IcmpError => code == self.numbers.first().copied(),
            _ => true,
        };
        if counted.class == self.class && same_numbers {
            return None;
        }
        let numbers: Vec<String> = self.numbers.iter().map(u64::to_string).collect();
        let theirs = [self.class.name(), &numbers.join(" ")].join(" ");
        let reason = match (counted.class, counted.malformed) {
            (Class::Malformed, Some(_)) => Some(
                "a header that is cut short or contradicts itself is malformed here; tshark reads what there is of it",
            ),
            _ => None,
        };
        Some(Difference {
            what: format!("here {ours}, tshark {}", theirs.trim()),
            reason,
        })
    }
}
