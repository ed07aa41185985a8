//! Queries that are asked again after they were answered: their answers did not arrive.
//!
//! On the server's side of a loss every query is answered. That its client asks again, with the same port and id, is all
//! that shows there of an answer that is lost on its way.

use std::collections::BTreeSet;
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::history::{float, share};
use super::interval;
use super::rcode::{NOERROR, NXDOMAIN};
use super::usual::Share;
use crate::measure::dossier::Dossier;

/// A copy so long after the answer was not on its way already.
const AFTER: Duration = Duration::from_millis(300);
/// A client asks again once or a few times; a program that uses one port and id for everything does not stop.
const COPIES: usize = 8;
/// Clients ask again after one second, after two, or after five.
const AGES: [Duration; 3] = [
    Duration::from_millis(1_500),
    Duration::from_secs(3),
    Duration::from_secs(6),
];
/// So few show that all are lost; a small part shows among all only.
pub const NEWEST: [usize; 2] = [20, usize::MAX];
/// So many are more than a few stray ones, and of more than one client that is unwell.
const ENOUGH: u64 = 8;
const CLIENTS: usize = 3;
/// More than this share of them.
pub const LOST: f64 = 0.05;

/// A part that may be chance.
const FEW: f64 = 0.1;
/// An answer of so many bytes may be too large for a path.
const LARGE: u32 = 512;

/// Answered queries, and those of them that were asked again.
#[derive(Clone, Debug, Default)]
pub struct Again {
    /// Asked again.
    pub again: u64,
    /// All that were answered.
    pub answered: u64,
    /// Asked again after a small answer, and all with one.
    small: [u64; 2],
    clients: BTreeSet<ServerKey>,
    /// When the oldest of those asked again was asked.
    since: Option<Duration>,
}

impl Again {
    /// The share that was asked again.
    #[must_use]
    pub fn share(&self) -> f64 {
        share(self.again, self.answered)
    }

    /// Only large answers are asked for again, and there are small ones.
    #[must_use]
    pub fn is_of_large(&self) -> bool {
        let [again, answered] = self.small;
        let few = share(again, answered) <= FEW && share(again, self.again) <= FEW;
        answered >= ENOUGH && few
    }

    /// It is above `warning` by more than chance, and not of a client or two.
    #[must_use]
    pub fn is_above(&self, warning: f64) -> bool {
        self.again >= ENOUGH
            && self.clients.len() >= CLIENTS
            && interval::lower(float(self.again), float(self.answered)) > warning
    }

    /// Whether the oldest was asked before this moment.
    #[must_use]
    pub fn is_since(&self, then: Duration) -> bool {
        self.since.is_some_and(|since| since <= then)
    }
}

/// Whether a dossier was answered in a way that contents its client, if the answer arrives; and if so, whether the client
/// asked again all the same.
#[must_use]
pub fn is_again(dossier: &Dossier) -> Option<bool> {
    dossier.asked()?;
    let answer = dossier.answer()?;
    let contents = matches!(usize::from(answer.rcode), NOERROR | NXDOMAIN) && !answer.truncated;
    let is_later = |copy: &Duration| *copy > answer.at + AFTER;
    (contents && dossier.copies.len() < COPIES).then(|| dossier.copies.iter().any(is_later))
}

/// Whether its answer may be too large for a path.
#[must_use]
pub fn is_large(dossier: &Dossier) -> bool {
    let answers = &dossier.answers;
    answers.iter().any(|a| a.bytes > LARGE || a.fragmented)
}

/// Sockets that ask again because another query of theirs waits: a stub that asks for A and AAAA at once sends both again
/// where one is not answered.
fn waiting_sockets(recent: &[&Dossier]) -> BTreeSet<(ServerKey, u16)> {
    let waits = |dossier: &&&Dossier| {
        let second = dossier.copies.get(1);
        second.is_some_and(|second| dossier.answer().is_none_or(|answer| answer.at > *second))
    };
    let waiting = recent.iter().filter(waits);
    waiting
        .map(|dossier| (dossier.client, dossier.port))
        .collect()
}

