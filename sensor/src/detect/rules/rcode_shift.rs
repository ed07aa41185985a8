//! Far more answers with an rcode that says no than usual.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use sensor_common::server::ServerCounters;

use crate::detect::facts::{Facts, LONG};
use crate::detect::history::{Span, float, share};
use crate::detect::interval;
use crate::detect::level::Level;
use crate::detect::rcode::{NOERROR, NXDOMAIN, SERVFAIL};
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::usual::Share;
use crate::measure::counted::counted;

use whom::{
    is_as_ever, nobody_is_served, only_keepers_are_told, only_strangers_are_told, own_host_depends,
};

mod whom;

/// Spans that are looked at, the shortest that has enough answers first.
const SPANS: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_mins(1),
];
/// The newest answers, of which some must still say it.
const FEW: u64 = 5;
/// Where so few answers in a minute or less all say it, to so many questions that used to be answered, that is enough.
const ALL: u64 = 10;
const QUESTIONS: usize = 2;
const HARDLY_ANY: f64 = 0.1;
/// Names that do not exist are asked for every day, and by more clients on some: most answers have to say so.
const MOST: f64 = 0.5;
/// A share of SERVFAIL that is no everyday one, where nothing is usual yet.
const AT_FIRST: f64 = 0.3;
/// Different names that are denied and used to be answered: one may have been removed on purpose.
const NAMES: usize = 5;
/// A few that are asked for by many, and what part of all that is at least: one zone of several.
const FEW_NAMES: usize = 3;
const ZONE_SHARE: f64 = 0.05;
/// Clients that are many.
const CLIENTS: usize = 5;
/// What an update required is not so: YXDOMAIN, YXRRSET and NXRRSET (RFC 2136, 2.2), which a DHCP server asks for.
const PREREQUISITES: RangeInclusive<usize> = 6..=8;
/// Of the usual answers far fewer are left, and as many that say it as ever.
const GONE: f64 = 0.6;
const AS_MANY: f64 = 1.2;
/// Where NOERROR answers have fallen to this share of their usual rate, something else is answered instead.
const INSTEAD: f64 = 0.6;

/// The share of one rcode and what it is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    /// RCODE.
    pub rcode: usize,
    /// Its share of the answers.
    pub share: f64,
    /// What is usual.
    pub usual: Option<f64>,
    /// From here on it alarms.
    pub warning: f64,
    /// It is surely above.
    pub fires: bool,
    /// Answers that it is of.
    pub answers: u64,
}

