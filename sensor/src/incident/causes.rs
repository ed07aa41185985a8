//! Why it happened: every cause that applies, with what speaks for it and what against.

use serde::{Deserialize, Serialize};

use crate::detect::history::float;
use crate::detect::rules::ERRORS_OF_ALL;
use crate::detect::{Rule, Vantage};

use super::record::Range;
use crate::host::facts::HostFacts;

/// What may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The DNS service does not run, or hangs.
    ServiceDown,
    /// A firewall rejects with an ICMP error.
    FirewallRejects,
    /// A firewall drops in silence.
    FirewallDrops,
    /// The server's host is gone.
    HostDown,
    /// A link or a route on the way is gone.
    NetworkPathDown,
    /// More than the server can do, without an attack.
    Overload,
    /// What the server itself asks does not answer.
    UpstreamFailure,
    /// The server refuses those who ask.
    Misconfiguration,
    /// One source floods it.
    AttackOneSource,
    /// Many sources flood it.
    AttackDistributed,
    /// A flood with made-up sources.
    AttackSpoofed,
    /// A flood of names that do not exist.
    AttackRandomNames,
    /// The server is abused against others.
    AttackAmplification,
    /// Others' servers are abused against us.
    AttackReflection,
    /// Packets are too big for the path.
    PathMtu,
    /// Somebody looks for DNS servers.
    Scan,
}

impl Cause {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ServiceDown => "service down",
            Self::FirewallRejects => "firewall rejects",
            Self::FirewallDrops => "firewall drops",
            Self::HostDown => "host down",
            Self::NetworkPathDown => "network path down",
            Self::Overload => "overload",
            Self::UpstreamFailure => "upstream failure",
            Self::Misconfiguration => "misconfiguration",
            Self::AttackOneSource => "attack: one source",
            Self::AttackDistributed => "attack: distributed",
            Self::AttackSpoofed => "attack: spoofed",
            Self::AttackRandomNames => "attack: random names",
            Self::AttackAmplification => "attack: amplification",
            Self::AttackReflection => "attack: reflection",
            Self::PathMtu => "path MTU",
            Self::Scan => "scan",
        }
    }
}

/// When a flood came, seen from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Before it: it may be what brought it about.
    First,
    /// So close to it that nobody knows.
    Together,
    /// After it: clients that get no answer ask again.
    After,
    /// Before it, and it was over.
    Over,
}

/// All that is weighed.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// Rules that fired, and when, in milliseconds since the first of them.
    pub signs: Vec<(Rule, u64)>,
    /// When the flood came, where there are a flood and a failure.
    pub flood: Option<Came>,
    /// Where the sensor stands; `None` if no server is concerned.
    pub vantage: Option<Vantage>,
    /// Queries since the first sign.
    pub queries: u64,
    /// Queries whose end is known: without those that were sent again, and those that wait.
    pub decided: u64,
    /// Of them answered.
    pub answered: u64,
    /// Answered in the minute before.
    pub answered_before: u64,
    /// Matched ICMP errors: port, prohibited, host, network unreachable.
    pub port: u64,
    /// See `port`.
    pub prohibited: u64,
    /// See `port`.
    pub host: u64,
    /// See `port`.
    pub network: u64,
    /// See `port`; it says that a packet was too big.
    pub too_big: u64,
    /// Truncated answers.
    pub truncated: u64,
    /// ICMP errors about the server, and those of them that its own address sent.
    pub errors: u64,
    /// See `errors`.
    pub errors_from_server: u64,
    /// Longest wait for an ICMP error, in milliseconds.
    pub slowest_error_ms: Option<u64>,
    /// Client networks that are rejected while others are served.
    pub rejected_networks: usize,
    /// Client networks that are served.
    pub served_networks: usize,
    /// TCP connections that the server accepted or refused since the first sign.
    pub tcp_accepted: u64,
    /// See `tcp_accepted`.
    pub tcp_refused: u64,
    /// What the server's host says.
    pub facts: Option<HostFacts>,
    /// Seconds since the first sign.
    pub seconds: f64,
    /// Rate of queries.
    pub rate: Range,
    /// Whether the server answered when asked: over UDP, over TCP.
    pub verified: Option<(bool, bool)>,
}

impl Situation {
    fn has(&self, rule: Rule) -> bool {
        self.signs.iter().any(|(sign, _)| *sign == rule)
    }

    fn first(&self, is: impl Fn(Rule) -> bool) -> Option<u64> {
        let mut signs = self.signs.iter().filter(|(rule, _)| is(*rule));
        signs.next().map(|(_, at)| *at)
    }

