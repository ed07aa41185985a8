//! What each client of a server is usually told, and how slowly.
//!
//! A share of the answers also rises when those leave who were told something else: in the evening the users go, and the
//! monitoring stays, which is refused all day. Nothing has changed for anybody then. So a share that stands out is
//! laid beside the one that the same clients usually make up.

use std::collections::BTreeMap;

use sensor_common::server::ServerKey;

use super::rcode::{NOERROR, NXDOMAIN};
use super::usual::{Share, Usual};
use crate::measure::dossier::Dossier;

/// Clients that are told apart, of a server.
const CLIENTS: usize = 512;
/// A client of few answers is taken to be like all, by so many answers.
const LIKE_ALL: f32 = 4.0;
/// Answers after which those of before count half.
const MOST: f32 = 2_000.0;
/// Where what is usual makes up this much of a share, the clients have changed and not their answers.
const EXPLAINS: f64 = 0.5;

/// Something that a part of all answers is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It has this RCODE.
    Rcode(usize),
    /// It took far longer than is usual.
    Slow,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    all: f32,
    rcodes: [f32; 16],
    slow: f32,
    /// Something that it sent to be kept, an update or the like, was taken.
    keeps: bool,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Told {
    clients: BTreeMap<ServerKey, Tally>,
    slow: Share,
}

impl Told {
    /// Adds an answered dossier; `is_slow` by what alarms.
    pub fn learn(&mut self, dossier: &Dossier, is_slow: bool) {
        let Some(answer) = dossier.answer() else {
            return;
        };
        self.slow.learn(u64::from(is_slow), 1);
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&dossier.client) {
            return;
        }
        let tally = self.clients.entry(dossier.client).or_default();
        if tally.all >= MOST {
            tally.all /= 2.0;
            tally.slow /= 2.0;
            tally.rcodes.iter_mut().for_each(|count| *count /= 2.0);
        }
        tally.all += 1.0;
        tally.rcodes[usize::from(answer.rcode & 15)] += 1.0;
        tally.slow += f32::from(u8::from(is_slow));
        tally.keeps |= dossier.opcode != 0 && usize::from(answer.rcode) == NOERROR;
    }

    /// The share of the answers that is usually slow.
    #[must_use]
    pub fn slow(&self) -> Option<f64> {
        self.slow.mean()
    }

    /// Whether a client was ever told what it asked for, be it that there is no such name.
    #[must_use]
    pub fn is_served(&self, client: &ServerKey) -> bool {
        let served = |tally: &Tally| tally.rcodes[NOERROR] + tally.rcodes[NXDOMAIN] > 0.0;
        self.clients.get(client).is_some_and(served)
    }

    /// Whether updates of a client, or the like, were ever taken.
    #[must_use]
    pub fn takes_updates(&self, client: &ServerKey) -> bool {
        self.clients.get(client).is_some_and(|tally| tally.keeps)
    }

    /// Whether what these clients are usually told makes up most of the answers of which `is` holds: then it is other
    /// clients that ask, and they are told what they always are.
    #[must_use]
    pub fn explains<'a>(
        &self,
        answered: impl Iterator<Item = &'a Dossier>,
        what: What,
        usual: &Usual,
        is: &dyn Fn(&Dossier) -> bool,
    ) -> bool {
        let of_all = match what {
            What::Rcode(rcode) => usual.rcodes[rcode].mean(),
            What::Slow => self.slow(),
        };
        let of_all = of_all.unwrap_or(0.0);
        let (mut expected, mut seen) = (0.0, 0.0);
        for dossier in answered {
            let weight = f64::from(dossier.weight);
            expected += weight * self.usually(&dossier.client, what, of_all);
            seen += if is(dossier) { weight } else { 0.0 };
        }
        seen > 0.0 && expected >= EXPLAINS * seen
    }

    /// The share of a client's answers, which is taken to be like that of all where little is known.
    fn usually(&self, client: &ServerKey, what: What, of_all: f64) -> f64 {
        let tally = self.clients.get(client).copied().unwrap_or_default();
        let some = match what {
            What::Rcode(rcode) => tally.rcodes[rcode],
            What::Slow => tally.slow,
        };
        (f64::from(some) + f64::from(LIKE_ALL) * of_all) / f64::from(tally.all + LIKE_ALL)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::detect::rcode::REFUSED;
    use crate::measure::dossier::Dossiers;
    use crate::measure::made::{answer, query};

    /// So many answers with these RCODEs, for each client.
    fn answered(all: &[(u8, usize, u16)]) -> Dossiers {
        let mut dossiers = Dossiers::default();
        for &(last, rcode, many) in all {
            for port in 0..many {
                // A client asks from each port once for each RCODE.
                let id = u16::try_from(rcode).unwrap_or(0);
                let mut asked = query(Duration::from_millis(u64::from(port)), last, 53, port);
                asked.id = Some(id);
                dossiers.add(&asked);
                dossiers.add(&answer(&asked, Duration::ZERO, id as u8));
            }
        }
        dossiers
    }

    fn explained(before: &[(u8, usize, u16)], now: &[(u8, usize, u16)]) -> bool {
        let (mut told, mut usual) = (Told::default(), Usual::default());
        for dossier in answered(before).since(Duration::ZERO) {
            told.learn(dossier, false);
            let refused = dossier.answer().is_some_and(|answer| answer.rcode == 5);
            usual.rcodes[REFUSED].learn(u64::from(refused), 1);
        }
        let now = answered(now);
        let is = |dossier: &Dossier| dossier.answer().is_some_and(|answer| answer.rcode == 5);
        let now = now.since(Duration::ZERO);
        told.explains(now, What::Rcode(REFUSED), &usual, &is)
    }

    #[test]
    fn who_stays_is_told_what_it_always_was() {
        let day = [(1, NOERROR, 900), (7, REFUSED, 20), (7, NOERROR, 20)];
        assert!(explained(&day, &[(7, REFUSED, 9), (7, NOERROR, 11)]));
    }

    #[test]
    fn who_was_served_and_is_refused_now_is_no_change_of_clients() {
        let day = [(1, NOERROR, 900), (7, REFUSED, 20), (7, NOERROR, 20)];
        assert!(!explained(
            &day,
            &[(1, REFUSED, 12), (1, NOERROR, 30), (7, REFUSED, 1)]
        ));
    }

    #[test]
    fn of_a_stranger_nothing_is_usual() {
        assert!(!explained(
            &[(1, NOERROR, 900)],
            &[(1, NOERROR, 40), (9, REFUSED, 12)]
        ));
    }
}
