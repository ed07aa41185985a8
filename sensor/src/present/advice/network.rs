//! Filters, hosts and paths.

use super::place::Place;
use super::service::meanwhile;

fn sender(place: &Place<'_>) -> String {
    place
        .icmp_sender()
        .unwrap_or("the sender of the ICMP errors")
        .into()
}

/// The rule that rejects.
pub fn rejects(place: &Place<'_>) -> Vec<String> {
    let (sender, port) = (sender(place), place.port);
    let clients = place
        .clients()
        .map_or_else(String::new, |clients| format!(" for {clients}"));
    let own_sender = place.icmp_sender().is_none_or(|from| from == place.server);
    let rules = format!(
        "`nft list ruleset | grep -n -e reject -e 'dport {port}'` or `iptables-save | grep -n REJECT`"
    );
    let which = if place.on_server() && own_sender {
        format!("{rules}: which rule rejects UDP port {port}{clients}?")
    } else if own_sender {
        format!(
            "On {sender}, which rejects from its own address: {rules}: which rule is it{clients}?"
        )
    } else {
        format!(
            "On {sender}, which sends the errors: {rules}, or its access lists: which rule rejects UDP port {port}{clients}?"
        )
    };
    let mut steps: Vec<String> = Some(which)
        .filter(|_| !place.filter_is_named())
        .into_iter()
        .collect();
    steps.extend([
        format!(
            "What was changed there shortly before {} UTC? Roll it back.",
            place.since()
        ),
        format!(
            "`{}` from another network: does the rule reject everybody or some clients?",
            place.dig("+tries=1 +time=2")
        ),
    ]);
    steps
}

/// Where a resolver reaches nobody, steps are for its host.
fn on_resolver(place: &Place<'_>) -> String {
    place
        .resolver()
        .map_or_else(String::new, |resolver| format!("On {resolver}: "))
}

/// Where the queries, or the answers, end.
pub fn drops(place: &Place<'_>) -> Vec<String> {
    let (server, port) = (place.server, place.port);
    let tcp = if place.is_partial() {
        format!(
            "`{}`, and the same with +tcp: 0 lost over TCP means that only UDP port {port} is dropped.",
            place.dig_often("")
        )
    } else {
        format!(
            "{}`{}`: an answer over TCP means that only UDP port {port} is dropped.",
            on_resolver(place),
            place.dig("+tcp +tries=1 +time=2")
        )
    };
    let changed = format!(
        "Which filter, security group or ACL was changed shortly before {} UTC? Roll it back.",
        place.since()
    );
    if place.on_server() {
        let mut steps = vec![if place.is_partial() {
            format!(
                "{}: `{}`: 0 means that the service is fine, and packets are dropped between the network card and its socket, \
                 or answers on their way out.",
                place.there(),
                place.dig_often("")
            )
        } else {
            format!(
                "{}: `{}`: an answer means that the service is fine and a filter drops the rest.",
                place.there(),
                place.dig("+tries=1")
            )
        }];
        if !place.filter_is_named() {
            steps.push("Twice, ten seconds apart: `nft list ruleset | grep -n drop` and `iptables-save -c | grep DROP`: does a counter rise?".into());
        }
        steps.extend([
            format!(
                "`{}`: do answers leave the server's host? If so, they are dropped further out.",
                place.tcpdump()
            ),
            changed,
        ]);
        return steps;
    }
    vec![
        tcp,
        if place.on_client() {
            format!("`mtr -nu -P {port} {server}`: where do UDP probes to port {port} end?")
        } else {
            format!(
                "Capture before and behind each filter on the path (`{}`): where do queries or answers end?",
                place.tcpdump()
            )
        },
        format!(
            "On {server}: `tcpdump -ni any udp port {port}`: do queries arrive, do answers leave?"
        ),
        changed,
    ]
}

/// The last hop.
pub fn host_down(place: &Place<'_>) -> Vec<String> {
    let server = place.server;
    let router = place.icmp_sender().map_or_else(
        || "the last router".to_string(),
        |router| format!("{router} (it reports the host as unreachable)"),
    );
    vec![
        format!("`ping -c 3 {server}`; on {router}: `ip neigh show {server}`: FAILED or INCOMPLETE means no ARP or NDP answer."),
        format!("Look at the console, power and switch port of {server} (hypervisor or IPMI: is it running?)."),
        "If the host runs: is its interface up with the right address and VLAN (`ip -br addr`, `ip -br link`)?".into(),
        meanwhile(place),
    ]
}

/// The broken link or route.
pub fn path_down(place: &Place<'_>) -> Vec<String> {
    if place.loses_answers() {
        return answers_lost(place);
    }
    let server = place.server;
    let mut steps = vec![if let Some(resolver) = place.resolver() {
        format!(
            "On {resolver}: `ip -br link`, `ip route` and `mtr -n {server}` (one of the servers that it asks): is its uplink \
             up, and where does the path end?"
        )
    } else if place.on_server() {
        format!(
            "{}: `ip -br link`, `ip route` and `ping` to the default gateway: is its uplink up?",
            place.there()
        )
    } else {
        format!(
            "`mtr -n {server}` (or `traceroute -n {server}`): at which hop does it end, or between which does it loop?"
        )
    }];
    if let Some(router) = place.icmp_sender() {
        steps.push(format!(
            "On {router}, which sends the ICMP errors: `ip route get {server}` and the state of its links and routing \
             protocol (BGP, OSPF)."
        ));
    } else {
        steps.push("On the last router that answers: its route to the target, its links, its routing protocol (BGP, OSPF).".into());
    }
    steps.push(format!(
        "Does anything else behind that router answer? What was changed there shortly before {} UTC?",
        place.since()
    ));
    steps
}