    /// Whether ICMP errors of a kind tell why queries fail. One, and then none while queries go on to fail, may be
    /// of one client's own network.
    fn is_told_by(&self, rule: Rule, errors: u64) -> bool {
        let of_all = errors >= ERRORS_OF_ALL || (errors != 0 && !self.has(Rule::Silent));
        (self.has(rule) && of_all) || self.fails_in_part_with(errors)
    }

    /// Whether most of the failures of a part of the queries are ICMP errors that say this.
    fn fails_in_part_with(&self, errors: u64) -> bool {
        let failed = self.decided.saturating_sub(self.answered);
        self.has(Rule::PartialFailure) && errors != 0 && errors * 2 >= failed
    }

    /// Whether part of the queries fails, and nothing else is the matter.
    fn only_partial(&self) -> bool {
        let mut signs = self.signs.iter().map(|(rule, _)| *rule);
        signs.all(|rule| rule == Rule::PartialFailure || !(rule.is_failure() || rule.is_flood()))
    }

    fn is_on_server(&self) -> bool {
        self.vantage == Some(Vantage::Server)
    }
}

/// Causes whose weights differ by less cannot be told apart.
const MARGIN: i32 = 10;
/// A wait for an ICMP error that only an unanswered ARP or neighbour request explains.
const ARP_MS: u64 = 900;

/// Datagrams without a socket that are no stray ones.
const NOT_TAKEN: u64 = 5;
/// Seconds between the first and the last look at the host that tell something of its sockets.
const LOOKED: u64 = 2;
/// Share of the queries, in datagrams that are read, below which they do not reach their program.
const FEW_READ: f64 = 0.2;
/// Times the queries, or the other way round: more datagrams than that are other traffic.
const MOST_READ: f64 = 1.5;

/// A cause and its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// Which.
    pub cause: String,
    /// How much speaks for it; only the differences mean something.
    pub weight: i32,
    /// What speaks for it.
    #[serde(rename = "for")]
    pub reasons: Vec<String>,
    /// What speaks against it.
    pub against: Vec<String>,
}

/// What can be said of the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This one.
    Likely(Cause),
    /// One of these two.
    CannotTell(Cause, Cause),
    /// Nothing applies.
    Unknown,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Likely(cause) => cause.name().into(),
            Self::CannotTell(one, other) => {
                format!("cannot tell {} from {}", one.name(), other.name())
            }
            Self::Unknown => "unknown".into(),
        }
    }
}

/// Collects what speaks for and against.
#[derive(Default)]
struct Scales {
    causes: Vec<(Cause, Ranked)>,
}

impl Scales {
    /// A reason. What speaks against a cause alone does not bring it up.
    fn put(&mut self, cause: Cause, weight: i32, reason: impl Into<String>) {
        let at = self.causes.iter().position(|(known, _)| *known == cause);
        let at = match at {
            Some(at) => at,
            None if weight <= 0 => return,
            None => {
                let ranked = Ranked {
                    cause: cause.name().into(),
                    weight: 0,
                    reasons: Vec::new(),
                    against: Vec::new(),
                };
                self.causes.push((cause, ranked));
                self.causes.len() - 1
            }
        };
        let ranked = &mut self.causes[at].1;
        ranked.weight += weight;
        if weight > 0 {
            ranked.reasons.push(reason.into());
        } else {
            ranked.against.push(reason.into());
        }
    }
}

/// Ranks every cause that applies.
#[must_use]
pub fn weigh(situation: &Situation) -> (Verdict, Vec<Ranked>) {
    let mut scales = Scales::default();
    rejected(situation, &mut scales);
    unreachable(situation, &mut scales);
    silent(situation, &mut scales);
    answered_badly(situation, &mut scales);
    flooded(situation, &mut scales);
    hosts_word(situation, &mut scales);
    came_together(situation, &mut scales);
    let mut causes = scales.causes;
    causes.retain(|(_, ranked)| ranked.weight > 0);
    causes.sort_by_key(|(cause, ranked)| (std::cmp::Reverse(ranked.weight), *cause));
    let verdict = match causes.as_slice() {
        [] => Verdict::Unknown,
        [(first, a), (second, b), ..] if a.weight - b.weight < MARGIN => {
            Verdict::CannotTell(*first, *second)
        }
        [(first, _), ..] => Verdict::Likely(*first),
    };
    let ranked = causes.into_iter().map(|(_, ranked)| ranked).collect();
    (verdict, ranked)
}