/// The rcode that is furthest above what alarms.
#[must_use]
pub fn worst(facts: &Facts<'_>) -> Option<Shift> {
    let limits = facts.limits;
    let answers = |span: &Span| span.counters.answers_by_rcode.iter().sum::<u64>();
    // What was so a minute ago is over where it is not so now.
    if answers(&facts.long) == 0 {
        return None;
    }
    let spans = SPANS.map(|length| facts.state.history.over(length));
    let enough = spans
        .iter()
        .position(|span| answers(span) >= limits.rcode_answers)
        .unwrap_or(spans.len() - 1);
    let newest = spans.iter().find(|span| answers(span) >= FEW);
    let mut worst: Option<Shift> = None;
    // A small share shows in a longer time only.
    for span in &spans[enough..] {
        let all = answers(span);
        for rcode in (NOERROR + 1..16).filter(|rcode| !PREREQUISITES.contains(rcode)) {
            let some = span.counters.answers_by_rcode[rcode];
            let usual = &facts.state.usual.rcodes[rcode];
            let least = if rcode == NXDOMAIN {
                MOST
            } else {
                limits.rcode_share.warning
            };
            let warning = facts.alarm_share(least, usual);
            let lower = interval::lower(float(some), float(all));
            let instead = rcode != NXDOMAIN || answers_instead(facts, span);
            // SERVFAIL to most is a failure, whatever is usual; so is anything but a name error to all who ask.
            let nothing_known = usual.count() < float(limits.rcode_answers) && rcode == SERVFAIL;
            let whatever = if nothing_known { AT_FIRST } else { MOST };
            let absolute = lower > whatever
                && (rcode == SERVFAIL || rcode != NXDOMAIN && nobody_is_served(facts));
            let warning = if absolute {
                warning.min(whatever)
            } else {
                warning
            };
            if newest.is_none_or(|newest| newest.counters.answers_by_rcode[rcode] == 0) {
                continue;
            }
            let enough = all >= limits.rcode_answers && some >= limits.rcode_answers / 2;
            let unusual = lower > warning
                && !is_as_ever(facts, rcode)
                && !others_have_gone(facts, some, all, span.elapsed, usual);
            let fires =
                enough && instead && (unusual || absolute) && !only_keepers_are_told(facts, rcode);
            let shift = Shift {
                rcode,
                share: share(some, all),
                usual: usual.mean(),
                warning: warning.min(1.0),
                fires,
                answers: all,
            };
            let key = |shift: &Shift| (shift.fires, shift.share / shift.warning);
            if worst.is_none_or(|worst| key(&shift) > key(&worst)) {
                worst = Some(shift);
            }
        }
    }
    // It looks at every dossier, where there is a reason to.
    let counters = &facts.long.counters;
    let part = share(counters.answers_by_rcode[NXDOMAIN], answers(&facts.long));
    let denied = if part > ZONE_SHARE {
        denied(facts).filter(|denied| denied.fires)
    } else {
        None
    };
    if worst.is_some_and(|worst| worst.fires) {
        return worst;
    }
    denied.or_else(|| all_of_few(facts)).or(worst)
}

/// Where few are asked: the newest answers all say it, and do so to what used to be answered.
fn all_of_few(facts: &Facts<'_>) -> Option<Shift> {
    let count = |counters: &ServerCounters| counters.answers_by_rcode.iter().sum::<u64>();
    let history = &facts.state.history;
    let span = history.newest(facts.now(), [SPANS[0], SPANS[SPANS.len() - 1]], ALL, count);
    let all = count(&span.counters);
    let says_it = |rcode: &usize| all >= ALL && span.counters.answers_by_rcode[*rcode] == all;
    let rcode = (NOERROR + 1..16).find(says_it)?;
    let questions: BTreeSet<_> = facts
        .asked_in(LONG)
        .filter(|dossier| {
            let answer = dossier.answer();
            answer.is_some_and(|answer| usize::from(answer.rcode) == rcode)
        })
        .filter(|dossier| facts.state.names.used_to_be_answered(dossier))
        .filter_map(|dossier| dossier.question.as_ref())
        .map(|question| (&question.name, question.qtype))
        .collect();
    // What is known need be no more than what is seen: nearly none of so many.
    let usual = &facts.state.usual.rcodes[rcode];
    let is_sure = usual.count() >= float(ALL) && usual.mean().is_some_and(|mean| mean < HARDLY_ANY);
    let warning = MOST;
    let used_to_be = is_sure && questions.len() >= QUESTIONS && !is_as_ever(facts, rcode);
    (used_to_be || own_host_depends(facts, rcode)).then(|| Shift {
        rcode,
        share: 1.0,
        usual: usual.mean(),
        warning,
        fires: true,
        answers: all,
    })
}

/// Whether no more are told so than ever were, of far fewer: what was answered well is not asked for any more, as a cache
/// in front of it knows that.
fn others_have_gone(
    facts: &Facts<'_>,
    told: u64,
    all: u64,
    elapsed: Duration,
    usual: &Share,
) -> bool {
    let (Some(rate), Some(share)) = (facts.usual_rate(), usual.mean()) else {
        return false;
    };
    let seconds = elapsed.as_secs_f64();
    let usually = rate * share * seconds;
    float(all) < GONE * rate * seconds && float(told) <= AS_MANY * usually + 2.0 * usually.sqrt()
}

