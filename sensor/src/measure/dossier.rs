//! All that was sampled of one transaction: its query, the copies, the answers, the ICMP errors.
//!
//! A query, its copies, its answers and the ICMP errors about it are all sampled or none is. They are joined by
//! client, port and id, and not by server: an answer from another address than was asked belongs to its
//! query. A dossier is kept for a while behind its end, because late answers, second answers and
//! ICMP errors about answers come then.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use foldhash::fast::RandomState;
use sensor_common::class::ErrorKind;
use sensor_common::server::ServerKey;

use super::question::{Edns, Question};
use super::sampled::{Kind, Sampled};

/// Dossiers that are kept at once, of all servers.
const DOSSIERS: usize = 16_384;
/// For so long after the first packet.
const KEPT: Duration = Duration::from_mins(1);
/// A packet of the same client, port and id later than this begins another transaction: resolvers give up
/// well before (RFC 1035 7.2; 30 s is the longest that is known of stubs).
const REUSED: Duration = Duration::from_secs(30);
/// Packets of one kind that are told apart.
const PACKETS: usize = 8;

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When it passed.
    pub at: Duration,
    /// Who sent it.
    pub from: ServerKey,
    /// RCODE.
    pub rcode: u8,
    /// TC.
    pub truncated: bool,
    /// AA: the server keeps the zone.
    pub authoritative: bool,
    /// It is the first of several IP fragments.
    pub fragmented: bool,
    /// Bytes of the message.
    pub bytes: u32,
}

/// An ICMP error about the query, or about its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpSeen {
    /// When it passed.
    pub at: Duration,
    /// What it says of the path.
    pub kind: ErrorKind,
    /// Who sent it.
    pub sender: ServerKey,
    /// About the answer, and not about the query.
    pub about_answer: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Dossier {
    /// Who asked.
    pub client: ServerKey,
    /// Who was asked; where no query was seen, who answered.
    pub server: ServerKey,
    /// Port of the client.
    pub port: u16,
    /// Id of the messages.
    pub id: u16,
    /// Transactions that it stands for.
    pub weight: u32,
    /// When its first packet passed.
    pub begun: Duration,
    /// OPCODE of the query: 0 asks, others keep zones (IANA, "DNS `OpCodes`").
    pub opcode: u8,
    /// What was asked; `None` where no query was seen, or its question cannot be read.
    pub question: Option<Question>,
    /// The query's OPT record.
    pub edns: Option<Edns>,
    /// Bytes of the first query.
    pub query_bytes: u32,
    /// Cgroup of the program of this host that asked, as [`sensor_common::sample::Sample::cgroup`].
    pub cgroup: u64,
    /// When the query passed, and its copies. Empty where none was seen.
    pub copies: Vec<Duration>,
    /// Answers, from whomever.
    pub answers: Vec<Answer>,
    /// ICMP errors.
    pub errors: Vec<IcmpSeen>,
}

/// How a transaction ended, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It may yet be answered.
    Waiting,
    /// The server answered in time.
    Answered(Answer),
    /// The server answered, after the time-out.
    Late(Answer),
    /// Somebody else answered.
    Elsewhere(Answer),
    /// An ICMP error came instead.
    Rejected(IcmpSeen),
    /// Nothing came within the time-out.
    Unanswered,
    /// An answer, or an ICMP error, about a query that was not seen.
    NoQuery,
}

impl End {
    /// The client did not get what it asked for in time.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Rejected(_) | Self::Unanswered | Self::Elsewhere(_) | Self::Late(_)
        )
    }
}

impl Dossier {
    fn new(packet: &Sampled, id: u16) -> Self {
        Self {
            client: packet.client,
            server: packet.server,
            port: packet.port,
            id,
            weight: packet.weight,
            begun: packet.at,
            opcode: 0,
            question: None,
            edns: None,
            query_bytes: 0,
            cgroup: 0,
            copies: Vec::new(),
            answers: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn add(&mut self, packet: &Sampled) {
        match &packet.kind {
            Kind::Query {
                opcode,
                question,
                edns,
                bytes,
            } => {
                if self.copies.is_empty() {
                    self.opcode = *opcode;
                    self.server = packet.server;
                    self.question.clone_from(question);
                    self.edns = *edns;
                    self.query_bytes = *bytes;
                    self.cgroup = packet.cgroup;
                }
                push(&mut self.copies, packet.at);
            }
            Kind::Response {
                rcode,
                truncated,
                authoritative,
                fragmented,
                bytes,
            } => push(
                &mut self.answers,
                Answer {
                    at: packet.at,
                    from: packet.server,
                    rcode: *rcode,
                    truncated: *truncated,
                    authoritative: *authoritative,
                    fragmented: *fragmented,
                    bytes: *bytes,
                },
            ),
            Kind::Error {
                kind,
                sender,
                about_answer,
            } => push(
                &mut self.errors,
                IcmpSeen {
                    at: packet.at,
                    kind: *kind,
                    sender: *sender,
                    about_answer: *about_answer,
                },
            ),
        }
    }

    /// When it was asked; `None` where that was not seen.
    #[must_use]
    pub fn asked(&self) -> Option<Duration> {
        self.copies.first().copied()
    }

    /// The first answer of the server that was asked.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        self.answers
            .iter()
            .find(|answer| answer.from == self.server)
    }

    /// How it ended, as known at `now`.
    #[must_use]
    pub fn end(&self, now: Duration, timeout: Duration) -> End {
        let Some(asked) = self.asked() else {
            return End::NoQuery;
        };
        if let Some(answer) = self.answer() {
            return if answer.at.saturating_sub(asked) <= timeout {
                End::Answered(*answer)
            } else {
                End::Late(*answer)
            };
        }
        if let Some(error) = self.errors.iter().find(|error| !error.about_answer) {
            return End::Rejected(*error);
        }
        if let Some(answer) = self.answers.first() {
            return End::Elsewhere(*answer);
        }
        if now.saturating_sub(asked) > timeout {
            End::Unanswered
        } else {
            End::Waiting
        }
    }

    /// From the copy that was answered to its answer: the server's own time.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        let answer = self.answer()?;
        let copy = self.copies.iter().rev().find(|copy| **copy <= answer.at)?;
        answer.at.checked_sub(*copy)
    }