/// Errors that say that the port is closed or the query not wanted.
fn rejected(s: &Situation, scales: &mut Scales) {
    use Cause::{FirewallRejects, ServiceDown};
    let failing = format!(
        "{} of {} queries were answered since",
        s.answered, s.decided
    );
    let by_others = s.errors.saturating_sub(s.errors_from_server);
    let by_port = s.is_told_by(Rule::PortUnreachable, s.port);
    if by_port {
        let errors = format!(
            "{} ICMP port unreachable about queries that were seen",
            s.port
        );
        scales.put(ServiceDown, 50, errors.clone());
        scales.put(
            FirewallRejects,
            40,
            format!("{errors}; a REJECT rule sends the same"),
        );
        if s.answered * 20 <= s.decided {
            scales.put(ServiceDown, 15, failing);
        }
    }
    if s.is_told_by(Rule::Prohibited, s.prohibited) {
        let errors = format!(
            "{} ICMP \"administratively prohibited\", which only a filter sends",
            s.prohibited
        );
        scales.put(FirewallRejects, 90, errors.clone());
        scales.put(ServiceDown, -60, errors);
    }
    if s.has(Rule::PartialRejection) {
        let networks = format!(
            "{} client networks are rejected while {} are served",
            s.rejected_networks, s.served_networks
        );
        scales.put(FirewallRejects, 90, networks.clone());
        scales.put(ServiceDown, -60, networks);
    }
    if s.errors != 0 && (by_port || s.has(Rule::PartialRejection)) {
        if by_others == 0 {
            let own = "the errors come from the server's own address, so a middlebox is unlikely";
            scales.put(ServiceDown, 15, own);
            scales.put(FirewallRejects, -5, own);
        } else if s.errors_from_server == 0 {
            let other = "the errors do not come from the server's own address";
            scales.put(FirewallRejects, 50, other);
            scales.put(ServiceDown, -40, other);
        }
    }
}

/// Errors that say that the way is broken.
fn unreachable(s: &Situation, scales: &mut Scales) {
    use Cause::{HostDown, NetworkPathDown};
    if !s.is_told_by(Rule::HostUnreachable, s.host + s.network) {
        return;
    }
    let errors = format!(
        "{} ICMP host and {} network unreachable about queries that were seen",
        s.host, s.network
    );
    scales.put(HostDown, 50, errors.clone());
    scales.put(NetworkPathDown, 50, errors);
    if s.network > s.host {
        let network = "a router knows no way to the server's network";
        scales.put(NetworkPathDown, 40, network);
        scales.put(HostDown, -20, network);
    }
    match s.slowest_error_ms {
        Some(ms) if ms >= ARP_MS => {
            let late = format!(
                "the errors come up to {:.1} s after the query, as when the last router asks in vain \
                 who has the server's address",
                seconds(ms)
            );
            scales.put(HostDown, 40, late.clone());
            scales.put(NetworkPathDown, -10, late);
        }
        Some(ms) => {
            let soon = format!(
                "the errors come at once (after {ms} ms at most): a router does not even try"
            );
            scales.put(NetworkPathDown, 30, soon.clone());
            scales.put(HostDown, -10, soon);
        }
        None => {}
    }
    alive(s, scales);
}

/// No answers and no errors, or no queries.
fn silent(s: &Situation, scales: &mut Scales) {
    use Cause::{FirewallDrops, HostDown, NetworkPathDown, Overload, ServiceDown};
    if s.has(Rule::Silent) {
        let why = match s.port + s.prohibited + s.host + s.network {
            0 => "no ICMP error tells why",
            1..ERRORS_OF_ALL => "a single ICMP error does not tell why",
            _ => "of those without an ICMP error nothing tells why",
        };
        let nothing = format!(
            "{} of {} queries were answered since, and {why}",
            s.answered, s.decided
        );
        if s.is_on_server() {
            let here = "the queries arrive at this host, so the way to it is open";
            scales.put(ServiceDown, 45, format!("{nothing}: the service may hang"));
            scales.put(
                FirewallDrops,
                45,
                format!("{nothing}: a rule on this host may drop"),
            );
            scales.put(HostDown, -100, here);
            scales.put(NetworkPathDown, -100, here);
        } else {
            scales.put(FirewallDrops, 40, nothing.clone());
            scales.put(NetworkPathDown, 38, nothing.clone());
            scales.put(HostDown, 32, nothing);
            if s.host == 0 {
                let errors = "a router would usually report a host that is down";
                scales.put(HostDown, -4, errors);
            }
            alive(s, scales);
        }
    } else if s.has(Rule::PartialFailure)
        && s.only_partial()
        && !s.fails_in_part_with(s.port + s.prohibited + s.host + s.network)
    {
        let part = format!(
            "{} of {} queries were answered since",
            s.answered, s.decided
        );
        scales.put(Overload, 30, part.clone());
        scales.put(
            NetworkPathDown,
            30,
            format!("{part}: packets may be lost on the way"),
        );
    }
    if s.has(Rule::Collapse) {
        let away = format!(
            "the queries stay away: {:.1} a second since, usually {:.0}; what comes is answered",
            rate(s.queries, s.seconds),
            s.rate.usual.unwrap_or(0.0)
        );
        scales.put(NetworkPathDown, 40, away.clone());
        scales.put(
            FirewallDrops,
            38,
            format!("{away}; a filter before this host may drop them"),
        );
    }
}

