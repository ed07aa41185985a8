//! How much each fact speaks for or against each cause, in decibans: ten are ten to one.

use super::cause::Cause;
use super::kind::Kind;

type Row = (Kind, &'static [(Cause, i32)]);

use Cause as C;

/// One row a kind of fact. What a row does not name it leaves as it was.
#[rustfmt::skip]
pub const WEIGHTS: &[Row] = &[
    // ICMP errors about queries, which no zone brings about. A REJECT rule sends port unreachable by default, so that speaks for both.
    (Kind::PortUnreachable, &[(C::ServiceDown, 26), (C::FirewallRejects, 14), (C::HostDown, -30), (C::NetworkPathDown, -20), (C::ZoneFailure, -30)]),
    (Kind::PortUnreachableElsewhere, &[(C::FirewallRejects, 26), (C::ServiceDown, 10), (C::ZoneFailure, -30)]),
    (Kind::Prohibited, &[(C::FirewallRejects, 34), (C::ServiceDown, -10), (C::ZoneFailure, -30)]),
    (Kind::HostUnreachableAtOnce, &[(C::NetworkPathDown, 26), (C::HostDown, 12), (C::FirewallRejects, 8), (C::ZoneFailure, -30)]),
    (Kind::HostUnreachableLate, &[(C::HostDown, 30), (C::NetworkPathDown, 10), (C::ZoneFailure, -30)]),
    (Kind::NetworkUnreachable, &[(C::NetworkPathDown, 32), (C::HostDown, -5), (C::ZoneFailure, -30)]),
    (Kind::TimeExceeded, &[(C::NetworkPathDown, 34), (C::ZoneFailure, -30)]),
    (Kind::OtherUnreachable, &[(C::FirewallRejects, 14), (C::ServiceDown, 8), (C::ZoneFailure, -30)]),
    // Silence: a filter that rejects says so.
    (Kind::Silence, &[(C::FirewallRejects, -30), (C::FirewallDrops, 15), (C::NetworkPathDown, 14), (C::HostDown, 8), (C::ServiceHung, 6)]),
    (Kind::SilenceHere, &[(C::FirewallRejects, -30), (C::ServiceHung, 15), (C::FirewallDrops, 14), (C::Overload, 2), (C::HostDown, -50), (C::NetworkPathDown, -50), (C::ServiceDown, 2)]),
    (Kind::PartFails, &[(C::FirewallRejects, -30), (C::ServiceHung, -8), (C::PacketLoss, 14), (C::Overload, 13), (C::ConnectionTracking, 6), (C::FirewallDrops, 5), (C::ServiceDown, -20), (C::HostDown, -30)]),
    (Kind::PartBeginsToFail, &[(C::FirewallRejects, -30), (C::PacketLoss, 6), (C::Overload, 12), (C::ConnectionTracking, -2), (C::FirewallDrops, 4), (C::ServiceDown, -20), (C::HostDown, -30)]),
    (Kind::PartFailsHere, &[(C::FirewallRejects, -30), (C::ServiceHung, -8), (C::Overload, 16), (C::FirewallDrops, 14), (C::ConnectionTracking, 9), (C::NetworkPathDown, -30), (C::PacketLoss, -20), (C::ServiceDown, -20), (C::HostDown, -50)]),
    (Kind::FastAsEver, &[(C::Overload, -12), (C::ServiceHung, -10), (C::UpstreamFailure, -10), (C::PacketLoss, 3), (C::ConnectionTracking, 3), (C::FirewallDrops, 2)]),
    (Kind::SecondCopiesAnswered, &[(C::PacketLoss, 14), (C::ConnectionTracking, 8), (C::Overload, -25), (C::ServiceHung, -20), (C::ServiceDown, -20)]),
    (Kind::CopiesFailToo, &[(C::ServiceHung, 30), (C::HostDown, 44), (C::ServiceDown, 30), (C::PacketLoss, -30), (C::Overload, -10), (C::ConnectionTracking, -12), (C::FirewallDrops, -8)]),
    (Kind::AnsweredLate, &[(C::Overload, 14), (C::ServiceHung, 12), (C::UpstreamFailure, 6), (C::FirewallDrops, -20), (C::NetworkPathDown, -15), (C::HostDown, -30), (C::ServiceDown, -20), (C::PacketLoss, -10)]),
    (Kind::WaitedAndAnswered, &[(C::ServiceHung, 26), (C::Overload, 8), (C::UpstreamFailure, 6), (C::FirewallDrops, -25), (C::NetworkPathDown, -20), (C::HostDown, -30), (C::ServiceDown, -20), (C::PacketLoss, -20)]),
    (Kind::EndedByItself, &[(C::Misconfiguration, -24), (C::UpstreamFailure, 10), (C::ServiceDown, 6), (C::ZoneFailure, -10)]),
    (Kind::SlowAnswers, &[(C::Overload, 18), (C::UpstreamFailure, 8), (C::ServiceHung, -8), (C::FirewallDrops, -8), (C::NetworkPathDown, -10), (C::HostDown, -20)]),
    // A server at its limit is slow to all that it is asked at the time.
    (Kind::SlowInPart, &[(C::Overload, -22), (C::UpstreamFailure, 10), (C::ServiceHung, -10)]),
    (Kind::WrongSource, &[(C::WrongSource, 45), (C::FirewallDrops, -15), (C::NetworkPathDown, -20), (C::HostDown, -30), (C::ServiceDown, -20), (C::ServiceHung, -20)]),
    // What fails has in common.
    (Kind::OnlySomeClients, &[(C::FirewallDrops, 12), (C::FirewallRejects, 16), (C::NetworkPathDown, 12), (C::PacketLoss, -25), (C::ConnectionTracking, -25), (C::ServiceDown, -30), (C::ServiceHung, -30), (C::HostDown, -40), (C::Overload, -15), (C::Misconfiguration, 6)]),
    (Kind::OnlySomeClientsDenied, &[(C::Misconfiguration, 14), (C::UnwantedQueries, 4), (C::UpstreamFailure, -10), (C::ZoneFailure, -10)]),
    (Kind::OnlyThisHost, &[(C::FirewallDrops, 8), (C::OwnHost, 4), (C::ServiceDown, -30), (C::ServiceHung, -30), (C::HostDown, -40)]),
    (Kind::OnlyOneUnit, &[(C::FirewallDrops, 10), (C::OwnHost, 8), (C::PacketLoss, -25), (C::ServiceDown, -30), (C::ServiceHung, -30), (C::HostDown, -40), (C::NetworkPathDown, -15)]),
    (Kind::OnlyOneZone, &[(C::ZoneFailure, 28), (C::UpstreamFailure, -6), (C::FirewallDrops, -25), (C::FirewallRejects, -15), (C::NetworkPathDown, -25), (C::PacketLoss, -25), (C::Overload, -15), (C::ServiceDown, -30), (C::ServiceHung, -25), (C::HostDown, -40), (C::Misconfiguration, 8)]),
    (Kind::OnlyOneType, &[(C::FirewallDrops, 4), (C::PathMtu, 6), (C::Misconfiguration, 14), (C::Overload, -15), (C::ConnectionTracking, -20), (C::ServiceDown, -30), (C::ServiceHung, -25), (C::HostDown, -40), (C::NetworkPathDown, -25), (C::PacketLoss, -25)]),
    (Kind::OnlyLargeAnswers, &[(C::PathMtu, 24), (C::ServiceDown, -30), (C::ServiceHung, -25), (C::HostDown, -40), (C::NetworkPathDown, -25), (C::PacketLoss, -25), (C::FirewallDrops, -8)]),
    (Kind::OnlyWithEdns, &[(C::FirewallDrops, 20), (C::Misconfiguration, 12), (C::PathMtu, 6), (C::ServiceDown, -30), (C::ServiceHung, -25), (C::HostDown, -40), (C::NetworkPathDown, -25), (C::PacketLoss, -25), (C::Overload, -20), (C::ConnectionTracking, -20)]),
    (Kind::OnlyWithoutEdns, &[(C::Misconfiguration, 16), (C::FirewallDrops, 14), (C::ServiceDown, -30), (C::ServiceHung, -25), (C::HostDown, -40), (C::NetworkPathDown, -25), (C::PacketLoss, -25), (C::Overload, -20), (C::ConnectionTracking, -20)]),
    // Answers that say no.
    (Kind::AnswersLimited, &[(C::UnwantedQueries, 32), (C::Misconfiguration, 24), (C::FirewallDrops, -25), (C::PacketLoss, -25), (C::Overload, -12), (C::ConnectionTracking, -20), (C::ServiceDown, -30), (C::ServiceHung, -25), (C::TcpBlocked, -10)]),
    (Kind::Servfail, &[(C::UpstreamFailure, 24), (C::ZoneFailure, 10), (C::Misconfiguration, 6), (C::ServiceDown, -10), (C::ServiceHung, -10), (C::FirewallDrops, -10), (C::NetworkPathDown, -10)]),
    // No zone fails by itself where all are told so.
    (Kind::ServfailToAll, &[(C::UpstreamFailure, 24), (C::Misconfiguration, 10), (C::ZoneFailure, 2), (C::ServiceDown, -10), (C::ServiceHung, -10), (C::FirewallDrops, -10), (C::NetworkPathDown, -10)]),
    (Kind::Refused, &[(C::Misconfiguration, 24), (C::UpstreamFailure, 8), (C::UnwantedQueries, 6)]),
    (Kind::NameError, &[(C::ZoneFailure, 18), (C::Misconfiguration, 14)]),
    (Kind::NotUnderstood, &[(C::Misconfiguration, 24)]),
    (Kind::OtherRcode, &[(C::ZoneFailure, 18), (C::Misconfiguration, 16)]),
    (Kind::StrangersRefused, &[(C::UnwantedQueries, 40), (C::Misconfiguration, -10)]),
    // Load.
    (Kind::RateRose, &[(C::Overload, 14)]),
    (Kind::FloodFirst, &[(C::AttackOneSource, 6), (C::AttackDistributed, 6), (C::AttackSpoofed, 6), (C::AttackRandomNames, 6), (C::ServiceDown, -6), (C::FirewallDrops, -12), (C::NetworkPathDown, -12), (C::HostDown, -12), (C::ServiceHung, -6), (C::PacketLoss, -6)]),
    (Kind::FloodAfter, &[(C::AttackOneSource, -40), (C::AttackDistributed, -40), (C::AttackSpoofed, -40), (C::AttackRandomNames, -20), (C::Overload, -10), (C::OwnHost, -20)]),
    (Kind::FloodOver, &[(C::AttackOneSource, -40), (C::AttackDistributed, -40), (C::AttackSpoofed, -40), (C::AttackRandomNames, -40), (C::AttackAmplification, -40), (C::AttackGarbage, -30), (C::AttackSyn, -30), (C::OwnHost, -30)]),
    (Kind::ManySources, &[(C::AttackDistributed, 26), (C::Overload, -12)]),
    (Kind::Crowd, &[(C::Overload, 18), (C::AttackDistributed, 4)]),
    (Kind::OneSource, &[(C::AttackOneSource, 34), (C::ZoneFailure, -15), (C::Misconfiguration, -10), (C::AttackDistributed, -20), (C::AttackSpoofed, -10)]),
    (Kind::OwnHostAsks, &[(C::OwnHost, 46), (C::AttackRandomNames, -30), (C::ZoneFailure, -20), (C::Misconfiguration, -10), (C::AttackOneSource, -40), (C::AttackDistributed, -30), (C::AttackSpoofed, -30)]),
    (Kind::SpoofedSources, &[(C::AttackSpoofed, 44), (C::AttackDistributed, -10), (C::AttackOneSource, -20)]),
    (Kind::RandomNames, &[(C::AttackRandomNames, 56), (C::UpstreamFailure, -15), (C::ZoneFailure, -10), (C::Misconfiguration, -10), (C::AttackSpoofed, -6)]),
    (Kind::LargeAnswers, &[(C::AttackAmplification, 56), (C::AttackSpoofed, -6)]),
    (Kind::UnaskedAnswers, &[(C::AttackReflection, 45)]),
    (Kind::SynFlood, &[(C::AttackSyn, 40), (C::TcpBlocked, -20)]),
    (Kind::Garbage, &[(C::AttackGarbage, 40)]),
    (Kind::LooksAround, &[(C::Scan, 40)]),
    // Large answers, and TCP.
    (Kind::AnswersTooBig, &[(C::PathMtu, 40), (C::ServiceDown, -10)]),
    (Kind::FragmentsMissing, &[(C::PathMtu, 34), (C::FirewallDrops, 10)]),
    (Kind::AskedAgain, &[(C::NetworkPathDown, 18), (C::FirewallDrops, 14), (C::PacketLoss, 12), (C::FirewallRejects, -15), (C::Misconfiguration, -10), (C::HostDown, -20), (C::Overload, -30), (C::ServiceHung, -30), (C::ServiceDown, -40), (C::UpstreamFailure, -20)]),
    (Kind::AskedAgainInPart, &[(C::PacketLoss, 20), (C::FirewallDrops, 4), (C::NetworkPathDown, 2), (C::HostDown, -30), (C::Overload, -10), (C::ServiceHung, -30), (C::ServiceDown, -40), (C::UpstreamFailure, -20)]),
    (Kind::LargeAskedAgain, &[(C::PathMtu, 34), (C::FirewallDrops, 10), (C::PacketLoss, -20), (C::Overload, -20), (C::ServiceDown, -20)]),
    (Kind::AnswersUnreachable, &[(C::NetworkPathDown, 26), (C::HostDown, 6), (C::FirewallDrops, -6), (C::PacketLoss, -20)]),
    (Kind::AnswersProhibited, &[(C::FirewallRejects, 40), (C::FirewallDrops, -6), (C::NetworkPathDown, -10), (C::PacketLoss, -20)]),
    (Kind::TcpNotAccepted, &[(C::TcpBlocked, 40)]),
    (Kind::Truncated, &[(C::TcpBlocked, 11), (C::PathMtu, 4)]),
    (Kind::TcpAccepted, &[(C::HostDown, -30), (C::NetworkPathDown, -15), (C::ServiceHung, 6)]),
    (Kind::TcpRefused, &[(C::ServiceDown, 10), (C::HostDown, -30), (C::NetworkPathDown, -15)]),
    // Others that fail.
    (Kind::SeveralServers, &[(C::NetworkPathDown, 14), (C::FirewallDrops, 6), (C::ServiceDown, -12), (C::ServiceHung, -15), (C::HostDown, -6), (C::Overload, -15)]),
    (Kind::NoServerAnswers, &[(C::NetworkPathDown, 24), (C::FirewallDrops, 17)]),
    (Kind::UpstreamFails, &[(C::UpstreamFailure, 40), (C::ServiceDown, -20), (C::ServiceHung, -20), (C::FirewallDrops, -25), (C::NetworkPathDown, -20), (C::Overload, -15), (C::ZoneFailure, -6)]),
    (Kind::UpstreamsAnswer, &[(C::UpstreamFailure, -25)]),
    (Kind::AsksNobody, &[(C::UpstreamFailure, -25), (C::ZoneFailure, -12), (C::Overload, 10), (C::Misconfiguration, 6)]),
    (Kind::Authoritative, &[(C::UpstreamFailure, -25), (C::ZoneFailure, 8), (C::Misconfiguration, 6)]),
    (Kind::QueriesStayAway, &[(C::NetworkPathDown, 15), (C::FirewallDrops, 14)]),
    // What this host's kernel says, and the sensor's own probe.
    (Kind::NothingListens, &[(C::ServiceDown, 30), (C::ServiceHung, -40), (C::Overload, -20), (C::FirewallDrops, -10)]),
    (Kind::ListensAndReads, &[(C::FirewallDrops, 14), (C::ServiceHung, -14), (C::ServiceDown, -25)]),
    (Kind::LeavesUnread, &[(C::ServiceHung, 26), (C::Overload, 16), (C::FirewallDrops, -25), (C::ServiceDown, -20)]),
    (Kind::PassedFilters, &[(C::ServiceDown, 16), (C::FirewallDrops, -25), (C::FirewallRejects, -25)]),
    // The kernel's own word about most of what fails decides by itself, whatever else there is.
    (Kind::DroppedByFilter, &[(C::FirewallDrops, 100), (C::FirewallRejects, 10)]),
    (Kind::RejectedByFilter, &[(C::FirewallRejects, 100), (C::FirewallDrops, 10)]),
    (Kind::DroppedNoSocket, &[(C::ServiceDown, 100), (C::FirewallRejects, -30)]),
    (Kind::DroppedFullBuffer, &[(C::Overload, 100), (C::ServiceHung, 10)]),
    (Kind::DroppedUnread, &[(C::ServiceHung, 100), (C::Overload, 10)]),
    (Kind::DroppedOnRoute, &[(C::NetworkPathDown, 100)]),
    (Kind::DroppedInQueue, &[(C::Overload, 100), (C::PacketLoss, 20)]),
    (Kind::DroppedDamaged, &[(C::PacketLoss, 100)]),
    (Kind::DroppedTooBig, &[(C::PathMtu, 100)]),
    // It says where, and not why.
    (Kind::DroppedOtherwise, &[(C::FirewallDrops, 3), (C::HostDown, -20)]),
    (Kind::DroppedInFlood, &[(C::Overload, 4), (C::HostDown, -20)]),
    (Kind::NotDropped, &[(C::ServiceHung, 26), (C::Overload, 12), (C::FirewallDrops, -40), (C::FirewallRejects, -20), (C::ServiceDown, -10), (C::ConnectionTracking, -20)]),
    (Kind::ConntrackDropped, &[(C::ConnectionTracking, 110)]),
    (Kind::LinkLost, &[(C::NetworkPathDown, 60)]),
    (Kind::AddressRemoved, &[(C::NetworkPathDown, 100)]),
    // Routes also change where nothing of it is felt.
    (Kind::RouteRemoved, &[(C::NetworkPathDown, 30)]),
    (Kind::NoRoute, &[(C::NetworkPathDown, 100)]),
    (Kind::IcmpHeldBack, &[(C::ServiceDown, 1), (C::FirewallRejects, 1)]),
    (Kind::ProbeAnswered, &[(C::ServiceDown, -25), (C::ServiceHung, -25), (C::HostDown, -30), (C::NetworkPathDown, -15), (C::FirewallDrops, 6)]),
    (Kind::ProbeNotAnswered, &[(C::ServiceHung, 24), (C::HostDown, -30), (C::NetworkPathDown, -20), (C::ServiceDown, -15), (C::FirewallDrops, -6)]),
    (Kind::ProbeRefused, &[(C::ServiceDown, 16), (C::HostDown, -30), (C::NetworkPathDown, -20)]),
];

/// What a kind of fact says of all causes.
#[must_use]
pub fn of(kind: Kind) -> &'static [(Cause, i32)] {
    WEIGHTS
        .iter()
        .find(|(row, _)| *row == kind)
        .map_or(&[], |(_, weights)| weights)
}
