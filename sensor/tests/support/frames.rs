//! Frames by construction: every layer is a function around the next.

use sensor::stage::client::query;
use sensor_common::class::{Class, IcmpType, Malformed, QuestionState, Quoted, TcpEvent};

pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const MPLS: u16 = 0x8847;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;
const ESP: u8 = 50;
const ICMPV6: u8 = 58;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT: u8 = 59;
const DESTINATION: u8 = 60;

pub const CLIENT: [u8; 4] = [198, 51, 100, 7];
pub const SERVER: [u8; 4] = [192, 0, 2, 53];
const ROUTER: [u8; 4] = [203, 0, 113, 1];
const CLIENT6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
const SERVER6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53];

pub fn ethernet(ethertype: u16, payload: Vec<u8>) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A tag for `ethernet(tpid, tag(...))`.
fn tag(ethertype: u16, payload: Vec<u8>) -> Vec<u8> {
    let mut tagged = vec![0, 123];
    tagged.extend(ethertype.to_be_bytes());
    tagged.extend(payload);
    tagged
}

pub fn v4(protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    v4_with(&[], 0, protocol, payload)
}

fn v4_with(options: &[u8], fragment: u16, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    v4_between(CLIENT, SERVER, options, fragment, protocol, payload)
}

fn v4_between(
    source: [u8; 4],
    destination: [u8; 4],
    options: &[u8],
    fragment: u16,
    protocol: u8,
    payload: Vec<u8>,
) -> Vec<u8> {
    assert!(options.len().is_multiple_of(4));
    let header = 20 + options.len();
    let mut packet = vec![0x40 | (header / 4) as u8, 0];
    packet.extend(((header + payload.len()) as u16).to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend(options);
    packet.extend(payload);
    packet
}

fn v6(next: u8, payload: Vec<u8>) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend(CLIENT6);
    packet.extend(SERVER6);
    packet.extend(payload);
    packet
}

/// Hop-by-hop, routing or destination header of `8 + 8 * more` bytes.
fn extension(next: u8, more: u8, payload: Vec<u8>) -> Vec<u8> {
    let mut header = vec![next, more];
    header.resize(8 + 8 * usize::from(more), 0);
    header.extend(payload);
    header
}

fn authentication(next: u8, payload: Vec<u8>) -> Vec<u8> {
    // 24 bytes: (4 + 2) words of four.
    let mut header = vec![next, 4];
    header.resize(24, 0);
    header.extend(payload);
    header
}

fn fragment6(next: u8, offset_and_more: u16, payload: Vec<u8>) -> Vec<u8> {
    let mut header = vec![next, 0];
    header.extend(offset_and_more.to_be_bytes());
    header.extend([0, 0, 0, 9]);
    header.extend(payload);
    header
}

pub fn udp(source: u16, destination: u16, payload: Vec<u8>) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    udp_with_length(source, destination, length, payload)
}