fn alive(s: &Situation, scales: &mut Scales) {
    if s.tcp_accepted + s.tcp_refused != 0 {
        let alive = format!(
            "the host is up: it accepted {} and refused {} TCP connections since",
            s.tcp_accepted, s.tcp_refused
        );
        scales.put(Cause::FirewallDrops, 30, alive.clone());
        scales.put(Cause::HostDown, -60, alive.clone());
        scales.put(Cause::NetworkPathDown, -60, alive);
    }
}

/// Answers that are none.
fn answered_badly(s: &Situation, scales: &mut Scales) {
    if s.has(Rule::Servfail) {
        scales.put(
            Cause::UpstreamFailure,
            80,
            "the server answers, and says that it cannot find the answer (SERVFAIL)",
        );
    }
    if s.has(Rule::Refused) {
        scales.put(
            Cause::Misconfiguration,
            80,
            "the server answers, and says that it does not want to (REFUSED): its access list or zones",
        );
    }
    if s.has(Rule::Slow) {
        scales.put(
            Cause::Overload,
            60,
            "answers came to take far longer than usual",
        );
    }
    if s.has(Rule::Truncation) {
        let reason = if s.too_big == 0 {
            format!("{} answers are cut (TC)", s.truncated)
        } else {
            format!("{} ICMP errors say that a packet was too big", s.too_big)
        };
        scales.put(Cause::PathMtu, 60, reason);
    }
}

/// Floods.
fn flooded(s: &Situation, scales: &mut Scales) {
    use Cause::{
        AttackAmplification, AttackDistributed, AttackOneSource, AttackRandomNames,
        AttackReflection, AttackSpoofed, FirewallDrops, FirewallRejects, Overload, Scan,
        ServiceDown,
    };
    let rise = format!(
        "{:.0} queries a second at worst, usually {:.0}",
        s.rate.worst,
        s.rate.usual.unwrap_or(0.0)
    );
    if s.has(Rule::QueryFlood) {
        scales.put(AttackDistributed, 60, rise.clone());
        scales.put(Overload, 20, rise);
    }
    for (rule, cause, weight, reason) in [
        (
            Rule::OneSource,
            AttackOneSource,
            85,
            "one source asks far more than all others, and than it usually does",
        ),
        (
            Rule::Spoofed,
            AttackSpoofed,
            100,
            "far more sources than usual, each of which hardly asks",
        ),
        (
            Rule::RandomNames,
            AttackRandomNames,
            115,
            "far more different names than usual, most of which do not exist",
        ),
        (
            Rule::Amplification,
            AttackAmplification,
            130,
            "small queries in the name of one network have large answers",
        ),
        (
            Rule::Reflection,
            AttackReflection,
            130,
            "responses come to queries that were never sent",
        ),
        (
            Rule::Scan,
            Scan,
            90,
            "one source asks many addresses that never answered",
        ),
    ] {
        if s.has(rule) {
            scales.put(cause, weight, reason);
        }
    }
    match s.flood {
        Some(Came::First) => {
            let first = "the flood came before the failure, or with it";
            for cause in [ServiceDown, FirewallRejects, FirewallDrops, Overload] {
                scales.put(cause, -100, first);
            }
        }
        Some(Came::After) => {
            let after = "the failure came first: clients that get no answer ask again";
            for cause in ATTACKS_BY_QUERIES {
                scales.put(cause, -60, after);
            }
        }
        Some(Came::Over) => {
            let over = "the flood was over before the failure began";
            for cause in ATTACKS_BY_QUERIES {
                scales.put(cause, -80, over);
            }
        }
        Some(Came::Together) | None => {}
    }
}