/// The newest that are old enough to have been asked again, by how soon clients do and how many are looked at.
pub fn looks<'a>(
    recent: &'a [&'a Dossier],
    now: Duration,
    is_of: &'a dyn Fn(&Dossier) -> bool,
) -> impl Iterator<Item = Again> + 'a {
    // Mostly nobody asks twice, and there is nothing to look at.
    let is_any = recent.iter().any(|dossier| dossier.copies.len() > 1);
    let waiting = if is_any {
        waiting_sockets(recent)
    } else {
        BTreeSet::new()
    };
    let looks = AGES
        .into_iter()
        .filter(move |_| is_any)
        .flat_map(|age| NEWEST.map(|many| (age, many)));
    looks.map(move |(age, many)| {
        let old = now.saturating_sub(age);
        let is_old = |dossier: &&&Dossier| dossier.begun <= old && is_of(dossier);
        let mut sum = Again::default();
        let known = recent.iter().rev().filter(is_old);
        let known = known.filter_map(|dossier| Some((dossier, is_again(dossier)?)));
        for (dossier, again) in known.take(many) {
            let again = again && !waiting.contains(&(dossier.client, dossier.port));
            sum.answered += 1;
            let small = u64::from(!is_large(dossier));
            sum.small[1] += small;
            if again {
                sum.again += 1;
                sum.small[0] += small;
                sum.clients.insert(dossier.client);
                sum.since = sum.since.min(Some(dossier.begun)).or(Some(dossier.begun));
            }
        }
        sum
    })
}

