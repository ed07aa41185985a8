//! What fails has in common, and what is answered has not.
//!
//! Over the dossiers since the onset: the narrowest single property that holds at least nine in ten failures while the
//! rest is as usual. "All 214 failures are names below victim.example; the other queries are answered as usual."

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sensor_common::server::ServerKey;
use serde::{Deserialize, Serialize};

use crate::detect::history::float;
use crate::measure::address::prefix;
use crate::measure::dossier::Dossier;
use crate::measure::question::Question;
use crate::measure::sketch::Prefix;

/// Share of the failures that have the property.
const OF_FAILURES: f64 = 0.9;
/// Share of those that have the property that fail.
const INSIDE: f64 = 0.7;
/// The same where it was told before: what comes and goes is fine in between.
const STILL: f64 = 0.2;
/// Share of the others that is answered.
const REST: f64 = 0.9;
/// Failures, and others, that it takes.
const ENOUGH: u64 = 8;
/// Labels of a zone, at most.
const DEPTH: usize = 4;
/// Client networks that one property may hold.
const NETWORKS: usize = 3;
/// More servers than are behind an address, mostly, or ways to it.
const WAYS: usize = 6;
/// Queries of each of several clients that all fail, where no other's do.
const SEVERAL: u64 = 3;

/// What dossiers may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// A name below a zone.
    NameBelow,
    /// One question type.
    QuestionType,
    /// With EDNS, or without.
    Edns,
    /// A question of a kind whose answers are large.
    LargeAnswer,
    /// Asked by this host itself.
    ThisHost,
    /// Asked by one unit, container or pod of this host.
    Unit,
    /// Asked from one network, or a few.
    ClientNetwork,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contrast {
    /// Which property.
    pub property: Property,
    /// Its value, as it is shown.
    pub value: String,
    /// Share of the failures that have it.
    pub of_failures: f64,
    /// Share of the queries without it that are answered.
    pub rest_ok: f64,
    /// Those that have it are answered too, by an rcode that says no.
    pub denied: bool,
    /// They are answered, and slowly.
    #[serde(default)]
    pub slow: bool,
}

/// What is told apart from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ill {
    /// What fails.
    Fails,
    /// What is denied.
    Denied,
    /// What takes long.
    Slow,
}

#[derive(Clone, Copy, Default)]
struct Side {
    failed: u64,
    fine: u64,
}