/// Attacks that look as if clients asked again, and the other way round.
const ATTACKS_BY_QUERIES: [Cause; 4] = [
    Cause::AttackDistributed,
    Cause::AttackOneSource,
    Cause::AttackRandomNames,
    Cause::AttackSpoofed,
];

/// A flood and a failure that began together: whichever was first brought about the other, and nothing that
/// was counted tells which. So neither is likelier.
fn came_together(s: &Situation, scales: &mut Scales) {
    if s.flood != Some(Came::Together) {
        return;
    }
    let is_attack = |cause: &Cause| ATTACKS_BY_QUERIES.contains(cause);
    let heaviest = |scales: &Scales, attack: bool| {
        let causes = scales.causes.iter();
        let of = causes.filter(|(cause, _)| is_attack(cause) == attack);
        of.map(|(cause, ranked)| (ranked.weight, *cause))
            .max_by_key(|(weight, _)| *weight)
    };
    if let (Some((attack, by)), Some((failure, of))) =
        (heaviest(scales, true), heaviest(scales, false))
    {
        let together =
            "the failure and the flood began together: either may have brought about the other";
        scales.put(by, (failure - attack).max(0) + 1, together);
        scales.put(of, (attack - failure).max(0) + 1, together);
    }
}

/// What the server's own host says, and what it said when asked.
fn hosts_word(s: &Situation, scales: &mut Scales) {
    use Cause::{FirewallDrops, FirewallRejects, Overload, ServiceDown};
    let failure = s.first(Rule::is_failure).is_some();
    if let Some(facts) = &s.facts {
        let rejected = s.has(Rule::PortUnreachable) || s.has(Rule::Prohibited);
        // A socket of another interface, or of another address: the kernel knows better.
        let not_taken = facts.no_ports >= NOT_TAKEN && facts.no_ports * 2 >= s.port;
        match facts.udp_bound {
            Some(false) if failure => {
                let nobody =
                    "nothing listens on the server's address and the DNS port (UDP) of this host";
                scales.put(ServiceDown, 50, nobody);
                scales.put(FirewallRejects, -50, nobody);
                scales.put(FirewallDrops, -50, nobody);
            }
            Some(true) if rejected && !not_taken => {
                let somebody = "a socket listens on the DNS port (UDP) of this host";
                scales.put(FirewallRejects, 50, somebody);
                scales.put(ServiceDown, -60, somebody);
            }
            _ => {}
        }
        if not_taken && s.has(Rule::PortUnreachable) {
            let arrived = format!(
                "{} datagrams passed every filter of this host and found no socket",
                facts.no_ports
            );
            scales.put(ServiceDown, 30, arrived.clone());
            scales.put(FirewallRejects, -30, arrived);
        }
        if facts.socket_drops != 0 {
            let full = format!(
                "{} datagrams found the DNS socket's buffer full: the service does not read fast enough",
                facts.socket_drops
            );
            scales.put(Overload, 30, full.clone());
            if s.has(Rule::Silent) && !s.signs.iter().any(|(rule, _)| rule.is_flood()) {
                scales.put(ServiceDown, 40, full);
            }
        }
    }
    in_silence(s, scales);
    if let Some((udp, tcp)) = s.verified
        && failure
    {
        if udp {
            scales.put(ServiceDown, -40, "it answered over UDP when it was asked");
        } else if tcp {
            let only = "asked by the sensor, it answered over TCP and not over UDP";
            scales.put(FirewallDrops, 20, only);
            scales.put(ServiceDown, -30, only);
        }
    }
}

