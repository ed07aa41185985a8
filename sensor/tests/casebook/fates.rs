//! Which fate a query has, and what a fate remembers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use crate::format::Fate;
use crate::format::fate::{Answer, Pause, Reject, Via};
use crate::frames::Way;
use crate::message::Question;
use crate::random::Random;

pub struct Fates<'a> {
    fates: &'a [Fate],
    states: Vec<State>,
}

/// What one of them remembers.
#[derive(Clone, Default)]
struct State {
    /// When the server is done with what it has.
    busy_until: Duration,
    /// Queries that wait for the end of a pause, and when that is.
    waiting: (u32, Duration),
    /// Errors that may still be sent to a destination, and when that was so.
    tokens: HashMap<IpAddr, (f64, Duration)>,
}

/// A query on its way to a server, or a SYN.
pub struct Sent<'q> {
    pub at: Duration,
    pub way: Way,
    /// Of the client and of the server.
    pub ports: [u16; 2],
    pub via: Via,
    /// From 1 on.
    pub copy: usize,
    pub question: &'q Question,
}

/// Between answers that had to wait for the end of a pause.
const CATCHING_UP: Duration = Duration::from_micros(30);

impl<'a> Fates<'a> {
    pub fn new(fates: &'a [Fate]) -> Self {
        Self {
            fates,
            states: vec![State::default(); fates.len()],
        }
    }

    /// The last one that applies, and its place.
    pub fn of(&self, sent: &Sent<'_>, random: &mut Random) -> Option<(usize, &'a Fate)> {
        let Sent {
            way,
            ports,
            question,
            ..
        } = *sent;
        let applies = |fate: &Fate| {
            let is_below = |zone: &String| is_below(&question.name, zone);
            fate.at.contains(sent.at)
                && fate.via.is_none_or(|of| of == sent.via)
                && fate.port.is_none_or(|of| of == ports[1])
                && fate.clients.as_ref().is_none_or(|a| a.contains(way.source))
                && fate
                    .servers
                    .as_ref()
                    .is_none_or(|a| a.contains(way.destination))
                && (fate.below.is_empty() || fate.below.iter().any(is_below))
                && (fate.types.is_empty()
                    || fate.types.iter().any(|t| t.0.contains(&question.qtype)))
                && fate
                    .copy
                    .is_none_or(|of| usize::from(of) == sent.copy.min(2))
                && fate.edns.is_none_or(|edns| edns == (question.edns != 0))
        };
        let mut last_first = self.fates.iter().enumerate().rev();
        last_first.find(|(_, fate)| {
            let socket = || Random::new(socket(way, ports[0])).share();
            applies(fate)
                && match fate.share {
                    1.0.. => true,
                    share if fate.sticky => socket() < share,
                    share => random.chance(share),
                }
        })
    }

    /// How long a query waits in the server's queue; `None` where it does not fit.
    pub fn capacity(&mut self, place: usize, answer: &Answer, at: Duration) -> Option<Duration> {
        let Some(capacity) = answer.capacity else {
            return Some(Duration::ZERO);
        };
        let each = Duration::from_secs_f64(1.0 / capacity);
        let state = &mut self.states[place];
        let waits = state.busy_until.saturating_sub(at);
        if waits > each * answer.queue {
            return None;
        }
        state.busy_until = state.busy_until.max(at) + each;
        Some(waits)
    }

    /// When a query that comes within a pause, or between two, is answered after; `None` where it is not kept.
    pub fn pause(&mut self, place: usize, pause: &Pause, at: Duration) -> Option<Duration> {
        let span = self.fates[place].at;
        let end = match pause.every {
            None => span.to,
            Some(every) => {
                let cycle = at.saturating_sub(span.from).as_nanos() / every.as_nanos();
                span.from + every * cycle as u32 + pause.lasts
            }
        };
        if at >= end {
            return Some(at);
        }
        let (waiting, until) = &mut self.states[place].waiting;
        if *until != end {
            (*waiting, *until) = (0, end);
        }
        if *waiting == pause.queue {
            return None;
        }
        *waiting += 1;
        Some(end + CATCHING_UP * *waiting)
    }

    /// Whether the limit of errors allows one more.
    pub fn may_reject(&mut self, place: usize, reject: &Reject, to: IpAddr, at: Duration) -> bool {
        let Some(limit) = reject.limit else {
            return true;
        };
        let full = (limit.burst, at);
        let (tokens, since) = self.states[place].tokens.entry(to).or_insert(full);
        *tokens += at.saturating_sub(*since).as_secs_f64() * limit.per_second;
        *tokens = tokens.min(limit.burst);
        *since = at;
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}

/// A number for a socket of a client.
fn socket(way: Way, port: u16) -> u64 {
    let mut hasher = DefaultHasher::new();
    (way.source, way.destination, port).hash(&mut hasher);
    hasher.finish()
}

fn is_below(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
