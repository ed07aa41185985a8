//! Who is told an rcode that says no.

use std::collections::BTreeMap;

use sensor_common::server::ServerKey;

use crate::detect::facts::{Facts, LONG};
use crate::detect::history::share;
use crate::detect::rcode::{NOERROR, NXDOMAIN, REFUSED};
use crate::detect::told::What;
use crate::measure::dossier::Dossier;

/// Clients that keep asking where nobody is served, and how often each asks at least.
const CLIENTS: usize = 5;
const OFTEN: u64 = 3;
/// Of what is told so, what asks for nothing.
const NEARLY_ALL: f64 = 0.9;
/// Of the refused those who were never served, and of the others those who are.
const STRANGE: f64 = 0.8;
/// More than this share of the updates is of those who are used to have them taken.
const MOST: f64 = 0.5;

/// Whether this host asks nobody else, and was never told anything but this: it is no stranger to itself.
pub(super) fn own_host_depends(facts: &Facts<'_>, rcode: usize) -> bool {
    let own = &facts.place.addresses;
    let answered_elsewhere = |client: &ServerKey| {
        let asker = facts.askers.by_client.get(client);
        asker.is_some_and(|asker| asker.lately_answering.iter().any(|by| *by != facts.server))
    };
    let mut clients = facts.asked_in(LONG).map(|dossier| dossier.client);
    let is_all_of_it = clients.all(|client| own.contains(&client) && !answered_elsewhere(&client));
    is_all_of_it && rcode != NXDOMAIN && facts.state.usual.rcodes[NOERROR].mean() == Some(0.0)
}

/// Whether those who are told so are those who always are: the others have gone, or ask less.
pub(super) fn is_as_ever(facts: &Facts<'_>, rcode: usize) -> bool {
    let is = |dossier: &Dossier| {
        let answer = dossier.answer();
        answer.is_some_and(|answer| usize::from(answer.rcode) == rcode)
    };
    let answered = facts.asked_in(LONG);
    let answered = answered.filter(|dossier| dossier.answer().is_some());
    let state = facts.state;
    let what = What::Rcode(rcode);
    state.told.explains(answered, what, &state.usual, &is)
}

/// Whether nearly all that is told so asks for nothing: updates and the like, of which the first may be refused so that a
/// signed one follows (RFC 3645, 3.1). Not where those who send them are used to have them taken, and none is.
pub(super) fn only_keepers_are_told(facts: &Facts<'_>, rcode: usize) -> bool {
    let (mut keepers, mut told, mut taken, mut used_to_be) = (0, 0, 0, 0);
    for dossier in facts.asked_in(LONG) {
        let Some(answer) = dossier.answer() else {
            continue;
        };
        let keeps = u64::from(dossier.opcode != 0);
        if usize::from(answer.rcode) == rcode {
            told += 1;
            keepers += keeps;
            used_to_be += keeps & u64::from(facts.state.told.takes_updates(&dossier.client));
        } else if usize::from(answer.rcode) == NOERROR {
            taken += keeps;
        }
    }
    let are_lost = taken == 0 && share(used_to_be, keepers) > MOST;
    share(keepers, told) >= NEARLY_ALL && !are_lost
}

/// Whether nobody was ever served, and several clients keep asking: strangers that are refused go away.
pub(super) fn nobody_is_served(facts: &Facts<'_>) -> bool {
    let mut clients: BTreeMap<_, u64> = BTreeMap::new();
    for dossier in facts.asked_in(LONG) {
        *clients.entry(dossier.client).or_default() += u64::from(dossier.weight);
    }
    let insist = clients.values().filter(|asked| **asked >= OFTEN).count();
    facts.state.known.is_empty() && insist >= CLIENTS && insist * 2 >= clients.len()
}

/// Whether nearly all who are told so were never served, and who was is served still.
pub(super) fn only_strangers_are_told(facts: &Facts<'_>, rcode: usize) -> bool {
    let state = facts.state;
    let is_known = |client: &ServerKey| match rcode {
        REFUSED => state.known.contains_key(client),
        _ => state.told.is_served(client),
    };
    let (mut strange, mut refused, mut served, mut known) = (0, 0, 0, 0);
    for dossier in facts.asked_in(LONG) {
        let Some(answer) = dossier.answer() else {
            continue;
        };
        let is_refused = usize::from(answer.rcode) == rcode;
        let is_known = is_known(&dossier.client);
        refused += u64::from(is_refused);
        strange += u64::from(is_refused && !is_known);
        known += u64::from(is_known);
        served += u64::from(is_known && !is_refused);
    }
    !state.known.is_empty()
        && share(strange, refused) >= STRANGE
        && (known == 0 || share(served, known) >= STRANGE)
}