/// Where queries that arrive at this host get lost: in a filter before the socket, in the socket, or in the program
/// that reads it.
fn in_silence(s: &Situation, scales: &mut Scales) {
    use Cause::{FirewallDrops, ServiceDown};
    let is_flood = s.signs.iter().any(|(rule, _)| rule.is_flood());
    let Some(facts) = s.facts.as_ref().filter(|_| s.is_on_server()) else {
        return;
    };
    if !s.has(Rule::Silent)
        || is_flood
        || facts.udp_bound != Some(true)
        || facts.seconds < LOOKED
        || facts.socket_drops != 0
    {
        return;
    }
    let came = rate(s.queries, s.seconds);
    let read = float(facts.read) / float(facts.seconds);
    if facts.queued != 0 {
        let unread = format!(
            "whenever it was looked, {} bytes or more waited in the DNS socket's buffer: the service does not read",
            facts.queued
        );
        scales.put(ServiceDown, 40, unread.clone());
        scales.put(FirewallDrops, -40, unread);
    } else if read < FEW_READ * came {
        let lost = format!(
            "{came:.1} queries a second come, and all programs of this host read {read:.1} datagrams: they are lost \
             before the DNS socket, whose buffer is empty"
        );
        scales.put(FirewallDrops, 40, lost.clone());
        scales.put(ServiceDown, -40, lost);
    } else if read < MOST_READ * came && read > came / MOST_READ {
        let taken = format!(
            "programs of this host read {read:.1} datagrams a second, about as many as queries come: they reach the \
             service, which does not answer"
        );
        scales.put(ServiceDown, 20, taken);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time of an incident")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

fn rate(count: u64, seconds: f64) -> f64 {
    float(count) / seconds.max(0.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known, what must come first, and what must not be named at all.
    struct Case {
        name: &'static str,
        situation: Situation,
        first: &'static str,
        never: &'static [Cause],
    }

    fn failing(signs: &[Rule], vantage: Vantage) -> Situation {
        Situation {
            signs: signs.iter().map(|rule| (*rule, 0)).collect(),
            vantage: Some(vantage),
            queries: 400,
            decided: 400,
            answered_before: 500,
            seconds: 8.0,
            ..Situation::default()
        }
    }

    fn bound(udp: bool) -> HostFacts {
        HostFacts {
            udp_bound: Some(udp),
            ..HostFacts::default()
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    fn cases() -> Vec<Case> {
        use Cause::{
            AttackDistributed, AttackOneSource, FirewallRejects, HostDown, NetworkPathDown,
            ServiceDown,
        };
        let port = Rule::PortUnreachable;
        let own_errors = Situation {
            port: 65,
            errors: 65,
            errors_from_server: 65,
            ..failing(&[port], Vantage::Server)
        };
        vec![
            Case {
                name: "server stopped, seen from itself",
                situation: Situation {
                    facts: Some(bound(false)),
                    ..own_errors.clone()
                },
                first: "service down",
                never: &[NetworkPathDown, HostDown],
            },
            Case {
                name: "a lone client of a dead server, seen from the client",
                situation: Situation {
                    queries: 5,
                    decided: 5,
                    answered_before: 0,
                    port: 5,
                    errors: 5,
                    errors_from_server: 5,
                    ..failing(&[port], Vantage::Client)
                },
                first: "service down",
                never: &[Cause::Scan, NetworkPathDown],
            },
            Case {
                name: "started mid-outage: nothing was ever answered",
                situation: Situation {
                    answered_before: 0,
                    ..own_errors.clone()
                },
                first: "service down",
                never: &[NetworkPathDown],
            },
            Case {
                name: "ICMP limited to one a second in an outage of 10,000 queries a second",
                situation: Situation {
                    queries: 80_000,
                    decided: 80_000,
                    port: 8,
                    errors: 8,
                    errors_from_server: 8,
                    ..failing(&[port], Vantage::Path)
                },
                first: "service down",
                never: &[AttackDistributed],
            },
            Case {
                name: "REJECT on the server while the service runs",
                situation: Situation {
                    facts: Some(bound(true)),
                    ..own_errors.clone()
                },
                first: "firewall rejects",
                never: &[NetworkPathDown],
            },
            Case {
                name: "REJECT with code 3 of one network while others are answered",
                situation: Situation {
                    answered: 260,
                    port: 30,
                    errors: 30,
                    rejected_networks: 1,
                    served_networks: 2,
                    ..failing(&[port, Rule::PartialRejection], Vantage::Path)
                },
                first: "firewall rejects",
                never: &[HostDown],
            },
            Case {
                name: "port unreachable that a middlebox sends",
                situation: Situation {
                    port: 40,
                    errors: 40,
                    ..failing(&[port], Vantage::Client)
                },
                first: "firewall rejects",
                never: &[],
            },
            Case {
                name: "prohibited by a router",
                situation: Situation {
                    prohibited: 20,
                    errors: 20,
                    ..failing(&[Rule::Prohibited], Vantage::Client)
                },
                first: "firewall rejects",
                never: &[ServiceDown, HostDown],
            },
            Case {
                name: "host unreachable at once",
                situation: Situation {
                    host: 20,
                    errors: 20,
                    slowest_error_ms: Some(0),
                    ..failing(&[Rule::HostUnreachable], Vantage::Client)
                },
                first: "network path down",
                never: &[ServiceDown],
            },
            Case {
                name: "host unreachable after three seconds: nobody answers ARP",
                situation: Situation {
                    host: 20,
                    errors: 20,
                    slowest_error_ms: Some(3_060),
                    ..failing(&[Rule::Silent, Rule::HostUnreachable], Vantage::Client)
                },
                first: "host down",
                never: &[ServiceDown],
            },
            Case {
                name: "network unreachable",
                situation: Situation {
                    network: 20,
                    errors: 20,
                    ..failing(&[Rule::HostUnreachable], Vantage::Client)
                },
                first: "network path down",
                never: &[ServiceDown],
            },
            Case {
                name: "silence, seen from a client",
                situation: failing(&[Rule::Silent], Vantage::Client),
                first: "cannot tell firewall drops from network path down",
                never: &[ServiceDown],
            },
            Case {
                name: "silence, and one client whose own network rejects",
                situation: Situation {
                    port: 1,
                    errors: 1,
                    ..failing(&[port, Rule::Silent], Vantage::Path)
                },
                first: "cannot tell firewall drops from network path down",
                never: &[ServiceDown, FirewallRejects],
            },
            Case {
                name: "a sign of errors that came before the first failure that is known",
                situation: failing(&[port], Vantage::Path),
                first: "unknown",
                never: &[ServiceDown, FirewallRejects],
            },
            Case {
                name: "a router that sends no more ICMP errors after its first ones",
                situation: Situation {
                    prohibited: 2,
                    errors: 2,
                    ..failing(&[Rule::Prohibited, Rule::Silent], Vantage::Path)
                },
                first: "firewall rejects",
                never: &[ServiceDown],
            },
            Case {
                name: "silence over UDP while TCP is accepted",
                situation: Situation {
                    tcp_accepted: 3,
                    ..failing(&[Rule::Silent], Vantage::Client)
                },
                first: "firewall drops",
                never: &[HostDown, NetworkPathDown],
            },
            Case {
                name: "silence, seen from the server: its process hangs",
                situation: Situation {
                    facts: Some(HostFacts {
                        udp_bound: Some(true),
                        socket_drops: 900,
                        ..HostFacts::default()
                    }),
                    ..failing(&[Rule::Silent], Vantage::Server)
                },
                first: "service down",
                never: &[HostDown, NetworkPathDown],
            },
            Case {
                name: "silence, seen from the server: nobody reads what waits",
                situation: Situation {
                    facts: Some(HostFacts {
                        queued: 4_000,
                        seconds: 5,
                        ..bound(true)
                    }),
                    ..failing(&[Rule::Silent], Vantage::Server)
                },
                first: "service down",
                never: &[HostDown, NetworkPathDown],
            },
            Case {
                name: "silence, seen from the server: nothing reaches the socket",
                situation: Situation {
                    facts: Some(HostFacts {
                        read: 10,
                        seconds: 5,
                        ..bound(true)
                    }),
                    ..failing(&[Rule::Silent], Vantage::Server)
                },
                first: "firewall drops",
                never: &[HostDown, NetworkPathDown],
            },
            Case {
                name: "silence, seen from the server: all is read and nothing answered",
                situation: Situation {
                    facts: Some(HostFacts {
                        read: 260,
                        seconds: 5,
                        ..bound(true)
                    }),
                    ..failing(&[Rule::Silent], Vantage::Server)
                },
                first: "service down",
                never: &[HostDown, NetworkPathDown],
            },
            Case {
                name: "silence, seen from the server, which reads much else",
                situation: Situation {
                    facts: Some(HostFacts {
                        read: 5_000,
                        seconds: 5,
                        ..bound(true)
                    }),
                    ..failing(&[Rule::Silent], Vantage::Server)
                },
                first: "cannot tell service down from firewall drops",
                never: &[HostDown, NetworkPathDown],
            },
            Case {
                name: "the queries stay away",
                situation: Situation {
                    queries: 0,
                    decided: 0,
                    ..failing(&[Rule::Collapse], Vantage::Server)
                },
                first: "cannot tell network path down from firewall drops",
                never: &[ServiceDown, HostDown],
            },
            Case {
                name: "a resolver that retries after a restart: the failure came first",
                situation: Situation {
                    signs: vec![
                        (port, 0),
                        (Rule::QueryFlood, 8_000),
                        (Rule::OneSource, 9_000),
                    ],
                    flood: Some(Came::After),
                    facts: Some(bound(false)),
                    ..own_errors.clone()
                },
                first: "service down",
                never: &[AttackDistributed],
            },
            Case {
                name: "a flood that brings the server down",
                situation: Situation {
                    signs: vec![(Rule::QueryFlood, 0), (port, 2_000)],
                    flood: Some(Came::First),
                    facts: Some(bound(false)),
                    ..own_errors.clone()
                },
                first: "attack: distributed",
                never: &[FirewallRejects],
            },
            Case {
                name: "a flood that was answered, and an outage after it",
                situation: Situation {
                    signs: vec![(Rule::OneSource, 0), (port, 20_000)],
                    flood: Some(Came::Over),
                    ..own_errors.clone()
                },
                first: "service down",
                never: &[],
            },
            Case {
                name: "clients that ask again at once, or a flood: nothing tells",
                situation: Situation {
                    signs: vec![(port, 0), (Rule::QueryFlood, 500)],
                    flood: Some(Came::Together),
                    facts: Some(bound(false)),
                    ..own_errors.clone()
                },
                first: "cannot tell service down from attack: distributed",
                never: &[FirewallRejects],
            },
            Case {
                name: "a socket on another address of this host does not take the queries",
                situation: Situation {
                    facts: Some(HostFacts {
                        no_ports: 60,
                        ..bound(true)
                    }),
                    ..own_errors.clone()
                },
                first: "service down",
                never: &[NetworkPathDown],
            },
            Case {
                name: "one source floods",
                situation: failing(&[Rule::QueryFlood, Rule::OneSource], Vantage::Server),
                first: "attack: one source",
                never: &[ServiceDown],
            },
            Case {
                name: "NAT'ed clients behind one address that is busy: no sign, no cause",
                situation: failing(&[], Vantage::Server),
                first: "unknown",
                never: &[AttackOneSource],
            },
            Case {
                name: "spoofed flood into a full socket buffer",
                situation: Situation {
                    facts: Some(HostFacts {
                        udp_bound: Some(true),
                        socket_drops: 1_999_950,
                        ..HostFacts::default()
                    }),
                    flood: Some(Came::First),
                    ..failing(
                        &[Rule::QueryFlood, Rule::Spoofed, Rule::PartialFailure],
                        Vantage::Server,
                    )
                },
                first: "attack: spoofed",
                never: &[ServiceDown],
            },
            Case {
                name: "random names in a flood",
                situation: failing(&[Rule::RandomNames, Rule::QueryFlood], Vantage::Server),
                first: "attack: random names",
                never: &[],
            },
            Case {
                name: "amplification with forged sources",
                situation: failing(
                    &[Rule::Amplification, Rule::QueryFlood, Rule::Spoofed],
                    Vantage::Server,
                ),
                first: "attack: amplification",
                never: &[],
            },
            Case {
                name: "reflection",
                situation: Situation {
                    signs: vec![(Rule::Reflection, 0)],
                    ..Situation::default()
                },
                first: "attack: reflection",
                never: &[ServiceDown],
            },
            Case {
                name: "a port scan",
                situation: Situation {
                    signs: vec![(Rule::Scan, 0)],
                    ..Situation::default()
                },
                first: "scan",
                never: &[ServiceDown, HostDown],
            },
            Case {
                name: "SERVFAIL",
                situation: failing(&[Rule::Servfail], Vantage::Server),
                first: "upstream failure",
                never: &[ServiceDown],
            },
            Case {
                name: "REFUSED",
                situation: failing(&[Rule::Refused], Vantage::Client),
                first: "misconfiguration",
                never: &[FirewallRejects],
            },
            Case {
                name: "slow",
                situation: failing(&[Rule::Slow], Vantage::Server),
                first: "overload",
                never: &[ServiceDown],
            },
            Case {
                name: "it answered when it was asked",
                situation: Situation {
                    verified: Some((true, true)),
                    facts: Some(bound(true)),
                    ..own_errors
                },
                first: "firewall rejects",
                never: &[],
            },
        ]
    }

    #[test]
    fn each_situation_has_its_cause() {
        for case in cases() {
            let (verdict, ranked) = weigh(&case.situation);
            assert_eq!(verdict.words(), case.first, "{}: {ranked:#?}", case.name);
            for cause in case.never {
                let named = ranked.iter().any(|ranked| ranked.cause == cause.name());
                assert!(!named, "{}: {ranked:#?}", case.name);
            }
        }
    }

    #[test]
    fn what_speaks_against_is_told_beside_what_speaks_for() {
        let (_, ranked) = weigh(&Situation {
            port: 9,
            errors: 9,
            errors_from_server: 9,
            ..failing(&[Rule::PortUnreachable], Vantage::Server)
        });
        let firewall = &ranked[1];
        assert_eq!(firewall.cause, "firewall rejects");
        assert!(firewall.against[0].contains("middlebox is unlikely"));
        assert!(ranked[0].reasons[0].starts_with("9 ICMP port unreachable"));
    }
}
