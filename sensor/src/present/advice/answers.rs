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
    let Some(zone) = place.zone_in_a_shell() else {
        return names(place);
    };
    if place.is_authoritative() {
        return own_zone(place, &zone);
    }
    let mut steps = vec![format!(
        "`dig +trace {zone} SOA` and `dig {zone} NS`: which of its name servers answers, and with what?"
    )];
    // What does not validate is SERVFAIL, never NXDOMAIN or REFUSED.
    if place.rcode().is_none_or(|rcode| rcode == "SERVFAIL") {
        steps.push(format!(
            "`delv {zone} SOA` or `dig +cd {zone} SOA`: does the zone fail DNSSEC validation (expired signatures)?"
        ));
    } else {
        steps.push(authority(place));
    }
    steps.push(if place.on_server() {
        format!(
            "If this server is authoritative for {zone} or forwards it: is the zone loaded and current (`rndc zonestatus \
             {zone}`, `unbound-control list_forwards`)?"
        )
    } else {
        format!(
            "`{}`: does it fail from another resolver too (`dig @9.9.9.9 {}`)?",
            place.dig(""),
            place.name()
        )
    });
    steps.push(format!(
        "If the fault lies with the operator of {zone}, tell them; other names are not affected."
    ));
    steps
}

/// The server keeps the zone itself: nobody else is to blame.
fn own_zone(place: &Place<'_>, zone: &str) -> Vec<String> {
    let there = place.there();
    vec![
        format!(
            "{there}: is {zone} loaded and current (`rndc zonestatus {zone}`, `knotc zone-status {zone}`, `nsd-control zonestatus \
             {zone}`), or has it expired, or failed to load or to be signed? Its log from {} UTC on says so.",
            place.since()
        ),
        format!(
            "If it is a secondary: `dig @PRIMARY {zone} SOA` from it, and the serial that it has (`dig @{} {zone} SOA \
             +norecurse`): is the transfer refused, or late?",
            place.server
        ),
        format!(
            "What was deployed, signed or transferred shortly before {} UTC? Roll it back.",
            place.since()
        ),
        format!(
            "`dig {zone} NS`, and `dig @EACH {zone} SOA +norecurse`: do its other name servers answer?"
        ),
    ]
}

/// Names fail, and nothing says that they are of one zone.
fn names(place: &Place<'_>) -> Vec<String> {
    let name = place.name();
    vec![
        format!("`dig +trace {name}`: which server on the way answers, and with what?"),
        authority(place),
        format!(
            "`{}` and `dig @9.9.9.9 {name}`: does it fail from another resolver too?",
            place.dig("")
        ),
    ]
}

/// Who made up the error answer.
fn authority(place: &Place<'_>) -> String {
    format!(
        "`{}`: with flag `aa` the server itself holds the zone; without `aa` and without a SOA record a forwarder, a block \
         list or a response policy made the answer up.",
        place.dig("")
    )
}

/// What changed in its configuration.
pub fn misconfiguration(place: &Place<'_>) -> Vec<String> {
    let clients = place
        .failing_clients()
        .unwrap_or_else(|| "the clients".into());
    let rcode = place.rcode().unwrap_or("an error");
    let zone = place
        .zone_in_a_shell()
        .unwrap_or_else(|| "the zone of the names".into());
    let (there, port) = (place.there(), place.port);
    let why = match rcode {
        "NXDOMAIN" => format!(
            "{there}: is {zone} loaded or forwarded as before (`rndc zonestatus`, `unbound-control list_forwards`), and does a \
             block list or response policy zone cover it (`unbound-control list_local_zones`, `rpz`)?"
        ),
        "FORMERR" | "NOTIMP" => format!(
            "`{}`: does it answer without EDNS? {there}: was the service, or a proxy in front of port {port}, exchanged or \
             upgraded?",
            place.dig("+noedns")
        ),
        "SERVFAIL" => format!(
            "{there}: is {zone} loaded (`rndc zonestatus`, `named-checkzone`), and are its forwarders reachable?"
        ),
        "REFUSED" => format!(
            "{there}: do access lists admit {clients} (`allow-query`, `allow-recursion`, `access-control`), and is {zone} \
             configured and loaded?"
        ),
        _ => format!("{there}: which change of its configuration explains it for {clients}?"),
    };
    vec![
        // What is denied says in its own header who denies it.
        if rcode == "NXDOMAIN" {
            authority(place)
        } else {
            format!("`{}`: does {rcode} come back?", place.dig(""))
        },
        why,
        format!(
            "{there}: what was changed or reloaded shortly before {} UTC? Check it (`named-checkconf -z`, \
             `unbound-checkconf`) or roll it back.",
            place.since()
        ),
    ]
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
            "{}: `ip route get {}` and `ip addr`: the kernel picks {from} as source; bind the service to {server} \
             itself (`listen-on`, `interface`, `interface-automatic: yes`).",
            place.there(),
            place.failing_client().unwrap_or("CLIENT")
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
    let limited = place.find(|finding| match finding {
        Finding::AnswersLimited { network, .. } => Some(network.as_str()),
        _ => None,
    });
    if let Some(network) = limited {
        return limited_steps(place, network);
    }
    let sources = place
        .failing_clients()
        .unwrap_or_else(|| "the refused sources".into());
    let question = place
        .question()
        .map_or_else(String::new, |question| format!(", for {question}"));
    let mut steps: Vec<String> = place
        .no_outage("own clients are served.")
        .into_iter()
        .collect();
    steps.extend([
        format!(
            "Refused: {sources}{question}. Are they meant to use this server? If so, add them to the access list; if not, \
             leave them refused."
        ),
        format!(
            "If the load matters, drop the strangers before the server: `{}` shows them; limit the rate of REFUSED answers \
             (response rate limiting).",
            place.tcpdump()
        ),
    ]);
    steps
}

/// The server limits what one network gets.
fn limited_steps(place: &Place<'_>, network: &str) -> Vec<String> {
    vec![
        format!(
            "Whose network is {network}? If a resolver or NAT with clients of yours is in it, they have an outage: exempt it from \
             response rate limiting (BIND `exempt-clients`, Knot `mod-rrl` whitelist) or raise the limit."
        ),
        format!("What does it ask? `tcpdump -ni any 'net {network} and port {}'` shows the names.", place.port),
        "If it is a stranger, or the victim of forged queries: leave it limited. Other networks are served; it can wait for the \
         morning."
            .into(),
    ]
}
