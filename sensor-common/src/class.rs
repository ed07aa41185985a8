//! The closed lists that packets are sorted into. Every number here is an index into a counter
//! array of [`crate::totals::Totals`].

macro_rules! list {
    ($(#[$meta:meta])* $name:ident, $count:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every value, in the order of its index.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Position in the counter array.
            #[inline(always)]
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The name used in output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        const _: () = assert!($name::ALL.len() <= $count);
    };
}

/// Room for [`Class`] in the counter array.
pub const CLASSES: usize = 8;
/// Room for [`Malformed`] in the counter array.
pub const MALFORMED: usize = 16;
/// Room for [`QuestionState`] in the counter array.
pub const QUESTION_STATES: usize = 4;
/// Room for [`TcpEvent`] in the counter array.
pub const TCP_EVENTS: usize = 8;
/// Room for [`IcmpType`] in the counter array.
pub const ICMP_TYPES: usize = 8;
/// Room for [`Quoted`] in the counter array.
pub const QUOTED: usize = 4;
/// Room for [`SampleKind`] in the counter array.
pub const SAMPLE_KINDS: usize = 4;
/// Room for [`ErrorKind`] in the counter array.
pub const ERROR_KINDS: usize = 8;

list! {
    /// What a packet is. Each packet has exactly one class.
    Class, CLASSES {
        /// Not one of the others: another protocol, another port, a tunnel.
        NotDns = "not_dns",
        /// UDP from or to a DNS port with a whole DNS header and QR 0 (RFC 1035, 4.1.1).
        DnsQuery = "dns_query",
        /// The same with QR 1.
        DnsResponse = "dns_response",
        /// TCP from or to a DNS port (RFC 7766).
        DnsTcp = "dns_tcp",
        /// ICMP destination unreachable, packet too big, time exceeded or parameter problem (RFC 792, RFC 4443).
        IcmpError = "icmp_error",
        /// An IP fragment other than the first: it has no ports.
        Fragment = "fragment",
        /// Headers that contradict themselves or end too early; see [`Malformed`].
        Malformed = "malformed",
    }
}

list! {
    /// Why a packet is malformed.
    Malformed, MALFORMED {
        /// The frame ends inside its link-layer header.
        LinkHeader = "link_header",
        /// The frame ends inside a VLAN tag.
        VlanTag = "vlan_tag",
        /// IP header cut short, of the wrong version, or IPv4 with IHL below 5.
        IpHeader = "ip_header",
        /// IPv4 total length smaller than the header.
        IpLength = "ip_length",
        /// The frame ends inside an IPv6 extension header.
        Ipv6Extension = "ipv6_extension",
        /// More IPv6 extension headers than [`crate::settings::MAX_EXTENSION_HEADERS`].
        Ipv6ExtensionCount = "ipv6_extension_count",
        /// UDP header cut short by the frame or by the IP length.
        UdpHeader = "udp_header",
        /// DNS port, and the UDP length is under 8 or beyond the IP payload (RFC 768).
        UdpLength = "udp_length",
        /// TCP header cut short.
        TcpHeader = "tcp_header",
        /// ICMP header cut short.
        IcmpHeader = "icmp_header",
        /// DNS port, and the payload is shorter than the 12 bytes of a DNS header.
        DnsHeader = "dns_header",
        /// The kernel would not hand out the rest of a packet that it keeps in pieces.
        Unreadable = "unreadable",
    }
}

list! {
    /// How far the question of a DNS query could be read.
    QuestionState, QUESTION_STATES {
        /// The question type is known.
        Read = "read",
        /// QDCOUNT is 0.
        Absent = "absent",
        /// More labels than [`crate::settings::MAX_LABELS`].
        TooManyLabels = "too_many_labels",
        /// A label over 63 bytes, a name over 255, or the message ends first.
        Malformed = "malformed",
    }
}

list! {
    /// TCP segments on a DNS port that open or refuse a connection.
    TcpEvent, TCP_EVENTS {
        /// SYN without ACK.
        Syn = "syn",
        /// SYN with ACK.
        SynAck = "syn_ack",
        /// RST that the client sent.
        ClientRst = "client_rst",
        /// RST of the server's address that ends a connection.
        ServerRst = "server_rst",
        /// RST of the server's address that answers a SYN: nobody listens, or a filter rejects it. It acknowledges
        /// and has the sequence number 0 (RFC 9293, 3.10.7.1).
        Refused = "refused",
    }
}

list! {
    /// ICMP types that report an undelivered packet.
    IcmpType, ICMP_TYPES {
        /// `ICMPv4` type 3.
        V4Unreachable = "v4:3",
        /// `ICMPv4` type 11.
        V4TimeExceeded = "v4:11",
        /// `ICMPv6` type 1.
        V6Unreachable = "v6:1",
        /// `ICMPv6` type 2.
        V6TooBig = "v6:2",
        /// `ICMPv6` type 3.
        V6TimeExceeded = "v6:3",
        /// `ICMPv4` type 12.
        V4ParameterProblem = "v4:12",
        /// `ICMPv6` type 4.
        V6ParameterProblem = "v6:4",
    }
}

impl IcmpType {
    /// `"v4"` or `"v6"`.
    #[must_use]
    pub const fn family(self) -> &'static str {
        match self {
            Self::V4Unreachable | Self::V4TimeExceeded | Self::V4ParameterProblem => "v4",
            Self::V6Unreachable
            | Self::V6TooBig
            | Self::V6TimeExceeded
            | Self::V6ParameterProblem => "v6",
        }
    }

    /// The number in the ICMP header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V4Unreachable | Self::V6TimeExceeded => 3,
            Self::V4TimeExceeded => 11,
            Self::V4ParameterProblem => 12,
            Self::V6ParameterProblem => 4,
            Self::V6Unreachable => 1,
            Self::V6TooBig => 2,
        }
    }
}

