//! The service, and what this host's own programs do.

use super::attack::limited;
use super::place::Place;

/// Whether it runs, why it stopped, and what else looks the same.
pub fn down(place: &Place<'_>) -> Vec<String> {
    let (port, server) = (place.port, place.server);
    if place.on_server() {
        return vec![
            format!("`ss -lunp 'sport = :{port}'`: does anything listen on {server}, 0.0.0.0 or [::]?"),
            format!(
                "`systemctl --failed` and `journalctl --since '{} UTC'`: why did the service exit (crash, OOM kill, \
                 upgrade, bad configuration)?",
                place.since()
            ),
            "Check the configuration before a restart (`named-checkconf -z`, `unbound-checkconf`, `knotc conf-check`), \
             then restart the service."
                .into(),
            "If it listens after all: `nft list ruleset | grep -n reject` (a REJECT rule sends the same ICMP error)."
                .into(),
        ];
    }
    vec![
        format!(
            "`{}`: \"connection refused\" confirms it; an answer means that it is back.",
            place.dig("+tries=1 +time=2")
        ),
        format!(
            "On {server}: `ss -lunp 'sport = :{port}'` and `systemctl --failed`; read the log of the DNS service from {} \
             UTC on, then restart it.",
            place.since()
        ),
        format!(
            "If it runs: on {server}, `nft list ruleset | grep -n reject` (a REJECT rule sends the same ICMP error)."
        ),
        meanwhile(place),
    ]
}

/// What clients may do until it is back.
pub fn meanwhile(place: &Place<'_>) -> String {
    if place.on_client() {
        format!(
            "Meanwhile move the clients here to another resolver than {} (`resolvectl dns`, /etc/resolv.conf).",
            place.server
        )
    } else {
        format!(
            "Meanwhile point clients to another server than {} (DHCP, resolv.conf, NS records).",
            place.server
        )
    }
}

/// A process that is there and does nothing.
pub fn hung(place: &Place<'_>) -> Vec<String> {
    let port = place.port;
    if place.on_server() {
        return vec![
            format!(
                "`ss -lunpm 'sport = :{port}'`: a Recv-Q that stays above 0 means that the process does not read; note its \
                 PID."
            ),
            "`ps -o pid,stat,wchan:32,cmd -p PID`: T is stopped (`kill -CONT PID`), D waits for disk or NFS.".into(),
            "If it neither reads nor waits: keep a stack for later (`gdb -p PID -batch -ex 'thread apply all bt'`), then \
             restart the service."
                .into(),
        ];
    }
    vec![
        format!(
            "`{}`: a connection that opens and stays without an answer means that the host is up and the service hangs.",
            place.dig("+tcp +tries=1 +time=2")
        ),
        format!(
            "On {}: `ss -lunpm 'sport = :{port}'` (Recv-Q above 0: the service does not read) and `ps -o \
             pid,stat,wchan:32,cmd -C NAME` (T is stopped, D waits for disk), then restart it.",
            place.server
        ),
        meanwhile(place),
    ]
}

/// What it lacks, and who asks so much.
pub fn overload(place: &Place<'_>) -> Vec<String> {
    let port = place.port;
    let heaviest = place.heaviest().map_or_else(String::new, |source| {
        format!(" The heaviest source here is {source}.")
    });
    if place.on_server() {
        return vec![
            format!(
                "`top -H` and `ss -lunm 'sport = :{port}'`: is one thread at 100 % of a core, does the receive queue grow, \
                 does the `d` counter (drops) rise?"
            ),
            "`nstat -az UdpRcvbufErrors UdpInErrors` twice: growth means that queries are lost at the socket; more \
             threads or a larger receive buffer help."
                .into(),
            format!("Find out who sends more than usual, and limit it or add a server.{heaviest}"),
        ];
    }
    vec![
        format!(
            "On {}: `top -H`, `ss -lunm 'sport = :{port}'` and `nstat -az UdpRcvbufErrors`: is it out of CPU or losing \
             queries at the socket?",
            place.server
        ),
        format!("Find out who sends more than usual, and limit it or add a server.{heaviest}"),
        format!(
            "`{}` repeatedly: do the query times shrink when the load does?",
            place.dig("+tries=1")
        ),
    ]
}

/// Which program it is.
pub fn own_host(place: &Place<'_>) -> Vec<String> {
    let mut steps = vec![
        format!(
            "On {}, find the program: `ss -unp 'dport = :{}'`, or `bpftrace -e 'kprobe:udp_sendmsg {{ @[comm, pid] = count(); }}'`.",
            place.this_host(),
            place.port
        ),
        format!("What does it ask for? `{}` shows the names.", place.tcpdump()),
        "Stop or fix that program (a retry loop, a missing cache, a search list); a local cache such as \
         systemd-resolved or unbound absorbs repeats."
            .into(),
    ];
    steps.extend(limited(place));
    steps
}