/// Whether the share may be rising: it must not be learnt as usual before it is noticed.
#[must_use]
pub fn may_rise(recent: &[&Dossier], now: Duration, usual: &Share) -> bool {
    looks(recent, now, &|_| true).any(|look| usual.may_rise(look.again, look.answered, LOST / 2.0))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::detect::rcode::SERVFAIL;
    use crate::measure::address::key;
    use crate::measure::dossier::Answer;

    const NOW: Duration = Duration::from_mins(1);

    fn client(last: u8) -> ServerKey {
        key(IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)))
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Asked `age` ago, answered after 2 ms with so many bytes, and copied so long after it was asked.
    fn dossier(last: u8, age: Duration, bytes: u32, copies: &[u64]) -> Dossier {
        let begun = NOW.saturating_sub(age);
        let server = key(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53)));
        let mut times = vec![begun];
        times.extend(copies.iter().map(|after| begun + ms(*after)));
        Dossier {
            client: client(last),
            server,
            port: 40_000,
            id: 1,
            weight: 1,
            begun,
            opcode: 0,
            question: None,
            edns: None,
            query_bytes: 40,
            cgroup: 0,
            copies: times,
            answers: vec![Answer {
                at: begun + ms(2),
                from: server,
                rcode: 0,
                truncated: false,
                authoritative: false,
                fragmented: false,
                bytes,
            }],
            errors: Vec::new(),
        }
    }

    fn all(dossiers: &[Dossier]) -> Vec<Again> {
        let recent: Vec<&Dossier> = dossiers.iter().collect();
        looks(&recent, NOW, &|_| true).collect()
    }

    #[test]
    fn only_a_copy_behind_the_answer_asks_again() {
        assert_eq!(is_again(&dossier(1, ms(4_000), 100, &[])), Some(false));
        assert_eq!(is_again(&dossier(1, ms(4_000), 100, &[1_000])), Some(true));
        // It was on its way when the answer came.
        assert_eq!(is_again(&dossier(1, ms(4_000), 100, &[200])), Some(false));
    }

    #[test]
    fn an_answer_that_does_not_content_is_asked_for_again_for_its_own_sake() {
        let mut failed = dossier(1, ms(4_000), 100, &[1_000]);
        failed.answers[0].rcode = SERVFAIL as u8;
        assert_eq!(is_again(&failed), None);
        let mut truncated = dossier(1, ms(4_000), 100, &[1_000]);
        truncated.answers[0].truncated = true;
        assert_eq!(is_again(&truncated), None);
        let mut elsewhere = dossier(1, ms(4_000), 100, &[1_000]);
        elsewhere.answers[0].from = client(9);
        assert_eq!(is_again(&elsewhere), None);
        let mut unseen = dossier(1, ms(4_000), 100, &[]);
        unseen.copies.clear();
        assert_eq!(is_again(&unseen), None);
    }

    #[test]
    fn a_program_that_uses_one_port_and_id_for_everything_asks_nothing_again() {
        let copies: Vec<u64> = (1..=7).map(|n| n * 400).collect();
        assert_eq!(is_again(&dossier(1, ms(4_000), 100, &copies)), None);
        assert_eq!(
            is_again(&dossier(1, ms(4_000), 100, &copies[1..])),
            Some(true)
        );
    }

    #[test]
    fn eight_of_three_clients_are_no_stray_ones() {
        let of = |clients: u8, many: u8| {
            let dossiers: Vec<Dossier> = (0..many)
                .map(|n| dossier(n % clients, ms(8_000), 100, &[1_000]))
                .collect();
            all(&dossiers).iter().any(|look| look.is_above(LOST))
        };
        assert!(of(3, 8));
        assert!(!of(3, 7), "too few");
        assert!(!of(2, 30), "of two clients that are unwell");
    }

    #[test]
    fn a_query_of_which_no_copy_can_have_come_yet_is_left_out() {
        let mut dossiers = vec![dossier(1, ms(8_000), 100, &[1_000])];
        dossiers.extend((0..30).map(|n| dossier(n, ms(1_000), 100, &[])));
        assert!(all(&dossiers).iter().all(|look| look.answered == 1));
        assert!(all(&dossiers[1..]).is_empty(), "nobody asks twice");
    }

    #[test]
    fn what_happens_to_large_answers_alone_is_told_apart() {
        let with = |small_too: bool| {
            let dossiers: Vec<Dossier> = (0..40_u8)
                .map(|n| {
                    let is_large = n % 2 == 0;
                    let copies: &[u64] = if is_large || small_too { &[1_000] } else { &[] };
                    dossier(n, ms(8_000), if is_large { 1_400 } else { 100 }, copies)
                })
                .collect();
            let looks = all(&dossiers);
            let look = looks.iter().max_by_key(|look| look.answered);
            look.expect("there are copies").clone()
        };
        assert!(with(false).is_of_large() && with(false).is_above(LOST));
        assert!(!with(true).is_of_large());
    }

    #[test]
    fn a_pair_of_which_one_is_lost_is_sent_again_whole() {
        let of = |port: u16| {
            let answered = dossier(1, ms(8_000), 100, &[5_000]);
            let mut lost = dossier(1, ms(8_000), 100, &[5_000]);
            lost.answers.clear();
            (lost.id, lost.port) = (2, port);
            all(&[answered, lost]).iter().any(|look| look.again != 0)
        };
        assert!(!of(40_000));
        assert!(of(40_001), "another socket");
    }

    #[test]
    fn what_may_be_rising_is_not_learnt() {
        let dossiers = |again: u8| -> Vec<Dossier> {
            let copies = |n| -> &[u64] { if n < again { &[1_000] } else { &[] } };
            (0..100)
                .map(|n| dossier(n, ms(8_000), 100, copies(n)))
                .collect()
        };
        let mut usual = Share::default();
        usual.learn(0, 5_000);
        let rises = |many| {
            let dossiers = dossiers(many);
            let recent: Vec<&Dossier> = dossiers.iter().collect();
            may_rise(&recent, NOW, &usual)
        };
        assert!(rises(8) && !rises(1));
    }
}
