//! Servers that answer, and what is wrong with the answers.

use super::place::Place;
use crate::incident::diagnosis::Finding;

/// Ask what it asks.
pub fn upstream(place: &Place<'_>) -> Vec<String> {
    let upstream = place.find(|finding| match finding {
        Finding::UpstreamFails { upstreams } => upstreams.first().map(String::as_str),
        _ => None,
    });
    let direct = match upstream {
        Some(upstream) => format!(
            "{}: `{}`: does the upstream {upstream} answer at all?",
            place.there(),
            place.dig_at(upstream, "+tries=1")
        ),
        None => format!(
            "{}: query its forwarders or the authoritative servers directly (`dig @UPSTREAM {}`, `dig +trace {}`).",
            place.there(),
            place.name(),
            place.name()
        ),
    };
    let path = match upstream {
        Some(upstream) => format!(
            "{}: `mtr -n {upstream}`: is the path to it intact?",
            place.there()
        ),
        None => format!(
            "{}: is its own uplink intact (`ip route`, `mtr -n` to an upstream)?",
            place.there()
        ),
    };
    vec![
        direct,
        path,
        format!(
            "`{}`: if this answers and the same without +cd does not, DNSSEC validation fails (check the clock and the \
             trust anchor).",
            place.dig("+cd")
        ),
        "If the upstream stays down, configure another forwarder and reload the service.".into(),
    ]
}

/// Follow the delegation.
pub fn zone(place: &Place<'_>) -> Vec<String> {
    let zone = place.zone_in_a_shell().unwrap_or_else(|| "ZONE".into());
    vec![
        format!(
            "`dig +trace {zone}` and `dig {zone} NS`: which of its name servers answers, and with what?"
        ),
        format!(
            "`delv {zone} SOA` or `dig +cd {zone} SOA`: does the zone fail DNSSEC validation (expired signatures)?"
        ),
        if place.on_server() {
            format!(
                "If this server is authoritative for {zone} or forwards it: is the zone loaded and current (`rndc \
                 zonestatus {zone}`, `unbound-control list_forwards`)?"
            )
        } else {
            format!(
                "`{}`: does it fail from another resolver too (`dig @9.9.9.9 {zone}`)?",
                place.dig("")
            )
        },
        format!(
            "If the fault lies with the operator of {zone}, tell them; other names are not affected."
        ),
    ]
}

/// What changed in its configuration.
pub fn misconfiguration(place: &Place<'_>) -> Vec<String> {
    let clients = place.clients().unwrap_or("the clients");
    let mut steps = vec![format!(
        "`{}`: which rcode comes back, and for which names?",
        place.dig("+norec")
    )];
    steps.push(format!(
        "{}: do access lists admit {clients} (`allow-query`, `allow-recursion`, `access-control`), and is the zone \
         configured and loaded?",
        place.there()
    ));
    steps.push(format!(
        "{}: what was changed or reloaded shortly before {} UTC? Check it (`named-checkconf -z`, `unbound-checkconf`) or \
         roll it back.",
        place.there(),
        place.since()
    ));
    steps
}

/// Which address it answers from, and why.
pub fn wrong_source(place: &Place<'_>) -> Vec<String> {
    let from = place
        .find(|finding| match finding {
            Finding::WrongSource { from, .. } => Some(from.as_str()),
            _ => None,
        })
        .unwrap_or("another address");
    let server = place.server;
    vec![
        format!(
            "`{}`: dig reports \"reply from unexpected source: {from}\".",
            place.dig("+tries=1")
        ),
        format!(
            "{}: `ip route get CLIENT` and `ip addr`: the kernel picks {from} as source; bind the service to {server} \
             itself (`listen-on`, `interface`, `interface-automatic: yes`).",
            place.there()
        ),
        format!(
            "If {from} is a NAT or load balancer: does it translate the answers back to {server}? `conntrack -L -p udp \
             --dport {}` on it.",
            place.port
        ),
    ]
}

/// Nothing is broken.
pub fn unwanted(place: &Place<'_>) -> Vec<String> {
    let source = place.heaviest().unwrap_or("the strangers");
    vec![
        "No outage: own clients are served. It can wait for the morning.".into(),
        format!(
            "Is {source} meant to use this server? If so, add it to the access list; if not, leave it refused."
        ),
        format!(
            "If the load matters, drop the strangers before the server: `{}` shows them; limit the rate of REFUSED answers \
             (response rate limiting).",
            place.tcpdump()
        ),
    ]
}
