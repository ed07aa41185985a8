//! What the incidents of two servers have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use sensor_common::server::ServerKey;

use crate::detect::cohort::Cohort;
use crate::detect::history::share;
use crate::detect::server::share_of;
use crate::detect::{Detector, Reading, ServerState};

/// Moments of failure are compared over so long.
const LOOK_BACK: Duration = Duration::from_secs(20);
/// Most of the queries of such a moment fail.
const FAILS: f64 = 0.5;
/// So many moments of both, at least, and so large a part of them together.
const MOMENTS: usize = 4;
const TOGETHER: f64 = 0.8;
/// What fails nearly all the time fails in the same moments as anything.
const OFTEN: f64 = 0.6;
/// A flood is looked at over so long; so large a part of it comes from one client.
const FLOOD: Duration = Duration::from_secs(2);
const MOSTLY: f64 = 0.8;

/// Whether two servers fail in the same moments, and are well between them: what fails is what they share.
#[must_use]
pub fn fail_in_the_same_moments(
    one: &ServerState,
    other: &ServerState,
    now: Duration,
    timeout: Duration,
) -> bool {
    let (from, to) = (now.saturating_sub(LOOK_BACK), now.saturating_sub(timeout));
    let moments = |state: &ServerState| -> Vec<(Cohort, bool)> {
        let cohorts = state.cohorts.between(from, to).copied();
        let known = cohorts.filter_map(|cohort| {
            let asked = cohort.as_of(now, timeout, timeout);
            (asked.decided() != 0).then(|| (cohort, share_of(&asked) >= FAILS))
        });
        known.collect()
    };
    let (one, other) = (moments(one), moments(other));
    let of_other = |cohort: &Cohort| {
        let fits = |(other, _): &&(Cohort, bool)| other.from < cohort.to && other.to > cohort.from;
        other.iter().find(fits).map(|(_, fails)| *fails)
    };
    // Only moments in which both were asked.
    let both: Vec<(bool, bool)> = one
        .iter()
        .filter_map(|(cohort, fails)| Some((*fails, of_other(cohort)?)))
        .collect();
    let many = |is: fn(&(bool, bool)) -> bool| both.iter().filter(|both| is(both)).count();
    let (together, any) = (many(|(a, b)| *a && *b), many(|(a, b)| *a || *b));
    together >= MOMENTS
        && share(together as u64, any as u64) >= TOGETHER
        && share(any as u64, both.len() as u64) <= OFTEN
}

/// The client from which most of a server's queries come now, if that is nearly all of them.
fn flooder(server: &ServerKey, detector: &Detector, now: Duration) -> Option<ServerKey> {
    let mut clients: BTreeMap<ServerKey, u64> = BTreeMap::new();
    for dossier in detector.dossiers().since(now.saturating_sub(FLOOD)) {
        if dossier.server == *server && !dossier.copies.is_empty() {
            *clients.entry(dossier.client).or_default() += u64::from(dossier.weight);
        }
    }
    let all = clients.values().sum();
    let (client, most) = clients.into_iter().max_by_key(|(_, count)| *count)?;
    (share(most, all) >= MOSTLY).then_some(client)
}

/// Whether the floods of two servers come from one client.
#[must_use]
pub fn flooded_by_one(
    one: &ServerKey,
    other: &ServerKey,
    detector: &Detector,
    now: Duration,
) -> bool {
    let flooder = |server| flooder(server, detector, now);
    flooder(one).is_some_and(|client| flooder(other) == Some(client))
}

/// Whether all that fires is a flood.
#[must_use]
pub fn is_flood_alone(readings: &[Reading]) -> bool {
    let mut firing = readings.iter().filter(|reading| reading.level().is_some());
    firing.all(|reading| reading.rule.is_flood())
}
