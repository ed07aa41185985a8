//! ICMP errors about queries.

use std::time::Duration;

use sensor_common::class::{ERROR_KINDS, ErrorKind};
use sensor_common::server::ServerKey;

use super::super::diagnosis::Finding;
use super::case::{CONTRAST, Case};
use crate::detect::history::float;
use crate::detect::{Detector, Subject};
use crate::measure::address::ip;
use crate::measure::dossier::End;

/// ICMP errors for each failed query, or a second, that tell why all of them fail: they are rate limited.
const ERRORS_SHARE: f64 = 0.05;
const ERRORS_RATE: f64 = 0.2;
/// A wait for an ICMP error that only an unanswered ARP or neighbour request explains.
const ARP: Duration = Duration::from_millis(900);
/// Neither of the host nor of the path.
const OTHERS: [ErrorKind; 2] = [ErrorKind::Protocol, ErrorKind::Other];
/// Share of what fails that tells of all of it.
const MUCH: f64 = 0.3;

/// ICMP errors about its queries. Whether they tell why these fail.
pub fn icmp_errors(case: &Case<'_>, found: &mut Vec<Finding>) -> bool {
    let evidence = case.evidence;
    let counters = &evidence.during.counters;
    let of = |kind: ErrorKind| counters.errors[kind.index()];
    let failed = evidence.asked.during.errored + evidence.asked.during.unanswered;
    let seconds = evidence.during.elapsed.as_secs_f64().max(1.0);
    let tells = |errors: u64| {
        errors >= 2
            && (float(errors) >= ERRORS_SHARE * float(failed)
                || float(errors) >= ERRORS_RATE * seconds)
            || errors != 0 && failed <= 4
    };
    let from = |kinds: &[ErrorKind]| {
        evidence
            .samples
            .sender_of(kinds)
            .map(|key| ip(&key).to_string())
    };
    let before = found.len();
    let port = of(ErrorKind::Port);
    if tells(port) {
        let all: u64 = counters.errors.iter().sum();
        // Of all kinds together; where they differ the sampled sender of this one decides.
        let by_server = match (case.subject, evidence.samples.sender_of(&[ErrorKind::Port])) {
            (Subject::Server(key), Some(sender)) => sender == key,
            _ => counters.errors_from_server * 2 >= all,
        };
        found.push(if by_server {
            Finding::PortUnreachable { errors: port }
        } else {
            Finding::PortUnreachableElsewhere {
                errors: port,
                from: from(&[ErrorKind::Port]),
            }
        });
    }
    let prohibited = of(ErrorKind::Prohibited);
    if tells(prohibited) {
        found.push(Finding::Prohibited {
            errors: prohibited,
            from: from(&[ErrorKind::Prohibited]),
        });
    }
    let host = of(ErrorKind::Host);
    if tells(host) {
        let from = from(&[ErrorKind::Host]);
        let late = evidence.worst.slowest_error.is_some_and(|wait| wait >= ARP);
        found.push(if late {
            Finding::HostUnreachableLate { errors: host, from }
        } else {
            Finding::HostUnreachableAtOnce { errors: host, from }
        });
    }
    let network = of(ErrorKind::Network);
    if tells(network) {
        found.push(Finding::NetworkUnreachable {
            errors: network,
            from: from(&[ErrorKind::Network]),
        });
    }
    let exceeded = of(ErrorKind::TimeExceeded);
    if tells(exceeded) {
        found.push(Finding::TimeExceeded {
            errors: exceeded,
            from: from(&[ErrorKind::TimeExceeded]),
        });
    }
    let other = OTHERS.into_iter().map(of).sum();
    if tells(other) {
        found.push(Finding::OtherUnreachable {
            errors: other,
            from: from(&OTHERS),
        });
    }
    found.len() != before
}

/// ICMP errors that most of the failing queries of a resolver got.
pub fn path_errors(
    asker: &ServerKey,
    case: &Case<'_>,
    detector: &Detector,
    found: &mut Vec<Finding>,
) {
    let since = case.onset.max(case.now.saturating_sub(CONTRAST));
    let mut failed = 0;
    // Of each kind: how many, and who sent the newest.
    let mut kinds = [(0_u64, None::<ServerKey>); ERROR_KINDS];
    for dossier in detector.dossiers().since(since) {
        if dossier.client != *asker {
            continue;
        }
        let end = dossier.end(case.now, detector.timeout());
        failed += u64::from(end.is_failure());
        if let End::Rejected(error) = end {
            let kind = match error.kind {
                ErrorKind::Host => ErrorKind::Network,
                kind => kind,
            };
            let (errors, sender) = &mut kinds[kind.index()];
            *errors += 1;
            *sender = Some(error.sender);
        }
    }
    let of = |kind: ErrorKind| (kind, kinds[kind.index()]);
    let (kind, (errors, sender)) = [
        of(ErrorKind::Network),
        of(ErrorKind::Prohibited),
        of(ErrorKind::TimeExceeded),
    ]
    .into_iter()
    .max_by_key(|(_, (errors, _))| *errors)
    .unwrap_or(of(ErrorKind::Network));
    if errors < 2 || float(errors) < MUCH * float(failed) {
        return;
    }
    let from = sender.map(|key| ip(&key).to_string());
    found.push(match kind {
        ErrorKind::Prohibited => Finding::Prohibited { errors, from },
        ErrorKind::TimeExceeded => Finding::TimeExceeded { errors, from },
        _ => Finding::NetworkUnreachable { errors, from },
    });
}
