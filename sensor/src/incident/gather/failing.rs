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
        if !is_told_apart {
            found.extend(slow_in_part(case, facts));
        }
    }
    if case.has(Rule::Collapse) {
        found.push(Finding::QueriesStayAway);
    }
}

/// Whether only some are slow, and those in between are as fast as ever: by how often one follows the other, which in a pause
/// or a queue is rare (Wald and Wolfowitz, 1940).
fn slow_in_part(case: &Case<'_>, facts: &Facts<'_>) -> Option<Finding> {
    const ENOUGH: u64 = 12;
    /// Changes from one to the other, as a share of those that chance makes.
    const MIXED: f64 = 0.8;
    const SLACK: f64 = 2.0;
    let usual = &facts.state.usual.latency;
    let slow_from = facts.limits.slow_from(usual.quantile(0.95));
    let times = facts
        .recent
        .iter()
        .filter(|dossier| dossier.begun >= case.onset)
        .filter_map(|dossier| Some(dossier.latency()?.as_secs_f64()));
    let (mut slow, mut fast) = (0_u64, Vec::new());
    let (mut changes, mut last) = (0_u64, None);
    for time in times {
        let is_slow = time > slow_from;
        changes += u64::from(last.is_some_and(|last| last != is_slow));
        last = Some(is_slow);
        if is_slow {
            slow += 1;
        } else {
            fast.push(time);
        }
    }
    let quick = fast.len() as u64;
    if slow.min(quick) < ENOUGH {
        return None;
    }
    let by_chance = 2.0 * float(slow) * share(quick, slow + quick);
    fast.sort_by(f64::total_cmp);
    let is_as_ever = fast[fast.len() / 2] <= SLACK * usual.quantile(0.5)?;
    (is_as_ever && float(changes) >= MIXED * by_chance).then(|| Finding::SlowInPart {
        share: share(slow, slow + quick),
    })
}

/// Whether half of the answers, and nearly all, take about as long as before.
fn is_fast(evidence: &Evidence) -> bool {
    const SLACK: f64 = 2.0;
    matches!(evidence.worst.latency, [Some((p50, p95)), Some((now50, now95))]
        if now50 <= SLACK * p50 && now95 <= SLACK * p95.max(0.005))
}
