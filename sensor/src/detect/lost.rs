//! First copies that are lost while later ones are answered at once: the client gets its answer, a second or more late.
//!
//! By the time-outs such a query is answered, so that it is no failure. That a server is slow, and not a packet lost,
//! shows by its own time for the copy that it answers, and by the answers to all copies that come in the end.

use std::time::Duration;

use sensor_common::server::ServerKey;

use super::history::{float, share};
use super::interval;
use super::usual::{Share, Usual};
use crate::measure::dossier::{Dossier, End};

/// Sooner than this, nobody asks again because an answer does not come: it is a second query, or a copy on the wire.
const AGAIN: Duration = Duration::from_millis(300);
/// A program that uses one port and id for everything does not stop.
const COPIES: usize = 8;
/// Answers as fast as this are fast, in seconds.
const LEAST: f64 = 0.02;
/// So many are more than a few stray ones, and of more than one client that is unwell.
const ENOUGH: u64 = 8;
const CLIENTS: usize = 3;
/// More than this share: each costs its client a second, and networks that are well lose less than one in a hundred.
pub const LOST: f64 = 0.03;
/// Without one that was sent so lately it is over.
const LATELY: Duration = Duration::from_secs(5);
/// What is lost within so many seconds may be one pause, and is left out.
const PAUSE: u64 = 3;

/// Answered queries, and those whose first copy was lost.
#[derive(Clone, Debug, Default)]
pub struct Lost {
    /// Whose first copy was lost.
    pub lost: u64,
    /// All that were answered in time.
    pub answered: u64,
    /// The same of each second in which one was asked.
    seconds: Vec<(u64, [u64; 2])>,
    /// When the newest lost one was sent.
    newest: Duration,
    /// Different clients, and those that lost one, up to [`CLIENTS`].
    clients: Vec<ServerKey>,
    losing: Vec<ServerKey>,
}

/// Notes another client, as far as it matters.
fn note(clients: &mut Vec<ServerKey>, client: ServerKey) {
    if clients.len() < CLIENTS && !clients.contains(&client) {
        clients.push(client);
    }
}

impl Lost {
    /// The share that was lost.
    #[must_use]
    pub fn share(&self) -> f64 {
        share(self.lost, self.answered)
    }

    /// It is above `least` and above what is usual by more than chance, goes on, and is not of a client or two of many.
    #[must_use]
    pub fn is_unusual(&self, least: f64, usual: &Share, now: Duration) -> bool {
        self.lost >= ENOUGH
            && self.losing.len() >= self.clients.len()
            && self.newest + LATELY >= now
            && self.is_above(least.max(usual.upper()))
    }

    /// Whether the share is above this by more than chance, without the worst seconds too.
    fn is_above(&self, share: f64) -> bool {
        let worst = self.seconds.iter().map(|(from, _)| {
            let is_within = |(second, _): &&(u64, _)| (*from..from + PAUSE).contains(second);
            let within = self.seconds.iter().filter(is_within);
            within.fold([0; 2], |sum: [u64; 2], (_, of)| {
                [sum[0] + of[0], sum[1] + of[1]]
            })
        });
        let [lost, answered] = worst.max().unwrap_or_default();
        let (lost, answered) = (self.lost - lost, self.answered - answered);
        interval::lower(float(lost), float(answered)) > share
    }
}

/// A server's usual time for nearly all answers, as far as it is known.
#[must_use]
pub fn slowest(usual: &Usual) -> Duration {
    const UNKNOWN: f64 = 0.1;
    let usual = usual.latency.quantile(0.95).unwrap_or(UNKNOWN);
    Duration::from_secs_f64(usual.max(LEAST))
}

/// Whether the first copy of a query that was answered in time was lost; `slowest` is the server's usual time for nearly
/// all answers. `None` while it is not known.
#[must_use]
pub fn is_lost(
    dossier: &Dossier,
    slowest: Duration,
    now: Duration,
    timeout: Duration,
) -> Option<bool> {
    let End::Answered(answer) = dossier.end(now, timeout) else {
        return None;
    };
    let (first, last) = (*dossier.copies.first()?, *dossier.copies.last()?);
    if dossier.copies.len() >= COPIES {
        return None;
    }
    let before = dossier
        .copies
        .iter()
        .rev()
        .find(|copy| **copy <= answer.at)?;
    if *before < first + AGAIN {
        return Some(false);
    }
    // By then a slow server would have answered each copy.
    if now < last + answer.at.saturating_sub(first) + AGAIN {
        return None;
    }
    let by_server = dossier.answers.iter().filter(|a| a.from == dossier.server);
    let fast = answer.at.saturating_sub(*before) <= slowest;
    Some(fast && by_server.count() < dossier.copies.len())
}

