//! Floods and abuse.

use std::net::IpAddr;

use super::place::Place;
use crate::incident::diagnosis::Finding;

/// The start of a rule about a source before the server.
fn rule(place: &Place<'_>, source: &str) -> String {
    let address = source.split('/').next().unwrap_or(source);
    let family = match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => "ip6",
        _ => "ip",
    };
    format!(
        "nft insert rule inet filter input {family} saddr {source} udp dport {}",
        place.port
    )
}

/// Who it is, and how to stop it.
pub fn one_source(place: &Place<'_>) -> Vec<String> {
    let source = place.heaviest().unwrap_or("SOURCE");
    let program = format!(
        "If {source} is a host of yours: find the program behind it (malware, a retry loop) and stop it."
    );
    if place.has_one_client() {
        // Dropping it would be an outage of all that is served.
        let mut steps = vec![
            format!(
                "{source} is the only client seen, or nearly: do not drop it. On {source}: `ss -unp 'dport = :{}'` or `{}`: \
                 which program asks so much, and for what?",
                place.port,
                place.tcpdump()
            ),
            format!("{program} A local cache absorbs repeats."),
        ];
        steps.extend(limited(place));
        if place.limit().is_none() {
            steps.push(format!(
                "If {source} is a resolver or NAT with many clients: look for the heavy one behind it."
            ));
        }
        return steps;
    }
    let block = if place.on_client() {
        format!(
            "Ask the operator of {} to limit {source} there: it cannot be done from here.",
            place.server
        )
    } else {
        format!(
            "Limit it before the server to what is usual: `{} limit rate over {}/second drop` (chain `forward` on a router).",
            rule(place, source),
            place.usual_rate()
        )
    };
    let mut steps = vec![
        format!(
            "Who is {source} (`whois {source}`, `dig -x {source}`)? A resolver or NAT with many clients may be entitled to \
             that rate: then name it with `--trusted {source}`."
        ),
        block,
        program,
    ];
    steps.extend(limited(place));
    steps
}

/// A server that answers as fast as ever, and no more than so much.
pub fn limited(place: &Place<'_>) -> Option<String> {
    let limit = place.limit()?;
    Some(format!(
        "{} answered about {limit}/s, as fast as ever: does a quota apply (AWS: 1,024 packets a second for each network \
         interface; response rate limiting)? Ask through a cache that is nearer, or ask other servers too.",
        place.server
    ))
}

/// What the sources share.
pub fn distributed(place: &Place<'_>) -> Vec<String> {
    vec![
        "What do the sources share: networks, names, query types? See \"Evidence\" below; filter by that, not by single addresses."
            .into(),
        format!(
            "{}: switch on rate limits for each client network (`rate-limit`, `ratelimit`, `ip-ratelimit`).",
            place.there()
        ),
        "Ask the upstream provider to filter, or move the service behind anycast or scrubbing, if the link is full (`ip -s link`).".into(),
    ]
}

/// Nothing by source.
pub fn spoofed(place: &Place<'_>) -> Vec<String> {
    vec![
        "Do not block by source address: the addresses are forged, and blocking hits bystanders.".into(),
        format!(
            "{}: switch on response rate limiting with truncation (BIND `rate-limit {{ responses-per-second 10; slip 2; }};`, \
             Knot `mod-rrl`) or DNS cookies: real clients return over TCP.",
            place.there()
        ),
        "Tell the upstream provider: the flood must be filtered before it arrives, and its origin can only be traced there."
            .into(),
    ]
}

/// The zone.
pub fn random_names(place: &Place<'_>) -> Vec<String> {
    let zone = place.zone_in_a_shell().unwrap_or_else(|| "ZONE".into());
    vec![
        format!("`dig {zone} NS +trace`: whose zone is {zone}, and do its name servers still answer?"),
        format!(
            "On a resolver: limit or answer locally for {zone} (`unbound-control local_zone {zone} refuse`, BIND \
             `fetches-per-zone 200;`) and switch on aggressive NSEC (RFC 8198)."
        ),
        "On an authoritative server: switch on response rate limiting; keep honest resolvers among the sources unblocked.".into(),
        format!("Clients of yours that ask: open forwarders or infected hosts? `{}` shows them.", place.tcpdump()),
    ]
}

/// Close it.
pub fn amplification(place: &Place<'_>) -> Vec<String> {
    let victim = place
        .find(|finding| match finding {
            Finding::LargeAnswers { network, .. } => Some(network.as_str()),
            _ => None,
        })
        .unwrap_or("the victim");
    vec![
        format!(
            "{}: is it meant to answer everybody? If it is a resolver, restrict recursion to its own clients \
             (`allow-recursion`, `access-control`).",
            place.there()
        ),
        format!(
            "Limit responses towards {victim} (`rate-limit`, `mod-rrl`); {victim} is the victim, not the attacker."
        ),
        "Answer ANY minimally (RFC 8482: `minimal-any yes`) and keep UDP answers at 1232 bytes."
            .into(),
    ]
}

/// Before the link.
pub fn reflection(place: &Place<'_>) -> Vec<String> {
    let victim = place
        .find(|finding| match finding {
            Finding::UnaskedAnswers { victim, .. } => Some(victim.as_str()),
            _ => None,
        })
        .unwrap_or("the victim");
    vec![
        format!(
            "On {victim} and its router: is the link full (`ip -s link`, `sar -n DEV 1`)? What else suffers?"
        ),
        format!(
            "Ask the upstream provider to drop UDP from source port 53 to {victim}, but for the resolvers that it uses."
        ),
        "The responses come from honest servers: report them as open resolvers later; blocking them one by one does not help."
            .into(),
    ]
}

/// Drop what is no DNS.
pub fn garbage(place: &Place<'_>) -> Vec<String> {
    let source = place.heaviest();
    vec![
        format!(
            "`tcpdump -ni any -c 20 -X 'udp port {} and host {}'`: what do the messages hold?",
            place.port, place.server
        ),
        match source {
            Some(source) => format!(
                "Drop the heaviest source, {source}, if it sends nothing valid: `{} drop` (chain `forward` on a router).",
                rule(place, source)
            ),
            None => "Drop the sources that send nothing valid.".into(),
        },
        format!(
            "{}: does the service stay up (`systemctl status`)? Install pending security updates.",
            place.there()
        ),
    ]
}

/// Cookies and limits.
pub fn syn(place: &Place<'_>) -> Vec<String> {
    let port = place.port;
    vec![
        format!(
            "{}: `sysctl -w net.ipv4.tcp_syncookies=1`; `nstat -az TcpExtListenDrops TcpExtSyncookiesSent`: do they rise?",
            place.there()
        ),
        format!(
            "{}: `ss -tn state syn-recv 'sport = :{port}' | wc -l`: how many half-open connections wait?",
            place.there()
        ),
        format!(
            "Limit new connections: `nft add rule inet filter input tcp dport {port} ct state new limit rate over 200/second drop` (this leaves DNS over UDP alone)."
        ),
    ]
}

/// Who looks.
pub fn scan(place: &Place<'_>) -> Vec<String> {
    let source = place.heaviest().unwrap_or("SOURCE");
    let mut steps: Vec<String> = place
        .no_outage("nobody is denied service by a scan.")
        .into_iter()
        .collect();
    steps.extend([
        format!(
            "Who is {source}? `whois {source}` and `dig -x {source}`: research scanners usually have a PTR record and an \
             opt-out page."
        ),
        "Do hosts of yours answer that should not? `nmap -sU -p 53 --open NETWORK` from outside."
            .into(),
    ]);
    steps
}
