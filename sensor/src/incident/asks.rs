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
    let was_well = share(before.failed, before.sum()) <= HARDLY;
    let rate = float(before.sum()) / known.as_secs_f64().max(1.0);
    // Counted up to now: a query that has just been sent shows that it asks.
    let still = asked(facts, detector, begun, now).sum();
    let expected = rate * now.saturating_sub(begun).as_secs_f64();
    if was_well && expected >= ENOUGH && float(still) <= HARDLY * expected {
        return Some(Finding::AsksNobody { before: rate });
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
    let unexplained = float(since.failed) <= UNEXPLAINED * float(servfails);
    let enough = float(servfails) >= ENOUGH && float(since.fine) >= ENOUGH;
    (enough && unexplained).then_some(Finding::UpstreamsAnswer {
        answered: since.fine,
        failed: since.failed,
    })
}