/// The way back: the queries arrive, and the answers do not.
fn answers_lost(place: &Place<'_>) -> Vec<String> {
    let client = place.failing_client().unwrap_or("CLIENT");
    let clients = place
        .failing_clients()
        .unwrap_or_else(|| "the clients".into());
    let router = place.response_icmp_sender();
    vec![
        match router {
            Some(router) => format!(
                "On {router}, which rejects the answers: `ip route get {client}`: where is its route to {clients}?"
            ),
            None => format!(
                "{}: `ip route get {client}` and `mtr -n {client}`: where do the answers to {clients} end?",
                place.there()
            ),
        },
        format!(
            "{}: `tcpdump -ni any 'host {client} and (port {} or icmp or icmp6)'`: do the answers leave, and what comes back?",
            place.there(),
            place.port
        ),
        format!(
            "Which route, link or filter towards {clients} was changed shortly before {} UTC? Roll it back.",
            place.since()
        ),
    ]
}

/// Where packets are lost.
pub fn loss(place: &Place<'_>) -> Vec<String> {
    let target = if place.on_server() {
        place.failing_client().unwrap_or("a client that fails")
    } else {
        place.server
    };
    let mut steps: Vec<String> = place
        .copies_after()
        .map(|after| {
            format!(
                "Nearly all copies come {after} later, as one kind of stub resolver sends them: where its A and AAAA queries share a socket, \
                 connection tracking may lose one of them. On the clients' hosts and the NAT: `conntrack -S`: does `insert_failed` \
                 rise? `options single-request-reopen` in resolv.conf avoids the race."
            )
        })
        .into_iter()
        .collect();
    if !place.on_server() {
        steps.push(format!(
            "On {target}: `{}`: do the queries arrive that are not answered? Then the server leaves them, and it is no loss \
             on the path.",
            place.tcpdump()
        ));
    }
    steps.extend([
        format!("`mtr -nu -P {} -c 100 {target}`: at which hop does the loss begin and stay?", place.port),
        format!(
            "`ip -s link` and `ethtool -S IFACE | grep -i -e err -e drop` on {} and on the hop where it begins: errors, duplex, \
             full queues?",
            place.this_host()
        ),
        "Is a link on the path saturated (interface counters, `tc -s qdisc`)?".into(),
    ]);
    steps
}

/// The table, and the race.
pub fn connection_tracking(place: &Place<'_>) -> Vec<String> {
    let host = if place.on_client() {
        format!("On {} and its router or NAT", place.this_host())
    } else if place.on_server() {
        place.there()
    } else {
        "On the router or NAT on the path".into()
    };
    let mut steps = Vec::new();
    if !place.tracking_is_named() {
        steps.extend([
            format!("{host}: `sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max` and `dmesg | grep conntrack`: is the table full?"),
            format!("{host}: `conntrack -S`: do `drop` or `insert_failed` rise (the race of A and AAAA from one socket)?"),
        ]);
    }
    steps.extend([
        format!(
            "Take DNS out of tracking: `nft add rule inet raw prerouting udp dport {} notrack` (and the answers), or raise nf_conntrack_max.",
            place.port
        ),
        "For the race alone: `options single-request-reopen` in the clients' resolv.conf, or a local cache.".into(),
    ]);
    steps
}

/// Smaller answers.
pub fn path_mtu(place: &Place<'_>) -> Vec<String> {
    let narrow = place.path_mtu().map_or_else(String::new, |mtu| {
        format!(" (the narrow link takes {mtu} bytes)")
    });
    let behind = place.failing_client().map_or_else(
        || "From behind the narrow link".into(),
        |client| format!("From {client} or its network"),
    );
    let dig = |options: &str| place.dig(&format!("DNSKEY +dnssec {options}"));
    vec![
        format!(
            "{behind}: `{}` fails and `{}` answers: large answers are lost on the way{narrow}.",
            dig("+bufsize=4096 +ignore +tries=1"),
            dig("+bufsize=1232 +tries=1")
        ),
        format!(
            "{behind}: `{}`: does TCP carry the large answer, so that truncated ones can be fetched?",
            dig("+tcp +tries=1")
        ),
        format!(
            "{}: let no answer over UDP be larger than 1232 bytes (BIND `max-udp-size 1232;`, Unbound `max-udp-size: 1232`, \
             Knot `udp-max-payload: 1232`) and reload.",
            place.there()
        ),
        match place.response_icmp_sender() {
            Some(router) => format!(
                "At {router}, which sends the errors: is a tunnel or VPN new? Does a filter on the way to {} drop them?",
                place.server
            ),
            None => "On the path: is a tunnel or VPN new, does a filter drop ICMP \"packet too big\" or fragments?".into(),
        },
    ]
}

/// Who blocks TCP.
pub fn tcp_blocked(place: &Place<'_>) -> Vec<String> {
    let port = place.port;
    vec![
        format!(
            "`{}`: does the connection open? `{}` over UDP should answer, be it with the flag `tc`.",
            place.dig("+tcp +tries=1"),
            place.dig("+ignore +tries=1")
        ),
        format!(
            "{}: `ss -ltnp 'sport = :{port}'`: does the service listen on TCP, and is its backlog full (Recv-Q)?",
            place.there()
        ),
        format!(
            "Which filter on the host or path admits UDP port {port} and not TCP? DNS needs both (RFC 7766)."
        ),
    ]
}