list! {
    /// What an ICMP error quotes.
    Quoted, QUOTED {
        /// A DNS query: the error says that it did not reach the server.
        Query = "query",
        /// A DNS response: somebody did not want our answer (backscatter).
        Response = "response",
        /// Readable, and not DNS over UDP.
        Other = "other",
        /// Too short to tell.
        Unreadable = "unreadable",
    }
}

list! {
    /// ICMP errors by what they say of the path to the destination, the same for both families.
    ErrorKind, ERROR_KINDS {
        /// Port unreachable: v4 3/3, v6 1/4.
        Port = "port_unreachable",
        /// Administratively prohibited: v4 3/9, 3/10, 3/13; v6 1/1, 1/5, 1/6.
        Prohibited = "prohibited",
        /// Host unreachable: v4 3/1, 3/5, 3/7, 3/8, 3/12; v6 1/3.
        Host = "host_unreachable",
        /// Network unreachable: v4 3/0, 3/6, 3/11; v6 1/0.
        Network = "network_unreachable",
        /// Fragmentation needed or packet too big: v4 3/4, v6 2.
        TooBig = "too_big",
        /// Time exceeded: v4 11, v6 3.
        TimeExceeded = "time_exceeded",
        /// Protocol unreachable: v4 3/2, v6 4/1.
        Protocol = "protocol_unreachable",
        /// Any other code, and parameter problem: v4 12, v6 4.
        Other = "other",
    }
}

impl ErrorKind {
    /// Sorts a type and code by what it means (RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1,
    /// RFC 4443 3.1 and 3.4).
    #[inline(always)]
    #[must_use]
    pub const fn of(icmp_type: IcmpType, code: u8) -> Self {
        match (icmp_type, code) {
            (IcmpType::V4Unreachable, 3) | (IcmpType::V6Unreachable, 4) => Self::Port,
            (IcmpType::V4Unreachable, 9 | 10 | 13) | (IcmpType::V6Unreachable, 1 | 5 | 6) => {
                Self::Prohibited
            }
            (IcmpType::V4Unreachable, 1 | 5 | 7 | 8 | 12) | (IcmpType::V6Unreachable, 3) => {
                Self::Host
            }
            (IcmpType::V4Unreachable, 0 | 6 | 11) | (IcmpType::V6Unreachable, 0) => Self::Network,
            (IcmpType::V4Unreachable, 4) | (IcmpType::V6TooBig, _) => Self::TooBig,
            (IcmpType::V4TimeExceeded | IcmpType::V6TimeExceeded, _) => Self::TimeExceeded,
            (IcmpType::V4Unreachable, 2) | (IcmpType::V6ParameterProblem, 1) => Self::Protocol,
            _ => Self::Other,
        }
    }

    /// Somebody on the path refuses: no datagram of its kind arrives. The others may be about one packet or
    /// one moment.
    #[must_use]
    pub const fn is_rejection(self) -> bool {
        matches!(
            self,
            Self::Port | Self::Prohibited | Self::Host | Self::Network
        )
    }
}

list! {
    /// Why a sample of a packet was taken.
    SampleKind, SAMPLE_KINDS {
        /// Its transaction was chosen: every packet of it is sampled.
        Transaction = "transaction",
        /// An ICMP error that quotes too little of a DNS message to know which.
        ShortQuote = "short_quote",
        /// No genuine message; see [`crate::totals::Totals::garbage`].
        Garbage = "garbage",
        /// Forged; see [`crate::totals::Totals::forged`].
        Forged = "forged",
    }
}