    /// From the first copy to the answer: what the client waits.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        Some(self.answer()?.at.saturating_sub(self.asked()?))
    }
}

/// Keeps the first packets of a kind.
fn push<T>(packets: &mut Vec<T>, packet: T) {
    if packets.len() < PACKETS {
        packets.push(packet);
    }
}

type Key = (ServerKey, u16, u16);

/// All that are kept, in the order of their first packets.
#[derive(Default)]
pub struct Dossiers {
    kept: VecDeque<Dossier>,
    /// How many were taken off the front.
    passed: u64,
    /// The newest of a client, port and id, counted from the first that ever was.
    newest: HashMap<Key, u64, RandomState>,
    /// The newest of a client and port, for ICMP errors that quote no id.
    ports: HashMap<(ServerKey, u16), u64, RandomState>,
    /// Dossiers that were given up before their time, because there were too many.
    dropped: u64,
}

impl Dossiers {
    /// Adds a sampled packet.
    pub fn add(&mut self, packet: &Sampled) {
        let port = (packet.client, packet.port);
        let id = match packet.id {
            Some(id) => id,
            None => match self.ports.get(&port).and_then(|at| self.get(*at)) {
                Some(dossier) => dossier.id,
                // About a query that was not sampled.
                None => return,
            },
        };
        let key = (packet.client, packet.port, id);
        let known = self.newest.get(&key).copied();
        let known = known.filter(|at| {
            self.get(*at)
                .is_some_and(|known| packet.at.saturating_sub(known.begun) <= REUSED)
        });
        // The same client, port and id for another question is another transaction.
        let known = known.filter(|at| !self.is_another(*at, packet));
        let at = known.unwrap_or_else(|| {
            self.make_room(packet.at);
            self.kept.push_back(Dossier::new(packet, id));
            let at = self.passed + self.kept.len() as u64 - 1;
            self.newest.insert(key, at);
            self.ports.insert(port, at);
            at
        });
        let index = usize::try_from(at - self.passed).unwrap_or(usize::MAX);
        if let Some(dossier) = self.kept.get_mut(index) {
            dossier.add(packet);
        }
    }

    fn is_another(&self, at: u64, packet: &Sampled) -> bool {
        let Kind::Query { question, .. } = &packet.kind else {
            return false;
        };
        self.get(at).is_some_and(|known| {
            !known.copies.is_empty()
                && (known.server != packet.server || known.question != *question)
        })
    }

    fn get(&self, at: u64) -> Option<&Dossier> {
        let index = usize::try_from(at.checked_sub(self.passed)?).ok()?;
        self.kept.get(index)
    }

    fn make_room(&mut self, now: Duration) {
        while let Some(first) = self.kept.front() {
            let old = now.saturating_sub(first.begun) > KEPT;
            if !old && self.kept.len() < DOSSIERS {
                break;
            }
            self.dropped += u64::from(!old);
            let at = self.passed;
            let (key, port) = (
                (first.client, first.port, first.id),
                (first.client, first.port),
            );
            if self.newest.get(&key) == Some(&at) {
                self.newest.remove(&key);
            }
            if self.ports.get(&port) == Some(&at) {
                self.ports.remove(&port);
            }
            self.kept.pop_front();
            self.passed += 1;
        }
    }

    /// Those that began since then, the oldest first.
    pub fn since(&self, then: Duration) -> impl Iterator<Item = &Dossier> {
        // Packets of several CPUs are a little out of order.
        let early = then.saturating_sub(Duration::from_secs(1));
        let from = self.kept.partition_point(|dossier| dossier.begun < early);
        self.kept
            .range(from..)
            .filter(move |dossier| dossier.begun >= then)
    }

    /// How many were given up before their time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
