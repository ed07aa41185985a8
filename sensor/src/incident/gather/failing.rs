//! How queries fail.

use std::time::Duration;

use super::super::diagnosis::Finding;
use super::super::evidence::Evidence;
use super::case::Case;
use crate::detect::history::{float, share};
use crate::detect::{Facts, Rule, Vantage};
use crate::measure::address::ip;

/// Share of what fails that tells of all of it.
const MUCH: f64 = 0.3;
/// Stubs send a second copy within so long.
const YOUNG: Duration = Duration::from_secs(7);
/// Copies that tell something: about as many failures as it takes to tell what they have in common.
const COPIES: u64 = 12;
/// Late answers that are no stray ones.
const LATE: u64 = 8;
/// Share of the queries that fail where it is all of them, but for those of the moment in which it began.
const NEARLY_ALL: f64 = 0.8;
/// The same of the worst moments, as the lower end of its interval.
const SURELY: f64 = 0.65;

/// How its queries fail.
pub fn failing(case: &Case<'_>, facts: &Facts<'_>, told: bool, found: &mut Vec<Finding>) {
    let evidence = case.evidence;
    // Copies share what the first ones have in common.
    let is_told_apart = found.iter().any(|finding| {
        matches!(
            finding,
            Finding::Contrast(_) | Finding::AnswersLimited { .. }
        )
    });
    let asked = &evidence.asked.during;
    let failed = asked.failed();
    let here = case.vantage == Vantage::Server;
    let decided = asked.decided();
    let ripe = &evidence.asked.ripe;
    let newest = facts.failing.share;
    let part_of_all = match share(ripe.failed(), ripe.decided()) {
        _ if ripe.decided() == 0 => newest,
        part if facts.failing.is_most => part.max(newest),
        part => part,
    };
    // What is still answered is more than a late answer or two: then it is a part that fails, however large.
    let most = case.most_fail()
        && (told || part_of_all >= NEARLY_ALL || evidence.worst.surely_failed >= SURELY);
    if case.fails() && !told {
        let share = part_of_all;
        found.push(match (most, here) {
            (true, true) => Finding::SilenceHere { failed, decided },
            (true, false) => Finding::Silence { failed, decided },
            (false, true) => Finding::PartFailsHere { share },
            (false, false) if case.now.saturating_sub(case.onset) < YOUNG => {
                Finding::PartBeginsToFail { share }
            }
            (false, false) => Finding::PartFails { share },
        });
    }
    let part = case.fails() && !most;
    if part && !told && !case.has(Rule::Slow) && is_fast(case.evidence) {
        found.push(Finding::FastAsEver);
    }
    if case.fails() || case.has(Rule::Slow) {
        let (answers, from) = evidence.worst.elsewhere;
        let fails: u64 = facts
            .recent
            .iter()
            .filter(|dossier| facts.end(dossier).is_failure())
            .map(|dossier| u64::from(dossier.weight))
            .sum();
        if answers >= 3
            && float(answers) >= MUCH * float(fails)
            && let Some(from) = from
        {
            let from = ip(&from).to_string();
            found.push(Finding::WrongSource { answers, from });
        }
        let copies = evidence.worst.copies_answered;
        // Where all failed, copies are answered because it is over.
        if copies >= 3 && float(copies) >= MUCH * float(fails) && !most {
            found.push(Finding::SecondCopiesAnswered { copies });
        } else if part
            && !is_told_apart
            && evidence.worst.copies.failed() >= COPIES
            && float(evidence.worst.copies.failed()) >= MUCH * float(fails)
            && evidence.worst.copies.fail_too()
        {
            found.push(Finding::CopiesFailToo {
                copies: evidence.worst.copies.failed(),
            });
        } else if evidence.worst.late >= LATE && !told {
            let answers = evidence.worst.late;
            found.push(if most {
                Finding::WaitedAndAnswered { answers }
            } else {
                Finding::AnsweredLate { answers }
            });
        }
        let [_, accepted, refused] = evidence.during.connections();
        if accepted != 0 {
            found.push(Finding::TcpAccepted);
        } else if refused != 0 {
            found.push(Finding::TcpRefused);
        }
    }
    if case.has(Rule::Slow) {
        found.push(Finding::SlowAnswers);
    }
    if case.has(Rule::Collapse) {
        found.push(Finding::QueriesStayAway);
    }
}

/// Whether half of the answers, and nearly all, take about as long as before.
fn is_fast(evidence: &Evidence) -> bool {
    const SLACK: f64 = 2.0;
    matches!(evidence.worst.latency, [Some((p50, p95)), Some((now50, now95))]
        if now50 <= SLACK * p50 && now95 <= SLACK * p95.max(0.005))
}
