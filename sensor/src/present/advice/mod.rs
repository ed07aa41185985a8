//! Next steps: what to run or check, by cause and by where the sensor stands.

mod answers;
mod attack;
mod kernel;
mod network;
mod place;
mod service;

use place::Place;

use crate::incident::Cause;
use crate::incident::record::Record;

/// Steps that are given, at most.
const MOST: usize = 4;

/// Two to four steps for the likely cause; of two that cannot be told apart the first steps of each.
#[must_use]
pub fn steps(record: &Record) -> Vec<String> {
    let place = Place::of(record);
    let each: Vec<Vec<String>> = match record.first_cause.as_slice() {
        [] => return unknown(&place),
        causes => causes.iter().map(|cause| of(*cause, &place)).collect(),
    };
    let longest = each.iter().map(Vec::len).max().unwrap_or(0);
    let is_ours = !record
        .first_cause
        .iter()
        .any(|cause| is_from_outside(*cause));
    let back = place.looking_back().filter(|_| is_ours);
    let mut steps: Vec<String> = back.into_iter().collect();
    // Where the kernel says what it was, that comes first.
    steps.extend(kernel::steps(record, &place));
    for at in 0..longest {
        for step in each.iter().filter_map(|steps| steps.get(at)) {
            if steps.len() < MOST && !steps.contains(step) {
                steps.push(step.clone());
            }
        }
    }
    steps
}

/// Nothing that was changed here brought it about.
fn is_from_outside(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::AttackOneSource
            | Cause::AttackDistributed
            | Cause::AttackSpoofed
            | Cause::AttackRandomNames
            | Cause::AttackAmplification
            | Cause::AttackReflection
            | Cause::AttackGarbage
            | Cause::AttackSyn
            | Cause::Scan
            | Cause::UnwantedQueries
    )
}

/// Steps for one cause.
fn of(cause: Cause, place: &Place<'_>) -> Vec<String> {
    match cause {
        Cause::ServiceDown => service::down(place),
        Cause::ServiceHung => service::hung(place),
        Cause::Overload => service::overload(place),
        Cause::OwnHost => service::own_host(place),
        Cause::UpstreamFailure => answers::upstream(place),
        Cause::ZoneFailure => answers::zone(place),
        Cause::Misconfiguration => answers::misconfiguration(place),
        Cause::WrongSource => answers::wrong_source(place),
        Cause::UnwantedQueries => answers::unwanted(place),
        Cause::FirewallRejects => network::rejects(place),
        Cause::FirewallDrops => network::drops(place),
        Cause::HostDown => network::host_down(place),
        Cause::NetworkPathDown => network::path_down(place),
        Cause::PacketLoss => network::loss(place),
        Cause::ConnectionTracking => network::connection_tracking(place),
        Cause::PathMtu => network::path_mtu(place),
        Cause::TcpBlocked => network::tcp_blocked(place),
        Cause::AttackOneSource => attack::one_source(place),
        Cause::AttackDistributed => attack::distributed(place),
        Cause::AttackSpoofed => attack::spoofed(place),
        Cause::AttackRandomNames => attack::random_names(place),
        Cause::AttackAmplification => attack::amplification(place),
        Cause::AttackReflection => attack::reflection(place),
        Cause::AttackGarbage => attack::garbage(place),
        Cause::AttackSyn => attack::syn(place),
        Cause::Scan => attack::scan(place),
    }
}

/// What would tell, where no cause is likely.
fn unknown(place: &Place<'_>) -> Vec<String> {
    vec![
        format!(
            "`{}` and `{}`: does it answer over UDP, over TCP, or neither?",
            place.dig(""),
            place.dig("+tcp")
        ),
        "Run `sensor watch --verify`: the sensor then probes the failing server directly.".into(),
        format!(
            "Capture on the server's host as well (`{}`): do queries arrive, and do answers leave?",
            place.tcpdump()
        ),
    ]
}