/// Names that are denied and used to be answered: a zone is gone.
fn denied(facts: &Facts<'_>) -> Option<Shift> {
    let (mut all, mut some, mut counted) = (0, 0, 0_u64);
    let (mut names, mut clients) = (BTreeSet::new(), BTreeSet::new());
    for dossier in facts.asked_in(LONG) {
        if dossier.answer().is_none() {
            continue;
        }
        let weight = u64::from(dossier.weight);
        all += weight;
        counted += 1;
        if facts.state.names.is_denied(dossier) {
            some += 1;
            names.extend(dossier.question.as_ref().map(|question| &question.name));
            clients.insert(dossier.client);
        }
    }
    let usual = &facts.state.usual.denied;
    let of_many = names.len() >= FEW_NAMES && clients.len() >= CLIENTS;
    let least = if of_many {
        ZONE_SHARE
    } else {
        facts.limits.rcode_share.warning
    };
    let warning = facts.alarm_share(least, usual);
    let lower = interval::lower(float(some), float(counted));
    // One that was removed on purpose is not what most ask for.
    let is_most = clients.len() >= CLIENTS && lower > MOST;
    let enough = counted >= facts.limits.rcode_answers
        && (of_many || is_most || names.len() >= NAMES)
        && !others_have_gone(facts, some, all, LONG, usual);
    (counted != 0).then(|| Shift {
        rcode: NXDOMAIN,
        share: share(some, counted),
        usual: usual.mean(),
        warning,
        fires: enough && lower > warning,
        answers: all,
    })
}

/// Whether what used to be answered well is not any more: queries that come on top do not count.
fn answers_instead(facts: &Facts<'_>, span: &Span) -> bool {
    let usual = facts.state.usual.noerror.after(facts.limits.learning);
    // Of few answers in a short time some are missing by chance.
    let most = interval::upper_count(span.counters.answers_by_rcode[NOERROR]);
    usual.is_some_and(|usual| most < INSTEAD * usual * span.elapsed.as_secs_f64())
}

/// See the module.
#[must_use]
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let Some(shift) = worst(facts) else {
        return Reading::new(Rule::RcodeShift, Unit::Share, 0.0, 1.0, None);
    };
    let critical = limits.rcode_share.critical.max(shift.warning);
    let reading = Reading::new(
        Rule::RcodeShift,
        Unit::Share,
        shift.share,
        shift.warning,
        Some(critical),
    )
    .against(shift.usual);
    if shift.answers < limits.rcode_answers && !shift.fires {
        return reading.unknown("too few answers");
    }
    // Nobody who is served is hurt.
    let most = if only_strangers_are_told(facts, shift.rcode) {
        Level::Warning
    } else {
        facts.worst_failure()
    };
    if let Some(why) = facts.is_minor() {
        return reading.unknown(why);
    }
    let reading = reading.graded().at_most(most);
    reading.only_if(shift.fires).saying(|| {
        let usual = shift
            .usual
            .map_or_else(String::new, |usual| format!(", usually {}", percent(usual)));
        format!(
            "{} of {} are {}{usual}",
            percent(shift.share),
            counted(shift.answers, "answer"),
            name(shift.rcode)
        )
    })
}

/// The mnemonic of an rcode (IANA, DNS RCODEs).
#[must_use]
pub fn name(rcode: usize) -> &'static str {
    [
        "NOERROR",
        "FORMERR",
        "SERVFAIL",
        "NXDOMAIN",
        "NOTIMP",
        "REFUSED",
        "YXDOMAIN",
        "YXRRSET",
        "NXRRSET",
        "NOTAUTH",
        "NOTZONE",
        "DSOTYPENI",
        "rcode 12",
        "rcode 13",
        "rcode 14",
        "rcode 15",
    ]
    .get(rcode)
    .copied()
    .unwrap_or("an unknown rcode")
}