fn udp_with_length(source: u16, destination: u16, length: u16, payload: Vec<u8>) -> Vec<u8> {
    let mut datagram = Vec::from(source.to_be_bytes());
    datagram.extend(destination.to_be_bytes());
    datagram.extend(length.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

fn tcp(source: u16, destination: u16, flags: u8) -> Vec<u8> {
    let mut segment = Vec::from(source.to_be_bytes());
    segment.extend(destination.to_be_bytes());
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    segment
}

fn icmp(number: u8, code: u8, quoted: Vec<u8>) -> Vec<u8> {
    let mut error = vec![number, code, 0, 0, 0, 0, 0, 0];
    error.extend(quoted);
    error
}

fn with_type(mut message: Vec<u8>, qtype: u16) -> Vec<u8> {
    let at = message.len() - 4;
    message[at..at + 2].copy_from_slice(&qtype.to_be_bytes());
    message
}

/// A response with this rcode and these other flags.
fn response(flags: u16) -> Vec<u8> {
    let mut message = query(9, "www.example.org");
    message[2..4].copy_from_slice(&(0x8000 | flags).to_be_bytes());
    message
}

fn dns() -> Vec<u8> {
    query(9, "www.example.org")
}

fn dns_query() -> Vec<u8> {
    udp(40_000, 53, dns())
}

fn dns_answer() -> Vec<u8> {
    udp(53, 40_000, response(0))
}

fn labels(count: usize) -> Vec<u8> {
    udp(40_000, 53, query(9, &vec!["a"; count].join(".")))
}

/// What a frame must be counted as, beside its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The class says all.
    Class(Class),
    /// Malformed, for this reason.
    Malformed(Malformed),
    /// A query whose question was read that far; the type if it was read.
    Query(QuestionState, u16),
    /// A response with this rcode.
    Response(usize),
    /// A segment on a DNS port.
    Tcp(TcpEvent),
    /// An ICMP error with this code that quotes that.
    Icmp(IcmpType, u8, Quoted),
}

impl Expect {
    pub fn class(self) -> Class {
        match self {
            Self::Class(class) => class,
            Self::Malformed(_) => Class::Malformed,
            Self::Query(..) => Class::DnsQuery,
            Self::Response(_) => Class::DnsResponse,
            Self::Tcp(_) => Class::DnsTcp,
            Self::Icmp(..) => Class::IcmpError,
        }
    }
}

/// A named frame and what it must land in.
pub struct Named {
    pub name: String,
    pub frame: Vec<u8>,
    pub expect: Expect,
}

/// The corpus.
#[expect(clippy::too_many_lines, reason = "it is a list")]
pub fn corpus() -> Vec<Named> {
    use Expect::{Icmp, Query, Response, Tcp};
    use QuestionState::{Absent, Read, TooManyLabels};
    let mut corpus = Vec::new();
    let mut add = |name: &str, frame: Vec<u8>, expect: Expect| {
        corpus.push(Named {
            name: name.into(),
            frame,
            expect,
        });
    };
    let not_dns = Expect::Class(Class::NotDns);
    let fragment = Expect::Class(Class::Fragment);
    let malformed = Expect::Malformed;
    let a = Query(Read, 1);
    let ip = |packet: Vec<u8>| ethernet(IPV4, packet);
    let ip6 = |packet: Vec<u8>| ethernet(IPV6, packet);

    // Plain messages.
    add("v4 query", ip(v4(UDP, dns_query())), a);
    add("v6 query", ip6(v6(UDP, dns_query())), a);
    // Its first label is what the benchmarks' generator makes new for each frame.
    let random = udp(40_000, 53, query(9, "abcdefgh.example.org"));
    add("v4 query of a random name", ip(v4(UDP, random)), a);
    add("v4 response", ip(v4(UDP, dns_answer())), Response(0));
    add("v6 response", ip6(v6(UDP, dns_answer())), Response(0));
    for rcode in 0..16 {
        let message = udp(53, 40_000, response(rcode));
        add(
            &format!("rcode {rcode}"),
            ip(v4(UDP, message)),
            Response(usize::from(rcode)),
        );
    }
    add(
        "truncated response",
        ip(v4(UDP, udp(53, 40_000, response(0x0200)))),
        Response(0),
    );
    for opcode in [1, 2, 3, 4, 5, 6, 7, 15] {
        let mut message = dns();
        message[2] = opcode << 3;
        add(
            &format!("opcode {opcode}"),
            ip(v4(UDP, udp(40_000, 53, message))),
            a,
        );
    }
    for qtype in [0, 2, 28, 65, 255, 257, 270, 271, 272, 32_769, 65_535] {
        let message = udp(40_000, 53, with_type(dns(), qtype));
        add(
            &format!("type {qtype}"),
            ip(v4(UDP, message)),
            Query(Read, qtype),
        );
    }
    add(
        "QR decides, not the ports",
        ip(v4(UDP, udp(40_000, 53, response(3)))),
        Response(3),
    );
    add(
        "a query from port 53 to another",
        ip(v4(UDP, udp(53, 40_000, dns()))),
        a,
    );
    add(
        "a response between two DNS ports",
        ip(v4(UDP, udp(53, 53, response(0)))),
        Response(0),
    );
    add(
        "v6 response to port 53 from another",
        ip6(v6(UDP, udp(40_000, 53, response(0)))),
        Response(0),
    );
    for opcode in [3_u16, 7, 14] {
        add(
            &format!("response with opcode {opcode}"),
            ip(v4(UDP, udp(53, 40_000, response(opcode << 11)))),
            Response(0),
        );
    }
    add("both ports 53", ip(v4(UDP, udp(53, 53, dns()))), a);
    add(
        "mDNS is another port",
        ip(v4(UDP, udp(5353, 5353, dns()))),
        not_dns,
    );

    // Questions.
    let mut none = dns();
    none[5] = 0;
    add(
        "no question",
        ip(v4(UDP, udp(40_000, 53, none))),
        Query(Absent, 0),
    );
    let mut cookie = dns();
    (cookie[5], cookie[11]) = (0, 1);
    add(
        "no question but an additional record",
        ip(v4(UDP, udp(40_000, 53, cookie))),
        Query(Absent, 0),
    );
    add("root", ip(v4(UDP, udp(40_000, 53, query(9, "")))), a);
    add("16 labels", ip(v4(UDP, labels(16))), a);
    add(
        "17 labels",
        ip(v4(UDP, labels(17))),
        Query(TooManyLabels, 0),
    );
    add(
        "127 labels",
        ip(v4(UDP, labels(127))),
        Query(TooManyLabels, 0),
    );
    let label = "x".repeat(63);
    let longest = [label.as_str(), &label, &label, &"x".repeat(61)].join(".");
    add(
        "name of 255 bytes",
        ip(v4(UDP, udp(40_000, 53, query(9, &longest)))),
        a,
    );
    let unread = Query(QuestionState::Malformed, 0);
    let too_long = [label.as_str(); 4].join(".");
    add(
        "name of 257 bytes",
        ip(v4(UDP, udp(40_000, 53, query(9, &too_long)))),
        unread,
    );
    let mut pointer = dns();
    pointer[12] = 0xc0;
    add(
        "compressed question",
        ip(v4(UDP, udp(40_000, 53, pointer))),
        unread,
    );
    let mut cut = dns();
    cut.truncate(20);
    add(
        "question cut short",
        ip(v4(UDP, udp(40_000, 53, cut))),
        unread,
    );
    let mut no_class = dns();
    no_class.truncate(no_class.len() - 1);
    add(
        "class cut short",
        ip(v4(UDP, udp(40_000, 53, no_class))),
        unread,
    );
    let only_header = dns()[..12].to_vec();
    add(
        "header only",
        ip(v4(UDP, udp(40_000, 53, only_header))),
        unread,
    );

    // Link layers.
    add("802.1Q", ethernet(VLAN, tag(IPV4, v4(UDP, dns_query()))), a);
    add(
        "802.1ad",
        ethernet(SERVICE_VLAN, tag(IPV6, v6(UDP, dns_query()))),
        a,
    );
    add(
        "802.1ad and 802.1Q",
        ethernet(SERVICE_VLAN, tag(VLAN, tag(IPV4, v4(UDP, dns_answer())))),
        Response(0),
    );
    add(
        "two 802.1Q",
        ethernet(VLAN, tag(VLAN, tag(IPV6, v6(UDP, dns_query())))),
        a,
    );
    add(
        "three tags",
        ethernet(VLAN, tag(VLAN, tag(VLAN, tag(IPV4, v4(UDP, dns_query()))))),
        not_dns,
    );
    add(
        "tag cut short",
        ethernet(VLAN, vec![0, 1, 8]),
        malformed(Malformed::VlanTag),
    );
    add(
        "second tag cut short",
        ethernet(VLAN, tag(VLAN, vec![0])),
        malformed(Malformed::VlanTag),
    );
    add("ARP", ethernet(ARP, vec![0; 28]), not_dns);
    add("MPLS", ethernet(MPLS, vec![0; 40]), not_dns);
    let mut snap = vec![0xaa, 0xaa, 3, 0, 0, 0];
    snap.extend(IPV4.to_be_bytes());
    snap.extend(v4(UDP, dns_query()));
    add("LLC/SNAP", ethernet(snap.len() as u16, snap), not_dns);
    add(
        "Ethernet header only",
        ethernet(IPV4, vec![]),
        malformed(Malformed::IpHeader),
    );

    // IPv4.
    for length in [4, 20, 40] {
        let options = vec![1; length];
        add(
            &format!("v4 with {length} bytes of options"),
            ip(v4_with(&options, 0, UDP, dns_query())),
            a,
        );
    }
    add(
        "v4 first fragment",
        ip(v4_with(&[], 0x2000, UDP, dns_query())),
        a,
    );
    let mut promises = dns_query();
    promises[4..6].copy_from_slice(&2_000_u16.to_be_bytes());
    add(
        "v4 first fragment of a longer datagram",
        ip(v4_with(&[], 0x2000, UDP, promises.clone())),
        a,
    );
    add(
        "v4 later fragment",
        ip(v4_with(&[], 0x2001, UDP, vec![7; 40])),
        fragment,
    );
    add(
        "v4 last fragment",
        ip(v4_with(&[], 100, UDP, dns_query())),
        fragment,
    );
    add(
        "v4 fragment of TCP",
        ip(v4_with(&[], 1, TCP, vec![0; 20])),
        fragment,
    );
    let mut version = v4(UDP, dns_query());
    version[0] = 0x65;
    add(
        "v4 with version 6",
        ip(version),
        malformed(Malformed::IpHeader),
    );
    let mut short = v4(UDP, dns_query());
    short[0] = 0x44;
    add("v4 with IHL 4", ip(short), malformed(Malformed::IpHeader));
    let mut total = v4(UDP, dns_query());
    total[2..4].copy_from_slice(&19_u16.to_be_bytes());
    add(
        "v4 shorter than its header",
        ip(total),
        malformed(Malformed::IpLength),
    );
    let cut = v4(UDP, dns_query())[..19].to_vec();
    add(
        "v4 header cut short",
        ip(cut),
        malformed(Malformed::IpHeader),
    );
    let mut padded = v4(UDP, udp(40_000, 53, vec![]));
    padded.resize(46, 0);
    add(
        "padding is not DNS",
        ip(padded),
        malformed(Malformed::DnsHeader),
    );
    let mut padded = v4(UDP, vec![]);
    padded.extend([0, 53, 0, 53]);
    padded.resize(46, 0);
    add(
        "padding is not UDP",
        ip(padded),
        malformed(Malformed::UdpHeader),
    );
    add("GRE", ip(v4(GRE, v4(UDP, dns_query()))), not_dns);
    add("6in4", ip(v4(IPV6_IN_IP, v6(UDP, dns_query()))), not_dns);
    add("v4 in v4", ip(v4(4, v4(UDP, dns_query()))), not_dns);

    // IPv6.
    let around = |header: u8, packet: Vec<u8>| ip6(v6(header, packet));
    add(
        "hop-by-hop",
        around(HOP_BY_HOP, extension(UDP, 0, dns_query())),
        a,
    );
    add(
        "routing",
        around(ROUTING, extension(UDP, 2, dns_query())),
        a,
    );
    add(
        "destination",
        around(DESTINATION, extension(UDP, 1, dns_query())),
        a,
    );
    add(
        "authentication",
        around(AUTHENTICATION, authentication(UDP, dns_query())),
        a,
    );
    add(
        "two extension headers",
        around(
            HOP_BY_HOP,
            extension(DESTINATION, 0, extension(UDP, 0, dns_query())),
        ),
        a,
    );
    let mut jumbo = v6(HOP_BY_HOP, extension(TCP, 0, tcp(40_000, 53, 0x18)));
    jumbo[4..6].copy_from_slice(&[0, 0]);
    add(
        "v6 TCP with payload length 0 (BIG TCP)",
        ip6(jumbo),
        Expect::Class(Class::DnsTcp),
    );
    // 8 extension headers, 16 labels and 255 bytes: the most that one query can make us do.
    let mut labels_of_255 = vec!["fifteen-letters"; 14];
    labels_of_255.extend(["fourteen-chars"; 2]);
    let worst = labels_of_255.join(".");
    let (next, payload) = (0..8).fold(
        (UDP, udp(40_000, 53, query(9, &worst))),
        |(next, payload), _| (DESTINATION, extension(next, 0, payload)),
    );
    add("worst", ip6(v6(next, payload)), a);
    add(
        "longest header",
        around(DESTINATION, extension(UDP, 255, dns_query())),
        a,
    );
    add(
        "five headers of all kinds",
        around(
            HOP_BY_HOP,
            extension(
                DESTINATION,
                0,
                extension(
                    ROUTING,
                    1,
                    extension(
                        FRAGMENT,
                        0,
                        fragment6(AUTHENTICATION, 0, authentication(UDP, dns_answer())),
                    ),
                ),
            ),
        ),
        Response(0),
    );
    let stack = |count: usize| {
        (0..count).fold((UDP, dns_query()), |(next, payload), _| {
            (DESTINATION, extension(next, 0, payload))
        })
    };
    let (next, payload) = stack(8);
    add("eight headers", ip6(v6(next, payload)), a);
    let (next, payload) = stack(9);
    add(
        "nine headers",
        ip6(v6(next, payload)),
        malformed(Malformed::Ipv6ExtensionCount),
    );
    add(
        "v6 first fragment",
        around(FRAGMENT, fragment6(UDP, 1, promises)),
        a,
    );
    add(
        "v6 atomic fragment",
        around(FRAGMENT, fragment6(UDP, 0, dns_query())),
        a,
    );
    add(
        "v6 later fragment",
        around(FRAGMENT, fragment6(UDP, 0x00c9, vec![7; 40])),
        fragment,
    );
    add(
        "v6 last fragment",
        around(FRAGMENT, fragment6(UDP, 0x00c8, dns_query())),
        fragment,
    );
    add(
        "extension cut short",
        around(HOP_BY_HOP, vec![UDP, 0, 0]),
        malformed(Malformed::Ipv6Extension),
    );
    add(
        "extension longer than the packet",
        around(
            HOP_BY_HOP,
            extension(UDP, 0, vec![])[..2]
                .iter()
                .copied()
                .chain([9; 6])
                .collect(),
        ),
        malformed(Malformed::UdpHeader),
    );
    add("no next header", around(NO_NEXT, vec![]), not_dns);
    add("ESP", around(ESP, vec![0; 40]), not_dns);
    add(
        "v6 in v6",
        around(IPV6_IN_IP, v6(UDP, dns_query())),
        not_dns,
    );
    let mut version = v6(UDP, dns_query());
    version[0] = 0x40;
    add(
        "v6 with version 4",
        ip6(version),
        malformed(Malformed::IpHeader),
    );
    let cut = v6(UDP, dns_query())[..39].to_vec();
    add(
        "v6 header cut short",
        ip6(cut),
        malformed(Malformed::IpHeader),
    );

    // UDP.
    for length in 0..8 {
        add(
            &format!("UDP length {length}"),
            ip(v4(UDP, udp_with_length(40_000, 53, length, dns()))),
            malformed(Malformed::UdpLength),
        );
    }
    add(
        "UDP longer than IP",
        ip6(v6(UDP, udp_with_length(40_000, 53, 200, dns()))),
        malformed(Malformed::UdpLength),
    );
    add(
        "UDP header cut short",
        ip(v4(UDP, dns_query()[..7].to_vec())),
        malformed(Malformed::UdpHeader),
    );
    add(
        "UDP of another port",
        ip(v4(UDP, udp(123, 123, vec![0; 48]))),
        not_dns,
    );
    add(
        "short UDP of another port",
        ip(v4(UDP, udp(123, 123, vec![]))),
        not_dns,
    );
    for length in 0..12 {
        add(
            &format!("DNS of {length} bytes"),
            ip(v4(UDP, udp(40_000, 53, dns()[..length].to_vec()))),
            malformed(Malformed::DnsHeader),
        );
    }
    add(
        "short tagged fragment of DNS",
        ethernet(
            VLAN,
            tag(
                IPV4,
                v4_with(
                    &[],
                    0x2000,
                    UDP,
                    udp(53, 53, response(0x0203)[..6].to_vec()),
                ),
            ),
        ),
        malformed(Malformed::DnsHeader),
    );

    // TCP.
    add(
        "SYN",
        ip(v4(TCP, tcp(40_000, 53, 0x02))),
        Tcp(TcpEvent::Syn),
    );
    add(
        "SYN-ACK",
        ip6(v6(TCP, tcp(53, 40_000, 0x12))),
        Tcp(TcpEvent::SynAck),
    );
    add(
        "RST",
        ip(v4(TCP, tcp(53, 40_000, 0x14))),
        Tcp(TcpEvent::ServerRst),
    );
    let mut refusal = tcp(53, 40_000, 0x14);
    refusal[4..8].fill(0);
    add(
        "RST that answers a SYN",
        ip6(v6(TCP, refusal)),
        Tcp(TcpEvent::Refused),
    );
    add(
        "RST to the server",
        ip(v4(TCP, tcp(40_000, 53, 0x04))),
        Tcp(TcpEvent::ClientRst),
    );
    add(
        "TCP data",
        ip(v4(TCP, tcp(40_000, 53, 0x18))),
        Expect::Class(Class::DnsTcp),
    );
    add(
        "v6 TCP of another port",
        ip6(v6(TCP, tcp(40_000, 443, 0x02))),
        not_dns,
    );
    add(
        "TCP after an extension",
        around(HOP_BY_HOP, extension(TCP, 0, tcp(40_000, 53, 2))),
        Tcp(TcpEvent::Syn),
    );
    add(
        "TCP of another port",
        ip(v4(TCP, tcp(40_000, 443, 0x02))),
        not_dns,
    );
    add(
        "TCP header cut short",
        ip(v4(TCP, tcp(40_000, 53, 2)[..13].to_vec())),
        malformed(Malformed::TcpHeader),
    );
    let mut big = v4(TCP, tcp(40_000, 53, 0x18));
    big[2..4].copy_from_slice(&[0, 0]);
    add(
        "TCP with total length 0 (BIG TCP)",
        ip(big),
        Expect::Class(Class::DnsTcp),
    );

    // ICMP errors.
    let quoted = || v4(UDP, dns_query());
    for code in 0..=16 {
        add(
            &format!("v4 unreachable, code {code}"),
            ip(v4(ICMP, icmp(3, code, quoted()))),
            Icmp(IcmpType::V4Unreachable, code, Quoted::Query),
        );
    }
    for code in 0..=8 {
        add(
            &format!("v6 unreachable, code {code}"),
            ip6(v6(ICMPV6, icmp(1, code, v6(UDP, dns_query())))),
            Icmp(IcmpType::V6Unreachable, code, Quoted::Query),
        );
    }
    add(
        "v4 time exceeded",
        ip(v4(ICMP, icmp(11, 0, quoted()))),
        Icmp(IcmpType::V4TimeExceeded, 0, Quoted::Query),
    );
    add(
        "v6 time exceeded",
        ip6(v6(ICMPV6, icmp(3, 0, v6(UDP, dns_query())))),
        Icmp(IcmpType::V6TimeExceeded, 0, Quoted::Query),
    );
    add(
        "v6 too big",
        ip6(v6(ICMPV6, icmp(2, 0, v6(UDP, dns_answer())))),
        Icmp(IcmpType::V6TooBig, 0, Quoted::Response),
    );
    let port = |quoted| Icmp(IcmpType::V4Unreachable, 3, quoted);
    add(
        "from a router",
        ip(v4_between(
            ROUTER,
            CLIENT,
            &[],
            0,
            ICMP,
            icmp(3, 13, quoted()),
        )),
        Icmp(IcmpType::V4Unreachable, 13, Quoted::Query),
    );
    add(
        "from the server",
        ip(v4_between(
            SERVER,
            CLIENT,
            &[],
            0,
            ICMP,
            icmp(3, 3, quoted()),
        )),
        port(Quoted::Query),
    );
    add(
        "backscatter",
        ip(v4(ICMP, icmp(3, 3, v4(UDP, dns_answer())))),
        port(Quoted::Response),
    );
    add(
        "QR decides in quotes too",
        ip(v4(ICMP, icmp(3, 3, v4(UDP, udp(40_000, 53, response(0)))))),
        port(Quoted::Response),
    );
    for length in [8, 12, 19] {
        let mut query = quoted();
        query.truncate(20 + length);
        add(
            &format!("query quoted with {length} bytes"),
            ip(v4(ICMP, icmp(3, 3, query))),
            port(Quoted::Query),
        );
        let mut answer = v4(UDP, dns_answer());
        answer.truncate(20 + length);
        add(
            &format!("response quoted with {length} bytes"),
            ip(v4(ICMP, icmp(3, 3, answer))),
            port(Quoted::Response),
        );
    }
    let mut quote = quoted();
    quote.truncate(28);
    let mut padded = v4(ICMP, icmp(3, 3, quote));
    padded.extend([0xff; 30]);
    add(
        "padding after a quote is not quoted",
        ip(padded),
        port(Quoted::Query),
    );
    add(
        "quote of other UDP",
        ip(v4(ICMP, icmp(3, 3, v4(UDP, udp(1, 33_434, vec![0; 20]))))),
        port(Quoted::Other),
    );
    add(
        "quote of TCP on port 53",
        ip(v4(ICMP, icmp(3, 3, v4(TCP, tcp(40_000, 53, 2))))),
        port(Quoted::Other),
    );
    add(
        "quote cut inside IP",
        ip(v4(ICMP, icmp(3, 3, quoted()[..19].to_vec()))),
        port(Quoted::Unreadable),
    );
    add(
        "quote cut inside ports",
        ip(v4(ICMP, icmp(3, 3, quoted()[..23].to_vec()))),
        port(Quoted::Unreadable),
    );
    add(
        "quote of no IP",
        ip(v4(ICMP, icmp(3, 3, vec![0; 40]))),
        port(Quoted::Unreadable),
    );
    add(
        "quote with options",
        ip(v4(ICMP, icmp(3, 3, v4_with(&[1; 12], 0, UDP, dns_query())))),
        port(Quoted::Query),
    );
    add(
        "quote of a first fragment",
        ip(v4(ICMP, icmp(3, 3, v4_with(&[], 0x2000, UDP, dns_query())))),
        port(Quoted::Query),
    );
    add(
        "quote of a later fragment",
        ip(v4(ICMP, icmp(3, 3, v4_with(&[], 5, UDP, dns_query())))),
        port(Quoted::Other),
    );
    let no_port6 = |quoted| Icmp(IcmpType::V6Unreachable, 4, quoted);
    add(
        "quote with extension headers",
        ip6(v6(
            ICMPV6,
            icmp(
                1,
                4,
                v6(
                    HOP_BY_HOP,
                    extension(DESTINATION, 1, extension(UDP, 0, dns_query())),
                ),
            ),
        )),
        no_port6(Quoted::Query),
    );
    add(
        "v6 quote of a first fragment",
        ip6(v6(
            ICMPV6,
            icmp(1, 4, v6(FRAGMENT, fragment6(UDP, 1, dns_query()))),
        )),
        no_port6(Quoted::Query),
    );
    add(
        "v6 quote of a later fragment",
        ip6(v6(
            ICMPV6,
            icmp(1, 4, v6(FRAGMENT, fragment6(UDP, 0x00c8, dns_query()))),
        )),
        no_port6(Quoted::Other),
    );
    add(
        "v6 quote cut inside an extension",
        ip6(v6(ICMPV6, icmp(1, 4, v6(HOP_BY_HOP, vec![UDP, 0])))),
        no_port6(Quoted::Unreadable),
    );
    add(
        "v6 quote cut inside IP",
        ip6(v6(ICMPV6, icmp(1, 4, vec![0x60; 39]))),
        no_port6(Quoted::Unreadable),
    );
    add(
        "v6 quote of version 4",
        ip6(v6(ICMPV6, icmp(1, 4, quoted()))),
        no_port6(Quoted::Unreadable),
    );
    add(
        "error after an extension header",
        around(
            DESTINATION,
            extension(ICMPV6, 0, icmp(1, 1, v6(UDP, dns_query()))),
        ),
        Icmp(IcmpType::V6Unreachable, 1, Quoted::Query),
    );
    add(
        "error inside QinQ",
        ethernet(
            SERVICE_VLAN,
            tag(VLAN, tag(IPV4, v4(ICMP, icmp(3, 3, quoted())))),
        ),
        port(Quoted::Query),
    );
    add(
        "protocol unreachable",
        ip(v4(ICMP, icmp(3, 2, quoted()))),
        Icmp(IcmpType::V4Unreachable, 2, Quoted::Query),
    );
    add(
        "quote of a query from port 53 to another",
        ip(v4(ICMP, icmp(3, 3, v4(UDP, udp(53, 40_000, dns()))))),
        port(Quoted::Query),
    );
    add(
        "parameter problem",
        ip(v4(ICMP, icmp(12, 0, quoted()))),
        Icmp(IcmpType::V4ParameterProblem, 0, Quoted::Query),
    );
    add(
        "v6 parameter problem",
        ip6(v6(ICMPV6, icmp(4, 1, v6(UDP, dns_query())))),
        Icmp(IcmpType::V6ParameterProblem, 1, Quoted::Query),
    );
    add(
        "too big about an answer",
        ip6(v6(ICMPV6, icmp(2, 0, v6(UDP, dns_answer())))),
        Icmp(IcmpType::V6TooBig, 0, Quoted::Response),
    );
    add(
        "echo request",
        ip(v4(ICMP, icmp(8, 0, vec![0; 56]))),
        not_dns,
    );
    add("redirect", ip(v4(ICMP, icmp(5, 1, quoted()))), not_dns);
    add(
        "neighbour solicitation",
        ip6(v6(ICMPV6, icmp(135, 0, vec![0; 24]))),
        not_dns,
    );
    add(
        "v6 echo",
        ip6(v6(ICMPV6, icmp(128, 0, vec![0; 24]))),
        not_dns,
    );
    add(
        "ICMP header cut short",
        ip(v4(ICMP, vec![3, 3, 0])),
        malformed(Malformed::IcmpHeader),
    );
    add(
        "ICMPv6 header cut short",
        ip6(v6(ICMPV6, vec![1, 4, 0])),
        malformed(Malformed::IcmpHeader),
    );
    corpus
}
