//! What this host's kernel named: the hook, the namespace, the interface, the setting.

use super::place::Place;
use crate::host::dropped::{DropKind, Stage, Way};
use crate::host::events::event::Event;
use crate::incident::diagnosis::{DropClass, Finding};
use crate::incident::record::Record;

/// Steps for what the kernel dropped; none where it says nothing.
pub fn steps(record: &Record, place: &Place<'_>) -> Vec<String> {
    let steps = record.findings.iter().filter_map(|finding| match finding {
        Finding::Dropped {
            class,
            most,
            in_flood: false,
            ..
        } => dropped(*class, most, place),
        Finding::ConntrackDropped { .. } => Some(
            "`sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max` and `conntrack -S` on this host: raise \
             the limit, or exempt DNS from tracking (`notrack`)."
                .into(),
        ),
        Finding::Changed { seen } => Some(changed(&seen.event)),
        Finding::NoRoute { .. } => Some(format!(
            "`ip route get {}` on this host: which route to the clients is missing? `ip monitor route` shows who changes it.",
            place.heaviest().unwrap_or("CLIENT")
        )),
        _ => None,
    });
    steps.collect()
}

fn changed(event: &Event) -> String {
    match event {
        Event::CarrierLost { interface } => {
            format!("`ip -s link show {interface}` and `ethtool {interface}`: is the other end of the cable up?")
        }
        Event::LinkDown { interface } => format!(
            "`ip link show {interface}` and `journalctl -u systemd-networkd -u NetworkManager`: who took it down?"
        ),
        Event::AddressRemoved { address, interface } => format!(
            "`ip address show {interface}`: {address} is gone; has a failover daemon or a DHCP client moved it?"
        ),
        Event::RouteRemoved { .. } => {
            "`ip route` and `ip -6 route` on this host: the route that is gone has to come back; `ip monitor route` shows \
             who changes it."
                .into()
        }
    }
}

fn dropped(class: DropClass, most: &DropKind, place: &Place<'_>) -> Option<String> {
    let port = place.port;
    let side = match most.way {
        Way::ToServer => "dport",
        Way::FromServer => "sport",
    };
    let inside = inside(most);
    match class {
        DropClass::Filter | DropClass::Reject => {
            let hook = match most.stage {
                Stage::Early => "prerouting",
                Stage::Input => "input",
                Stage::Forward => "forward",
                Stage::Output => "output",
            };
            let protocol = if most.tcp { "TCP" } else { "UDP" };
            let verb = if class == DropClass::Filter {
                "drops"
            } else {
                "rejects"
            };
            Some(format!(
                "`{inside}nft -a list ruleset` and `{inside}iptables-save -c`: which rule at the {hook} hook {verb} \
                 {protocol} {side} {port}?"
            ))
        }
        // In the namespace of the sensor the steps of the cause say it.
        DropClass::NoSocket if inside.is_empty() => None,
        DropClass::NoSocket => Some(format!(
            "`{inside}ss -lunp 'sport = :{port}'`: does anything listen on {} there?",
            place.server
        )),
        DropClass::Route => Some(route(most, &inside, place)),
        DropClass::FullBuffer
        | DropClass::UnreadBuffer
        | DropClass::Queue
        | DropClass::Damaged
        | DropClass::TooBig
        | DropClass::Other => None,
    }
}

/// Runs a command in the namespace, where it is another.
fn inside(most: &DropKind) -> String {
    let Some(namespace) = &most.namespace else {
        return String::new();
    };
    let pid = namespace
        .split_once("pid ")
        .map_or("PID", |(_, pid)| pid.trim_end_matches(')'));
    format!("nsenter -t {pid} -n ")
}

fn route(most: &DropKind, inside: &str, place: &Place<'_>) -> String {
    let interface = most.interface.as_deref().unwrap_or("IFACE");
    let client = place.heaviest().unwrap_or("CLIENT");
    let server = place.server;
    match most.reason.as_str() {
        "IP_RPFILTER" => format!(
            "`{inside}sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.{interface}.rp_filter` and `{inside}ip route get {client}`: \
             the route back leads elsewhere; correct it, or set rp_filter to 2 (loose)."
        ),
        "IP_INADDRERRORS" => format!(
            "`{inside}ip -br addr` and `{inside}sysctl net.ipv4.ip_forward`: is {server} still an address of this host, or \
             should it forward?"
        ),
        "NEIGH_FAILED" | "NEIGH_DEAD" | "NEIGH_QUEUEFULL" => format!(
            "`{inside}ip neigh show` and `{inside}ip route get {server}`: which next hop is FAILED or INCOMPLETE?"
        ),
        _ => format!(
            "`{inside}ip route get {server}`, `{inside}ip route get {client}` and `{inside}ip -br link`: what is missing?"
        ),
    }
}
