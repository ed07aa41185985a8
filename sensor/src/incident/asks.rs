//! Whether what a resolver's own queries show explains that it says SERVFAIL.

use std::time::Duration;

use super::diagnosis::Finding;
use crate::detect::history::{float, share};
use crate::detect::rcode::{REFUSED, SERVFAIL};
use crate::detect::{Detector, Facts};
use crate::measure::dossier::{Dossier, End};

/// What it asked in so long before.
const BEFORE: Duration = Duration::from_secs(10);
/// What is of the moment in which it began, or not known yet, counts on neither side.
const MOMENT: Duration = Duration::from_secs(1);
/// Queries that tell something.
const ENOUGH: f64 = 8.0;
/// Share of them that is hardly any.
const HARDLY: f64 = 0.1;
/// Queries that fail, for each SERVFAIL, that do not explain it.
const UNEXPLAINED: f64 = 0.2;

/// What became of queries that a resolver sent.
#[derive(Default)]
struct Asked {
    failed: u64,
    fine: u64,
}

impl Asked {
    fn sum(&self) -> u64 {
        self.failed + self.fine
    }
}

/// Of the queries that it sent from `from` to `to`.
fn asked(facts: &Facts<'_>, detector: &Detector, from: Duration, to: Duration) -> Asked {
    let own = &facts.place.addresses;
    let server = &facts.server;
    let is_it = |dossier: &&Dossier| {
        let client = &dossier.client;
        client == server || (own.contains(server) && own.contains(client))
    };
    let mut asked = Asked::default();
    let sent = detector.dossiers().since(from).filter(is_it);
    for dossier in sent.filter(|dossier| dossier.begun < to && dossier.server != *server) {
        let weight = u64::from(dossier.weight);
        match facts.end(dossier) {
            End::NoQuery => {}
            End::Answered(answer) if ![SERVFAIL, REFUSED].contains(&usize::from(answer.rcode)) => {
                asked.fine += weight;
            }
            _ => asked.failed += weight,
        }
    }
    asked
}

/// What it asked before the onset and since speaks against its upstreams, if it does.
#[must_use]
pub fn finding(facts: &Facts<'_>, detector: &Detector, onset: Duration) -> Option<Finding> {
    let now = facts.now();
    let from = onset.saturating_sub(BEFORE);
    let before = asked(facts, detector, from, onset.saturating_sub(MOMENT));
    let known = onset.saturating_sub(MOMENT).saturating_sub(from);
    let (begun, to) = (onset + MOMENT, now.saturating_sub(MOMENT));
    let since = asked(facts, detector, begun, to);
    // Counted up to now: a query that has just been sent shows that it asks.
    let still = asked(facts, detector, begun, now).sum();
    let asks_nobody = asks_nobody(&before, known, still, now.saturating_sub(begun));
    if asks_nobody.is_some() {
        return asks_nobody;
    }
    let is_servfail = |dossier: &&Dossier| {
        let answer = dossier.answer();
        dossier.server == facts.server
            && answer.is_some_and(|answer| usize::from(answer.rcode) == SERVFAIL)
    };
    let dossiers = detector.dossiers().since(begun);
    let servfails = dossiers.filter(|dossier| dossier.begun < to);
    let servfails: u64 = servfails
        .filter(is_servfail)
        .map(|dossier| u64::from(dossier.weight))
        .sum();
    upstreams_answer(&since, servfails)
}

/// It was answered before, of which `known` is seen, and has sent hardly anything in the time since.
fn asks_nobody(before: &Asked, known: Duration, still: u64, since: Duration) -> Option<Finding> {
    let was_well = share(before.failed, before.sum()) <= HARDLY;
    let rate = float(before.sum()) / known.as_secs_f64().max(1.0);
    let expected = rate * since.as_secs_f64();
    let asks = float(still) > HARDLY * expected;
    (was_well && expected >= ENOUGH && !asks).then_some(Finding::AsksNobody { before: rate })
}

/// What it asks is answered, and what is not does not explain as many SERVFAIL.
fn upstreams_answer(since: &Asked, servfails: u64) -> Option<Finding> {
    let unexplained = float(since.failed) <= UNEXPLAINED * float(servfails);
    let enough = float(servfails) >= ENOUGH && float(since.fine) >= ENOUGH;
    (enough && unexplained).then_some(Finding::UpstreamsAnswer {
        answered: since.fine,
        failed: since.failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn asked(fine: u64, failed: u64) -> Asked {
        Asked { failed, fine }
    }

    #[test]
    fn a_resolver_that_stops_asking_asks_nobody() {
        let found = asks_nobody(&asked(100, 0), TEN, 0, TEN);
        assert_eq!(found, Some(Finding::AsksNobody { before: 10.0 }));
        assert!(
            asks_nobody(&asked(100, 0), TEN, 10, TEN).is_some(),
            "hardly any"
        );
        assert!(asks_nobody(&asked(100, 0), TEN, 11, TEN).is_none());
    }

    #[test]
    fn one_that_was_not_answered_before_or_asked_little_says_nothing_by_asking_nobody() {
        assert!(asks_nobody(&asked(80, 20), TEN, 0, TEN).is_none());
        assert!(asks_nobody(&asked(7, 0), TEN, 0, TEN).is_none());
        let at_once = Duration::from_millis(700);
        assert!(
            asks_nobody(&asked(100, 0), TEN, 0, at_once).is_none(),
            "too soon"
        );
    }

    #[test]
    fn upstreams_that_answer_do_not_explain_servfail() {
        let found = Finding::UpstreamsAnswer {
            answered: 90,
            failed: 4,
        };
        assert_eq!(upstreams_answer(&asked(90, 4), 20), Some(found));
        assert!(
            upstreams_answer(&asked(90, 5), 20).is_none(),
            "a quarter fails"
        );
        assert!(upstreams_answer(&asked(7, 0), 20).is_none());
        assert!(upstreams_answer(&asked(90, 0), 7).is_none());
    }
}
