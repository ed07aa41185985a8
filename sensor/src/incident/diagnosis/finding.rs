//! What is known of an incident, as data: each fact once, whatever it speaks for.

use serde::{Deserialize, Serialize};

use super::contrast::Contrast;
use super::drop_class::DropClass;
use crate::host::dropped::DropKind;
use crate::host::facts::EventSeen;

/// A fact, with its numbers. Addresses and names are in text form, as they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// ICMP port unreachable about queries, sent by the server's own address.
    PortUnreachable {
        /// How many.
        errors: u64,
    },
    /// ICMP port unreachable about queries, sent by somebody else.
    PortUnreachableElsewhere {
        /// How many.
        errors: u64,
        /// Who sent the most of them, where that was sampled.
        from: Option<String>,
    },
    /// ICMP administratively prohibited, which only filters send.
    Prohibited {
        /// How many.
        errors: u64,
        /// Who sent the most of them, where that was sampled.
        from: Option<String>,
    },
    /// ICMP host unreachable as soon as a query came.
    HostUnreachableAtOnce {
        /// How many.
        errors: u64,
        /// Who sent the most of them, where that was sampled.
        from: Option<String>,
    },
    /// ICMP host unreachable a second and more after the query: neighbour discovery failed.
    HostUnreachableLate {
        /// How many.
        errors: u64,
        /// Who sent the most of them, where that was sampled.
        from: Option<String>,
    },
    /// ICMP network unreachable.
    NetworkUnreachable {
        /// How many.
        errors: u64,
        /// Who sent the most of them, where that was sampled.
        from: Option<String>,
    },
    /// ICMP time exceeded: the queries go in a circle.
    TimeExceeded {
        /// How many.
        errors: u64,
        /// Who sent the most of them, where that was sampled.
        from: Option<String>,
    },
    /// Another ICMP error: protocol unreachable, parameter problem.
    OtherUnreachable {
        /// How many.
        errors: u64,
        /// Who sent the most of them, where that was sampled.
        from: Option<String>,
    },
    /// Most queries fail, and nothing comes back that says why.
    Silence {
        /// Queries that failed.
        failed: u64,
        /// Queries whose end is known.
        decided: u64,
    },
    /// The same, seen on the server's own host: the queries arrive.
    SilenceHere {
        /// Queries that failed.
        failed: u64,
        /// Queries whose end is known.
        decided: u64,
    },
    /// Some queries fail, and others are answered as ever.
    PartFails {
        /// Share that failed.
        share: f64,
    },
    /// The same, for a few seconds only: whether copies are answered is not known yet.
    PartBeginsToFail {
        /// Share that failed.
        share: f64,
    },
    /// The same, seen on the server's own host: the queries arrive.
    PartFailsHere {
        /// Share that failed.
        share: f64,
    },
    /// What is answered is answered as fast as ever.
    FastAsEver,
    /// Copies of queries that were sent again are answered at once: the first ones did not arrive.
    SecondCopiesAnswered {
        /// How many.
        copies: u64,
    },
    /// Copies of queries that fail fail too, while others are answered: the same part of the ports, or of the servers
    /// behind an address.
    CopiesFailToo {
        /// How many.
        copies: u64,
    },
    /// Answers come, after the time-out.
    AnsweredLate {
        /// How many, within seconds.
        answers: u64,
    },
    /// Queries that had got no answer for a while were answered all at once: the program had been stopped.
    WaitedAndAnswered {
        /// How many, within seconds.
        answers: u64,
    },
    /// It was over again before anybody can have mended it.
    EndedByItself {
        /// How long it lasted.
        seconds: u64,
    },
    /// Answers take far longer than usual.
    SlowAnswers,
    /// Others that are asked for in between are answered as fast as ever.
    SlowInPart {
        /// Share of the answers that is slow.
        share: f64,
    },
    /// Answers come from another address than was asked.
    WrongSource {
        /// How many.
        answers: u64,
        /// Who answered.
        from: String,
    },
    /// What fails has something in common that what is answered has not.
    Contrast(Contrast),
    /// One network gets empty truncated answers, or none, by turns: response rate limiting does so.
    AnswersLimited {
        /// The network.
        network: String,
        /// Truncated answers.
        truncated: u64,
        /// Queries without an answer.
        unanswered: u64,
    },
    /// Far more answers are SERVFAIL.
    Servfail {
        /// Their share.
        share: f64,
    },
    /// Far more answers are REFUSED.
    Refused {
        /// Their share.
        share: f64,
    },
    /// Far more answers are NXDOMAIN.
    NameError {
        /// Their share.
        share: f64,
    },
    /// Far more answers say that the message is not understood: FORMERR, NOTIMP.
    NotUnderstood {
        /// Their share.
        share: f64,
        /// The mnemonic.
        rcode: String,
    },
    /// Far more answers are another rcode.
    OtherRcode {
        /// Their share.
        share: f64,
        /// The mnemonic.
        rcode: String,
    },
    /// Those who are refused were never answered before, and who was is answered as ever.
    StrangersRefused {
        /// Strangers, as addresses.
        strangers: u64,
        /// Share of the known clients' queries that are answered.
        served: f64,
    },
    /// The rate of queries rose before anything failed.
    RateRose {
        /// Times the usual one.
        rise: f64,
    },
    /// A flood came before what fails: it may be what brought it about.
    FloodFirst,
    /// A flood came after what fails: clients that get no answer ask again.
    FloodAfter,
    /// A flood was over before anything failed.
    FloodOver,
    /// A flood of many real sources.
    ManySources {
        /// Different ones a second.
        sources: f64,
    },
    /// Many more clients than usual ask as people do.
    Crowd,
    /// One source asks most.
    OneSource {
        /// Who.
        source: String,
        /// Its share of the queries.
        share: f64,
    },
    /// That source is this host.
    OwnHostAsks {
        /// Its share of the queries.
        share: f64,
        /// Queries a second.
        rate: f64,
    },
    /// The sources of a flood are made up.
    SpoofedSources,
    /// Names below one zone do not repeat and fail.
    RandomNames {
        /// The zone.
        zone: String,
        /// Clients that ask.
        clients: u64,
    },
    /// One network gets far more than it asks with, or several do.
    LargeAnswers {
        /// The network; of several the one that gets most.
        network: String,
        /// How many others do.
        #[serde(default)]
        others: u64,
    },
    /// Somebody gets large answers that it did not ask for.
    UnaskedAnswers {
        /// Who.
        victim: String,
        /// Servers that send them.
        servers: u64,
    },
    /// ICMP "too big" about answers.
    AnswersTooBig {
        /// How many.
        errors: u64,
    },
    /// Answers come in fragments, and the later ones are missing.
    FragmentsMissing {
        /// First fragments.
        first: u64,
        /// Later ones.
        later: u64,
    },
    /// Clients ask again after they were answered, all of them or all of those that have something in common.
    AskedAgain {
        /// How many queries.
        again: u64,
        /// Of so many that were answered.
        answered: u64,
    },
    /// A part of what is answered is asked again.
    AskedAgainInPart {
        /// How many queries.
        again: u64,
        /// Of so many that were answered.
        answered: u64,
    },
    /// Large answers are asked for again, and small ones are not.
    LargeAskedAgain {
        /// How many queries.
        again: u64,
        /// Of so many with a large answer.
        answered: u64,
    },
    /// ICMP host or network unreachable about answers.
    AnswersUnreachable {
        /// How many.
        errors: u64,
        /// Who sent one of them.
        from: String,
    },
    /// ICMP administratively prohibited about answers.
    AnswersProhibited {
        /// How many.
        errors: u64,
        /// Who sent one of them.
        from: String,
    },
    /// TCP connections to the server are not accepted.
    TcpNotAccepted {
        /// SYNs.
        syns: u64,
        /// SYN-ACKs.
        accepted: u64,
    },
    /// Answers are truncated, and hardly a client comes over TCP.
    Truncated,
    /// A flood of SYNs.
    SynFlood,
    /// A flood of messages that are no DNS.
    Garbage,
    /// One source asks many servers in vain.
    LooksAround,
    /// The server accepts TCP connections meanwhile.
    TcpAccepted,
    /// The server resets TCP connections meanwhile.
    TcpRefused,
    /// Several servers failed within seconds.
    SeveralServers {
        /// They.
        servers: Vec<String>,
    },
    /// None of many servers answers a resolver any more.
    NoServerAnswers {
        /// The resolver.
        resolver: String,
        /// Servers that it asked lately.
        servers: u64,
    },
    /// The server asks others, and they fail.
    UpstreamFails {
        /// They.
        upstreams: Vec<String>,
    },
    /// The server asks others, and they answer: what fails is not of them.
    UpstreamsAnswer {
        /// Queries that they answered.
        answered: u64,
        /// And those that they did not.
        failed: u64,
    },
    /// The server asked others, who answered, and asks nobody any more.
    AsksNobody {
        /// Queries a second before.
        before: f64,
    },
    /// It keeps the zones that it answers from, and asks nobody: its answers are authoritative.
    Authoritative,
    /// Hardly a query arrives any more.
    QueriesStayAway,
    /// Nothing listens on the DNS port of this host.
    NothingListens,
    /// Something listens there, and reads what arrives.
    ListensAndReads,
    /// Something listens there, and leaves what arrives in its buffer.
    LeavesUnread {
        /// Bytes that the buffer never fell below.
        queued: u64,
    },
    /// Datagrams passed every filter of this host and found no socket.
    PassedFilters {
        /// How many.
        datagrams: u64,
    },
    /// This host's kernel dropped most of what fails, and says why.
    Dropped {
        /// What its reasons mean.
        class: DropClass,
        /// DNS packets to or from the server.
        packets: u64,
        /// What most of them have in common.
        most: DropKind,
        /// A flood came first: what it overruns says little.
        in_flood: bool,
    },
    /// This host's kernel dropped none of what fails.
    NotDropped,
    /// Connection tracking of this host dropped packets.
    ConntrackDropped {
        /// Packets.
        packets: u64,
        /// Entries that could not be made.
        insert_failed: u64,
        /// Entries of the table, and how many there may be.
        fill: Option<[u64; 2]>,
    },
    /// A link, an address or a route of this host went shortly before.
    Changed {
        /// Which, and when.
        seen: EventSeen,
    },
    /// This host has no route for what it sends.
    NoRoute {
        /// Packets.
        packets: u64,
    },
    /// The kernel's limit held back ICMP errors.
    IcmpHeldBack {
        /// Sent.
        sent: u64,
        /// Held back.
        held: u64,
    },
    /// The sensor's own probe was answered over UDP.
    ProbeAnswered,
    /// The sensor's own probe was accepted over TCP and not answered.
    ProbeNotAnswered,
    /// The sensor's own probe was refused over TCP.
    ProbeRefused,
}

impl Finding {
    /// Whether it is seen in the newest packets alone: what was found while it went on stays true when it is over.
    #[must_use]
    pub fn is_momentary(&self) -> bool {
        matches!(
            self,
            Self::Contrast(_)
                | Self::AnswersLimited { .. }
                | Self::StrangersRefused { .. }
                | Self::SpoofedSources
                | Self::RandomNames { .. }
                | Self::LargeAnswers { .. }
                | Self::UnaskedAnswers { .. }
                | Self::NoServerAnswers { .. }
                | Self::UpstreamFails { .. }
                | Self::UpstreamsAnswer { .. }
                | Self::SlowInPart { .. }
        )
    }
}
