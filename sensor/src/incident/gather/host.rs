//! What this host's kernel says, and the sensor's own probe.

use super::super::chronology::Came;
use super::super::diagnosis::Finding;
use super::super::host_findings;
use super::super::host_findings::Failing;
use super::case::Case;
use crate::detect::{Rule, Vantage};

/// Datagrams without a socket that are no stray ones.
const NOT_TAKEN: u64 = 5;
/// Seconds between the first and the last look at the host that tell something of its sockets.
const LOOKED: u64 = 2;

/// What this host's kernel says, and the sensor's own probe.
pub fn host(case: &Case<'_>, found: &mut Vec<Finding>) {
    if !case.fails() {
        // Queries that do not come any more do not fail: what went in this host may be why.
        if let Some(host) = case
            .evidence
            .host
            .as_ref()
            .filter(|_| case.has(Rule::Collapse))
        {
            host_findings::changes(host, found);
        }
        return;
    }
    if let Some(host) = &case.evidence.host {
        if host.udp_bound == Some(false) {
            found.push(Finding::NothingListens);
        } else if host.udp_bound == Some(true) && host.seconds >= LOOKED {
            found.push(if host.queued == 0 {
                Finding::ListensAndReads
            } else {
                Finding::LeavesUnread {
                    queued: host.queued,
                }
            });
        }
        let no_ports = host.counters.no_ports;
        if no_ports >= NOT_TAKEN && host.udp_bound == Some(false) {
            found.push(Finding::PassedFilters {
                datagrams: no_ports,
            });
        }
        let asked = &case.evidence.asked.during;
        let rejected = found.iter().any(|finding| {
            matches!(
                finding,
                Finding::PortUnreachable { .. }
                    | Finding::PortUnreachableElsewhere { .. }
                    | Finding::Prohibited { .. }
            )
        });
        let flood = case.rules.iter().any(|rule| rule.is_flood());
        let failing = Failing {
            failed: asked.failed(),
            answered: asked.answered,
            here: case.vantage == Vantage::Server,
            rejected,
            in_flood: flood && !matches!(case.flood_came, Some(Came::After | Came::Over)),
        };
        host_findings::findings(host, &failing, found);
    }
    if let Some(verified) = case.verified {
        if verified.udp.is_answer() {
            found.push(Finding::ProbeAnswered);
        } else if verified.tcp.is_refused() {
            found.push(Finding::ProbeRefused);
        } else if verified.tcp.is_connected() {
            found.push(Finding::ProbeNotAnswered);
        }
    }
}
