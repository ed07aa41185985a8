//! What becomes of answers on their way, and of TCP.

use std::time::Duration;

use sensor_common::class::ErrorKind;
use sensor_common::server::ServerKey;

use super::super::diagnosis::contrast::{Ill, Property};
use super::super::diagnosis::{Finding, contrast};
use super::case::{Case, since_onset};
use crate::detect::{Detector, Facts, Rule, again};
use crate::measure::address::ip;
use crate::measure::dossier::Dossier;
use crate::measure::question::Question;

/// Connections are told of the last minute.
const MINUTE: Duration = Duration::from_mins(1);
/// Most stubs have asked again after so long.
const ASKS_AGAIN: Duration = Duration::from_millis(2_500);
/// Share of the queries that fail where it is all of them, but for those of the moment in which it began.
const NEARLY_ALL: f64 = 0.8;

/// What becomes of large answers, and TCP.
pub fn large_answers(
    case: &Case<'_>,
    facts: &Facts<'_>,
    detector: &Detector,
    found: &mut Vec<Finding>,
) {
    let lost = &case.evidence.worst.lost_answers;
    if case.has(Rule::Fragments) {
        let errors = lost.too_big + lost.not_reassembled;
        if let Some(again) = &case.evidence.worst.large_again {
            found.push(Finding::LargeAskedAgain {
                again: again.again,
                answered: again.answered,
            });
        }
        if errors != 0 {
            found.push(Finding::AnswersTooBig { errors });
        } else if lost.first != 0 && lost.later < lost.first {
            found.push(Finding::FragmentsMissing {
                first: lost.first,
                later: lost.later,
            });
        }
    }
    if case.has(Rule::AnswersLost) {
        asked_again(case, facts, detector, found);
    }
    // Where UDP fails as well it is no matter of TCP.
    if case.has(Rule::TcpFails) && !case.most_fail() {
        let minute = facts.state.history.over(MINUTE);
        let [syns, accepted, _] = minute.connections();
        found.push(Finding::TcpNotAccepted { syns, accepted });
    }
    if case.has(Rule::Truncation) && !case.has(Rule::TcpFails) {
        found.push(Finding::Truncated);
    }
}

/// Answers that do not arrive, those of whom, and what the path says of it.
fn asked_again(case: &Case<'_>, facts: &Facts<'_>, detector: &Detector, found: &mut Vec<Finding>) {
    let Some(lost) = &case.evidence.worst.again else {
        return;
    };
    let (again, answered) = (lost.again, lost.answered);
    let dossiers = since_onset(case, facts, detector);
    // What is asked again after a while has not been yet.
    let old = |dossier: &Dossier| facts.now().saturating_sub(dossier.begun) >= ASKS_AGAIN;
    let is_again = |dossier: &Dossier| again::is_again(dossier).filter(|_| old(dossier));
    let own = |key: &ServerKey| facts.place.addresses.contains(key);
    let large = |question: &Question| facts.state.names.is_large(question);
    let is_told_apart = found
        .iter()
        .any(|finding| matches!(finding, Finding::Contrast(_)));
    let common = if is_told_apart {
        None
    } else {
        contrast::find(
            &dossiers,
            &own,
            &case.evidence.samples.units,
            &large,
            &is_again,
            (Ill::Fails, 0.0),
            case.told,
        )
    };
    let common = common.filter(|common| common.property == Property::ClientNetwork);
    let whole = lost.share() >= NEARLY_ALL || common.is_some();
    found.push(if whole {
        Finding::AskedAgain { again, answered }
    } else {
        Finding::AskedAgainInPart { again, answered }
    });
    found.extend(common.map(Finding::Contrast));
    let of = |kinds: &[ErrorKind]| {
        let about = dossiers.iter().flat_map(|dossier| &dossier.errors);
        let mut about = about.filter(|error| error.about_answer && kinds.contains(&error.kind));
        let from = ip(&about.next()?.sender).to_string();
        let errors = 1 + about.count() as u64;
        (errors >= 2).then_some((errors, from))
    };
    if let Some((errors, from)) = of(&[ErrorKind::Host, ErrorKind::Network]) {
        found.push(Finding::AnswersUnreachable { errors, from });
    }
    if let Some((errors, from)) = of(&[ErrorKind::Prohibited]) {
        found.push(Finding::AnswersProhibited { errors, from });
    }
}