/// Of these dossiers.
#[must_use]
pub fn look(recent: &[&Dossier], slowest: Duration, now: Duration, timeout: Duration) -> Lost {
    let mut sum = Lost::default();
    // Mostly nobody asks twice, and there is nothing to look at.
    if recent.iter().all(|dossier| dossier.copies.len() < 2) {
        return sum;
    }
    for dossier in recent {
        let Some(lost) = is_lost(dossier, slowest, now, timeout) else {
            continue;
        };
        sum.answered += 1;
        note(&mut sum.clients, dossier.client);
        let second = dossier.begun.as_secs();
        match sum.seconds.last_mut() {
            Some((newest, of)) if *newest == second => {
                of[0] += u64::from(lost);
                of[1] += 1;
            }
            _ => sum.seconds.push((second, [u64::from(lost), 1])),
        }
        if lost {
            sum.lost += 1;
            note(&mut sum.losing, dossier.client);
            sum.newest = sum.newest.max(dossier.begun);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::dossier::Dossiers;
    use crate::measure::made::{answer, query};

    const NOW: Duration = Duration::from_secs(12);
    const TIMEOUT: Duration = Duration::from_secs(2);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A query of `client` each 10 ms for ten seconds, sent again after a second where it is lost; which answers each copy
    /// gets, and after how long, is told.
    fn seen(answers: impl Fn(u16) -> Vec<(u64, u64)>) -> Lost {
        let mut dossiers = Dossiers::default();
        for port in 0..1_000_u16 {
            let first = query(ms(10 * u64::from(port)), (port / 10 % 5) as u8, 53, port);
            dossiers.add(&first);
            for (copy, after) in answers(port) {
                let mut again = first.clone();
                again.at += ms(copy);
                if copy != 0 {
                    dossiers.add(&again);
                }
                if after != 0 {
                    dossiers.add(&answer(&again, ms(after), 0));
                }
            }
        }
        let recent: Vec<&Dossier> = dossiers.since(Duration::ZERO).collect();
        look(&recent, ms(20), NOW, TIMEOUT)
    }

    fn is_unusual(lost: &Lost, usual: (u64, u64)) -> bool {
        let mut known = Share::default();
        known.learn(usual.0, usual.1);
        lost.is_unusual(LOST, &known, NOW)
    }

    #[test]
    fn one_in_ten_first_copies_is_lost() {
        let lost = seen(|n| {
            if n % 10 == 0 {
                vec![(1_000, 3)]
            } else {
                vec![(0, 3)]
            }
        });
        assert!((lost.share() - 0.1).abs() < 0.02, "{lost:?}");
        assert!(is_unusual(&lost, (5, 5_000)));
        assert!(!is_unusual(&lost, (600, 5_000)), "as ever");
        assert!(!is_unusual(&lost, (0, 0)), "nothing is known of before");
    }

    #[test]
    fn one_in_fifty_is_not_told_nor_what_one_client_loses() {
        let few = seen(|n| {
            if n % 50 == 0 {
                vec![(1_000, 3)]
            } else {
                vec![(0, 3)]
            }
        });
        assert!(few.lost >= ENOUGH && !is_unusual(&few, (5, 5_000)));
        let one = seen(|n| {
            let lost = n / 10 % 5 == 1 && n % 2 == 0;
            if lost { vec![(1_000, 3)] } else { vec![(0, 3)] }
        });
        assert!(one.lost > 50 && !is_unusual(&one, (5, 5_000)));
    }

    #[test]
    fn a_pause_of_a_second_is_no_loss() {
        let pause = seen(|n| {
            let lost = (800..900).contains(&n);
            if lost { vec![(1_000, 3)] } else { vec![(0, 3)] }
        });
        assert_eq!(pause.lost, 100);
        assert!(!is_unusual(&pause, (5, 5_000)));
    }

    #[test]
    fn a_slow_server_answers_each_copy_and_a_fast_second_copy_is_none() {
        let slow = seen(|n| {
            if n % 10 == 0 {
                vec![(0, 1_010), (1_000, 1_010)]
            } else {
                vec![(0, 3)]
            }
        });
        assert_eq!(slow.lost, 0, "{slow:?}");
        let twice = seen(|n| {
            if n % 10 == 0 {
                vec![(0, 0), (100, 3)]
            } else {
                vec![(0, 3)]
            }
        });
        assert_eq!(twice.lost, 0, "{twice:?}");
    }
}