/// Looks for it. `failed` tells whether a dossier is ill in this way, `None` where that is not known;
/// the share of `usual` is all day. `told` is what was found before.
#[must_use]
pub fn find(
    dossiers: &[&Dossier],
    own: &dyn Fn(&ServerKey) -> bool,
    units: &BTreeMap<u64, String>,
    large: &dyn Fn(&Question) -> bool,
    failed: &dyn Fn(&Dossier) -> Option<bool>,
    (ill, usual): (Ill, f64),
    told: Option<&Contrast>,
) -> Option<Contrast> {
    let mut values: BTreeMap<(Property, String), Side> = BTreeMap::new();
    let mut networks: BTreeMap<Prefix, Side> = BTreeMap::new();
    let mut clients: BTreeMap<Prefix, Side> = BTreeMap::new();
    let mut all = Side::default();
    for dossier in dossiers {
        let Some(failed) = failed(dossier) else {
            continue;
        };
        let weight = u64::from(dossier.weight);
        let add = |side: &mut Side| {
            if failed {
                side.failed += weight;
            } else {
                side.fine += weight;
            }
        };
        add(&mut all);
        add(networks.entry(Prefix::network(dossier.client)).or_default());
        add(clients.entry(Prefix::host(dossier.client)).or_default());
        if own(&dossier.client) {
            add(values
                .entry((Property::ThisHost, "this host".into()))
                .or_default());
        }
        if let Some(unit) = units.get(&dossier.cgroup) {
            add(values.entry((Property::Unit, unit.clone())).or_default());
        }
        if let Some(question) = &dossier.question {
            for labels in 1..=DEPTH {
                if let Some(zone) = question.zone(labels) {
                    add(values
                        .entry((Property::NameBelow, zone.into()))
                        .or_default());
                }
            }
            let qtype = (Property::QuestionType, question.qtype.to_string());
            add(values.entry(qtype).or_default());
            if large(question) {
                let large = (Property::LargeAnswer, String::new());
                add(values.entry(large).or_default());
            }
            let edns = if dossier.edns.is_some() {
                "with"
            } else {
                "without"
            };
            add(values.entry((Property::Edns, edns.into())).or_default());
        }
    }
    if all.failed < ENOUGH || all.fine < ENOUGH {
        return None;
    }
    // A few clients of a network, where that is not it: each by more than a query or two.
    let many = NETWORKS.max(networks.len() / 3);
    // One of several servers behind an address, or of several ways, has a larger part of them.
    let some = clients.len() / WAYS;
    for (groups, most, least) in [
        (&networks, many, 0),
        (&clients, NETWORKS, ENOUGH),
        (&clients, some, SEVERAL),
    ] {
        if let Some((value, side)) = together(groups, most, least) {
            values.insert((Property::ClientNetwork, value), side);
        }
    }
    if let Some(told) = told.filter(|told| told.property == Property::ClientNetwork) {
        let sides = networks.iter().chain(&clients);
        let sides =
            sides.filter(|(group, _)| told.value.split(", ").any(|one| one == prefix(group)));
        let side = sides.fold(Side::default(), |sum, (_, side)| Side {
            failed: sum.failed + side.failed,
            fine: sum.fine + side.fine,
        });
        values
            .entry((told.property, told.value.clone()))
            .or_insert(side);
    }
    let is_told = |property: Property, value: &String| {
        told.is_some_and(|told| told.property == property && told.value == *value)
    };
    values
        .into_iter()
        .filter_map(|((property, value), side)| {
            let least = if is_told(property, &value) {
                STILL
            } else {
                INSIDE
            };
            separate(property, value, side, all, (ill, usual, least))
        })
        .min_by_key(|(contrast, many)| {
            // Of two that hold the same queries: what explains most, and the deeper zone.
            let depth = match contrast.property {
                Property::NameBelow => contrast.value.split('.').count(),
                _ => 0,
            };
            let is_plain = contrast.property != Property::LargeAnswer;
            (*many, is_plain, contrast.property, Reverse(depth))
        })
        .map(|(contrast, _)| contrast)
}

/// The networks that hold most failures and hardly anything else, taken together.
fn together(networks: &BTreeMap<Prefix, Side>, most: usize, least: u64) -> Option<(String, Side)> {
    let mut failing: Vec<(&Prefix, &Side)> = networks
        .iter()
        .filter(|(_, side)| {
            side.failed >= least && share(side.failed, side.failed + side.fine) >= INSIDE
        })
        .collect();
    failing.sort_by_key(|(network, side)| (Reverse(side.failed), **network));
    if failing.is_empty() || failing.len() > most {
        return None;
    }
    let mut sum = Side::default();
    for (_, side) in &failing {
        sum.failed += side.failed;
        sum.fine += side.fine;
    }
    let mut names: Vec<String> = failing
        .iter()
        .take(NETWORKS)
        .map(|(network, _)| prefix(network))
        .collect();
    if failing.len() > NETWORKS {
        names.push(format!("{} more", failing.len() - NETWORKS));
    }
    Some((names.join(", "), sum))
}

