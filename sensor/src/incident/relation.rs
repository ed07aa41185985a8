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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Observation, Place, Thresholds};
    use crate::measure::cohort::{CohortChange, Slots};
    use crate::measure::made::{address, query};
    use crate::measure::window::{ServerWindow, Window};

    const NOW: Duration = Duration::from_secs(20);
    const TIMEOUT: Duration = Duration::from_secs(2);

    /// A server that was asked in 60 slots of a quarter of a second, and failed in some; in those of `None` it was not.
    fn server(fails: impl Fn(u64) -> Option<bool>) -> ServerState {
        let mut state = ServerState::new(Duration::ZERO);
        let mut window = Window::empty();
        window.slots = Slots {
            bits: 28,
            ..Slots::default()
        };
        let mut server = ServerWindow::empty();
        server.cohorts = (0..60)
            .filter_map(|slot| {
                let failed = i64::from(fails(slot)?);
                Some(CohortChange {
                    slot,
                    asked: 4,
                    answered: 4 - 4 * failed,
                    errored: 4 * failed,
                })
            })
            .collect();
        state.cohorts.add(&server, &window);
        state
    }

    fn same(one: &ServerState, other: &ServerState) -> bool {
        fail_in_the_same_moments(one, other, NOW, TIMEOUT)
    }

    #[test]
    fn servers_that_fail_and_recover_together_share_what_fails() {
        let link = server(|slot| Some(slot % 10 < 4));
        assert!(same(&link, &server(|slot| Some(slot % 10 < 4))));
        let hardly = server(|slot| Some(slot % 10 < 4 && slot != 2 && slot != 31));
        assert!(same(&link, &hardly), "nearly all moments are enough");
        let seldom = server(|slot| (slot % 3 == 0).then_some(slot % 10 < 4));
        assert!(same(&link, &seldom), "moments in which one was not asked");
    }

    #[test]
    fn servers_that_fail_by_themselves_are_not_linked() {
        let one = server(|slot| Some(slot % 10 < 4));
        assert!(!same(&one, &server(|slot| Some(slot % 10 >= 6))));
        assert!(!same(&one, &server(|slot| Some(slot % 10 < 2))), "half");
        assert!(!same(&one, &server(|_| Some(false))));
        assert!(!same(&one, &server(|_| None)));
    }

    #[test]
    fn what_fails_all_the_time_fails_in_the_same_moments_as_anything() {
        let always = || server(|_| Some(true));
        assert!(!same(&always(), &always()));
        let often = || server(|slot| Some(slot % 10 < 7));
        assert!(!same(&often(), &often()));
    }

    #[test]
    fn three_moments_may_be_chance_and_four_are_none() {
        let few = |many: u64| server(move |slot| Some(slot % 10 == 0 && slot < 10 * many));
        assert!(!same(&few(3), &few(3)));
        assert!(same(&few(4), &few(4)));
    }

    /// Queries of clients to servers, in a moment.
    fn asked(asked: &[(u8, u8, u16)]) -> Detector {
        let mut packets = Vec::new();
        for (client, server, many) in asked {
            for port in 0..*many {
                packets.push(query(NOW, *client, *server, 1_024 + port));
            }
        }
        let mut detector = Detector::new(Thresholds::default(), Place::default(), TIMEOUT);
        detector.observe(&Observation {
            now: NOW,
            window: &Window::empty(),
            sources: None,
            sampled: &packets,
        });
        detector
    }

    #[test]
    fn floods_are_one_where_nearly_all_of_both_comes_from_one_client() {
        let linked =
            |all: &[(u8, u8, u16)]| flooded_by_one(&address(53), &address(54), &asked(all), NOW);
        assert!(linked(&[
            (1, 53, 90),
            (2, 53, 10),
            (1, 54, 90),
            (3, 54, 10)
        ]));
        assert!(!linked(&[(1, 53, 90), (2, 54, 90)]), "another client");
        assert!(!linked(&[(1, 53, 90), (2, 53, 60), (1, 54, 90)]), "of many");
        assert!(!linked(&[(1, 53, 90)]), "the other gets nothing");
        assert!(!linked(&[]));
    }
}
