//! Addresses and names in findings.

use super::contrast;
use super::masks::Masks;
use crate::host::events::event::Event;
use crate::incident::diagnosis::Finding;

/// Masks a finding.
#[expect(
    clippy::too_many_lines,
    reason = "each finding says what it has to mask"
)]
pub fn mask(finding: &mut Finding, masks: &mut Masks) {
    match finding {
        Finding::PortUnreachableElsewhere { errors: _, from }
        | Finding::Prohibited { errors: _, from }
        | Finding::HostUnreachableAtOnce { errors: _, from }
        | Finding::HostUnreachableLate { errors: _, from }
        | Finding::NetworkUnreachable { errors: _, from }
        | Finding::TimeExceeded { errors: _, from }
        | Finding::OtherUnreachable { errors: _, from } => {
            if let Some(from) = from {
                masks.address(from);
            }
        }
        Finding::WrongSource { answers: _, from }
        | Finding::AnswersUnreachable { errors: _, from }
        | Finding::AnswersProhibited { errors: _, from } => masks.address(from),
        Finding::OneSource { source, share: _ } => masks.address(source),
        Finding::RandomNames { zone, clients: _ } => masks.name(zone),
        Finding::LargeAnswers { network, .. } | Finding::AnswersLimited { network, .. } => {
            masks.address(network);
        }
        Finding::UnaskedAnswers { victim, servers: _ } => masks.address(victim),
        Finding::NoServerAnswers {
            resolver,
            servers: _,
        } => masks.address(resolver),
        Finding::SeveralServers { servers } | Finding::UpstreamFails { upstreams: servers } => {
            for server in servers {
                masks.address(server);
            }
        }
        Finding::Contrast(common) => contrast::mask(common, masks),
        Finding::Changed { seen } => event(&mut seen.event, masks),
        Finding::NotUnderstood { share: _, rcode: _ }
        | Finding::OtherRcode { share: _, rcode: _ }
        | Finding::PortUnreachable { errors: _ }
        | Finding::AnswersTooBig { errors: _ }
        | Finding::Silence {
            failed: _,
            decided: _,
        }
        | Finding::SilenceHere {
            failed: _,
            decided: _,
        }
        | Finding::PartFails { share: _ }
        | Finding::PartFailsHere { share: _ }
        | Finding::AnsweredLate { answers: _ }
        | Finding::WaitedAndAnswered { answers: _ }
        | Finding::EndedByItself { seconds: _ }
        | Finding::PartBeginsToFail { share: _ }
        | Finding::CopiesFailToo { copies: _ }
        | Finding::FastAsEver
        | Finding::FloodOver
        | Finding::Servfail { share: _ }
        | Finding::Refused { share: _ }
        | Finding::NameError { share: _ }
        | Finding::SecondCopiesAnswered { copies: _ }
        | Finding::StrangersRefused {
            strangers: _,
            served: _,
        }
        | Finding::RateRose { rise: _ }
        | Finding::ManySources { sources: _ }
        | Finding::OwnHostAsks { share: _, rate: _ }
        | Finding::FragmentsMissing { first: _, later: _ }
        | Finding::AskedAgain {
            again: _,
            answered: _,
        }
        | Finding::AskedAgainInPart {
            again: _,
            answered: _,
        }
        | Finding::LargeAskedAgain {
            again: _,
            answered: _,
        }
        | Finding::TcpNotAccepted {
            syns: _,
            accepted: _,
        }
        | Finding::LeavesUnread { queued: _ }
        | Finding::PassedFilters { datagrams: _ }
        | Finding::SlowAnswers
        | Finding::SlowInPart { share: _ }
        | Finding::FloodFirst
        | Finding::FloodAfter
        | Finding::Crowd
        | Finding::SpoofedSources
        | Finding::Truncated
        | Finding::SynFlood
        | Finding::Garbage
        | Finding::LooksAround
        | Finding::TcpAccepted
        | Finding::TcpRefused
        | Finding::UpstreamsAnswer {
            answered: _,
            failed: _,
        }
        | Finding::AsksNobody { before: _ }
        | Finding::Authoritative
        | Finding::QueriesStayAway
        | Finding::NothingListens
        | Finding::ListensAndReads
        | Finding::Dropped { .. }
        | Finding::NotDropped
        | Finding::ConntrackDropped { .. }
        | Finding::NoRoute { packets: _ }
        | Finding::IcmpHeldBack { sent: _, held: _ }
        | Finding::ProbeAnswered
        | Finding::ProbeNotAnswered
        | Finding::ProbeRefused => {}
    }
}

/// What changed in the host.
pub fn event(event: &mut Event, masks: &mut Masks) {
    match event {
        Event::CarrierLost { interface: _ } | Event::LinkDown { interface: _ } => {}
        Event::AddressRemoved {
            address,
            interface: _,
        } => masks.address(address),
        Event::RouteRemoved { network } => masks.address(network),
    }
}