fn separate(
    property: Property,
    value: String,
    side: Side,
    all: Side,
    (ill, usual, least): (Ill, f64, f64),
) -> Option<(Contrast, u64)> {
    let outside = Side {
        failed: all.failed - side.failed,
        fine: all.fine - side.fine,
    };
    let contrast = Contrast {
        property,
        value,
        of_failures: share(side.failed, all.failed),
        rest_ok: share(outside.fine, outside.failed + outside.fine),
        denied: ill == Ill::Denied,
        slow: ill == Ill::Slow,
    };
    // What of the others is so all day does not belong to it.
    let beside = float(outside.failed) - usual * float(outside.failed + outside.fine);
    let inside = float(side.failed);
    let separates = inside >= OF_FAILURES * (inside + beside.max(0.0))
        && contrast.rest_ok >= REST
        && share(side.failed, side.failed + side.fine) >= least
        && side.failed >= ENOUGH
        && outside.fine >= ENOUGH;
    separates.then_some((contrast, side.failed + side.fine))
}

fn share(some: u64, all: u64) -> f64 {
    crate::detect::history::share(some, all)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::dossier::Dossiers;
    use crate::measure::made::query;

    /// A query of this host from each of so many ports, by programs of two cgroups in turn.
    fn asked(many: u16) -> Dossiers {
        let mut dossiers = Dossiers::default();
        for port in 0..many {
            let mut asked = query(Duration::from_millis(u64::from(port)), 7, 53, port);
            asked.cgroup = 1 + u64::from(port % 2);
            dossiers.add(&asked);
        }
        dossiers
    }

    fn contrast(usual: f64, failed: &dyn Fn(&Dossier) -> Option<bool>) -> Option<Contrast> {
        let dossiers = asked(100);
        let dossiers: Vec<&Dossier> = dossiers.since(Duration::ZERO).collect();
        let units = [(1, "nginx.service".into()), (2, "cron.service".into())];
        find(
            &dossiers,
            &|_| true,
            &units.into(),
            &|_| false,
            failed,
            (Ill::Fails, usual),
            None,
        )
    }

    #[test]
    fn what_one_unit_asks_and_nobody_else_is_told_by_its_name() {
        let found = contrast(0.0, &|dossier| Some(dossier.cgroup == 1)).expect("a contrast");
        assert_eq!(found.property, Property::Unit);
        assert_eq!(found.value, "nginx.service");
        assert_eq!(contrast(0.0, &|dossier| Some(dossier.port < 50)), None);
    }

    #[test]
    fn several_clients_of_which_all_fails_are_told_apart_and_a_larger_part_is_not() {
        let mut dossiers = Dossiers::default();
        for port in 0..48 * 4 {
            let client = 1 + (port % 48) as u8;
            dossiers.add(&query(
                Duration::from_millis(u64::from(port)),
                client,
                53,
                port,
            ));
        }
        let dossiers: Vec<&Dossier> = dossiers.since(Duration::ZERO).collect();
        let find = |many: u16, told: Option<&Contrast>| {
            find(
                &dossiers,
                &|_| false,
                &BTreeMap::new(),
                &|_| false,
                &|dossier| Some(dossier.port % 48 < many),
                (Ill::Fails, 0.0),
                told,
            )
        };
        let found = find(6, None).expect("a contrast");
        assert_eq!(found.property, Property::ClientNetwork);
        assert!(found.value.ends_with(", 3 more"), "{}", found.value);
        assert_eq!(find(6, Some(&found)), Some(found.clone()), "as it was told");
        // One of five servers behind an address has as many.
        assert_eq!(find(10, None), None);
    }

    #[test]
    fn what_fails_all_day_does_not_hide_what_the_rest_has_in_common() {
        // Four of five of one unit, and a tenth of the other's 50.
        let failed = |dossier: &Dossier| {
            let every = |nth: u16| dossier.port % nth < 2;
            Some(if dossier.cgroup == 1 {
                !every(10)
            } else {
                every(20)
            })
        };
        assert_eq!(contrast(0.0, &failed), None);
        let found = contrast(0.1, &failed).expect("a contrast");
        assert_eq!(found.value, "nginx.service");
        assert!(found.of_failures < 0.9 && found.rest_ok >= 0.9, "{found:?}");
    }
}
