//! What was said against what must be said.

use std::fmt::Write as _;
use std::time::Duration;

use crate::format::{Expect, Later};
use crate::judged::Said;
use crate::run::Spoken;

/// What is to be said, by how soon it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Healthy,
    /// ICMP errors or a flood show it.
    Loud,
    /// It takes a wait: silence, or something about answers.
    Silent,
}

impl Kind {
    fn of(expect: &Expect) -> Self {
        let loud = |code: &String| LOUD.contains(&code.as_str());
        if may_be_quiet(expect) {
            Self::Healthy
        } else if expect.symptoms.iter().any(loud) {
            Self::Loud
        } else {
            Self::Silent
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Loud => "loud",
            Self::Silent => "silent",
        }
    }
}

fn may_be_quiet(expect: &Expect) -> bool {
    let mut causes = expect.first_cause.iter();
    causes.any(|code| code == NONE || code == NO_ATTACK)
}

/// The result for one situation.
#[derive(Clone, Debug)]
pub struct Score {
    pub name: String,
    pub kind: Kind,
    /// Symptoms that must be said, and are.
    pub symptoms: bool,
    /// The first cause is right.
    pub cause: bool,
    /// From the onset to the symptom.
    pub delay: Option<Duration>,
    /// In words: expected and said.
    pub expected: String,
    pub said: String,
    /// What is wrong.
    pub faults: Vec<String>,
}

impl Score {
    pub fn is_right(&self) -> bool {
        self.faults.is_empty()
    }
}

const NONE: &str = "none";
const NO_ATTACK: &str = "no_attack";
const UNKNOWN: &str = "unknown";

/// Symptoms that errors show, or more packets than usual.
const LOUD: [&str; 12] = [
    "port_unreachable",
    "prohibited",
    "host_unreachable",
    "query_flood",
    "one_source",
    "spoofed",
    "random_names",
    "amplification",
    "reflection",
    "garbage",
    "syn_flood",
    "scan",
];

/// A little earlier than the onset is still it: ticks lie where the first packet lies.
const EARLY: Duration = Duration::from_millis(500);

/// Whether causes that were said are among those expected.
fn fits(expected: &[String], said: &[String]) -> bool {
    let has = |code: &str| expected.iter().any(|one| one == code);
    if said.is_empty() {
        return has(UNKNOWN) || has(NO_ATTACK);
    }
    said.iter()
        .all(|code| has(code) || (has(NO_ATTACK) && !code.starts_with("attack_")))
}

/// Judges one situation.
pub fn score(name: &str, expect: &Expect, spoken: &Spoken) -> Score {
    let mut faults = Vec::new();
    let may_be_quiet = may_be_quiet(expect);
    let concerns = |said: &&Said| {
        let server = said
            .server
            .as_deref()
            .and_then(|server| server.parse().ok());
        expect.about.0.is_empty() || server.is_some_and(|server| expect.about.contains(server))
    };
    let last: Vec<&Said> = spoken.last.iter().filter(concerns).collect();

    let delay = delay(expect.onset, &expect.symptoms, &last);
    let symptoms =
        expect.symptoms.is_empty() || delay.is_some() || (may_be_quiet && last.is_empty());
    if !symptoms {
        faults.push(format!("no {}", expect.symptoms.join("|")));
    }
    if let (Some(delay), Some(within)) = (delay, expect.within)
        && delay > within
    {
        faults.push(format!("late: {:.1} s", delay.as_secs_f64()));
    }
    let early = last
        .iter()
        .filter(|said| said.detected + EARLY < expect.onset);
    for said in early {
        faults.push(format!(
            "false alarm at {:.1} s",
            said.detected.as_secs_f64()
        ));
    }

    let fits = |said: &Said| fits(&expect.first_cause, &said.first_cause);
    // What came later may have changed what was said of the first.
    let later = expect.also.first().map(|later| later.onset);
    let before = |said: &&Said| later.is_some_and(|onset| said.at < onset) && concerns(said);
    let cause = match last.as_slice() {
        [] => may_be_quiet,
        [_, ..] if expect.first_cause == [NONE] => false,
        some if expect.first_cause.iter().any(|c| c == NO_ATTACK) => {
            some.iter().all(|said| fits(said))
        }
        some => {
            some.iter().any(|said| fits(said)) || spoken.changes.iter().filter(before).any(fits)
        }
    };
    if !cause {
        faults.push(if last.is_empty() { "missed" } else { "cause" }.into());
    }
    for never in &expect.never {
        let all = spoken.changes.iter().chain(&spoken.last);
        if let Some(said) = all
            .into_iter()
            .find(|said| said.first_cause.contains(never))
        {
            let at = said.at.as_secs_f64();
            faults.push(format!("says {never} at {at:.1} s"));
        }
    }
    for never in &expect.never_symptoms {
        let has = |said: &&Said| said.symptoms.iter().any(|(code, _)| code == never);
        if spoken.last.iter().any(|said| has(&said)) {
            faults.push(format!("has {never}"));
        }
    }
    let most = expect.most_incidents.unwrap_or(usize::MAX);
    if spoken.last.len() > most {
        faults.push(format!("{} incidents", spoken.last.len()));
    }
    if expect.warning_at_most && spoken.last.iter().any(|said| said.is_critical) {
        faults.push("critical".into());
    }
    if expect.critical && !spoken.last.iter().any(|said| said.is_critical) {
        faults.push("never critical".into());
    }
    if expect.clears && last.iter().any(|said| !said.is_closed) {
        faults.push("not closed".into());
    }
    faults.extend(
        expect
            .also
            .iter()
            .filter_map(|later| missing(later, spoken)),
    );
    Score {
        name: name.into(),
        kind: Kind::of(expect),
        symptoms,
        cause,
        delay,
        expected: expected(expect),
        said: told(&spoken.last),
        faults,
    }
}

/// From the onset to the first of these symptoms.
fn delay(onset: Duration, symptoms: &[String], last: &[&Said]) -> Option<Duration> {
    let all = last.iter().flat_map(|said| &said.symptoms);
    all.filter(|(code, since)| symptoms.contains(code) && *since + EARLY >= onset)
        .map(|(_, since)| since.saturating_sub(onset))
        .min()
}

/// What was not said of something that came later.
fn missing(later: &Later, spoken: &Spoken) -> Option<String> {
    let end = later.onset + later.within;
    let said_then = |said: &&Said| {
        let symptom = said.symptoms.iter().any(|(code, since)| {
            later.symptoms.contains(code) && (later.onset..=end).contains(since)
        });
        said.at >= later.onset
            && (later.symptoms.is_empty() || symptom)
            && fits(&later.first_cause, &said.first_cause)
    };
    let all = spoken.changes.iter().chain(&spoken.last);
    all.into_iter().find(said_then).is_none().then(|| {
        format!(
            "nothing of {} after {} s",
            later.first_cause.join("|"),
            later.onset.as_secs()
        )
    })
}

fn expected(expect: &Expect) -> String {
    if expect.symptoms.is_empty() {
        return expect.first_cause.join("|");
    }
    format!(
        "{}: {}",
        expect.symptoms.join("|"),
        expect.first_cause.join("|")
    )
}

fn told(incidents: &[Said]) -> String {
    if incidents.is_empty() {
        return "nothing".into();
    }
    let mut text = String::new();
    for (n, said) in incidents.iter().enumerate() {
        if n == 3 {
            let _ = write!(text, "; and {} more", incidents.len() - n);
            break;
        }
        let symptoms: Vec<&str> = said
            .symptoms
            .iter()
            .map(|(code, _)| code.as_str())
            .collect();
        let causes = match said.first_cause.as_slice() {
            [] => UNKNOWN.into(),
            causes => causes.join(" = "),
        };
        let _ = write!(
            text,
            "{}{} {}: {causes}",
            if n == 0 { "" } else { "; " },
            said.server.as_deref().unwrap_or("network"),
            symptoms.join("+"),
        );
    }
    text
}

/// The table, a situation a line, and the totals.
pub fn table(scores: &[Score], with_right_ones: bool) -> String {
    let mut text = String::new();
    let shown = |score: &&Score| with_right_ones || !score.is_right();
    let shown: Vec<&Score> = scores.iter().filter(shown).collect();
    let width = |of: fn(&Score) -> usize| shown.iter().map(|score| of(score)).max().unwrap_or(0);
    let (names, wanted) = (width(|s| s.name.len()), width(|s| s.expected.len()));
    for score in shown {
        let verdict = if score.is_right() { "right" } else { "WRONG" };
        let kind = score.kind.name();
        let delay = score
            .delay
            .map_or("-".into(), |delay| format!("{:.2} s", delay.as_secs_f64()));
        let _ = write!(
            text,
            "{verdict}  {kind:7}  {:names$}  {delay:>8}  {:wanted$}  said {}",
            score.name, score.expected, score.said
        );
        let _ = if score.is_right() {
            writeln!(text)
        } else {
            writeln!(text, "  [{}]", score.faults.join(", "))
        };
    }
    text.push_str(&totals(scores));
    text
}

fn totals(scores: &[Score]) -> String {
    let count = |test: &dyn Fn(&&Score) -> bool| scores.iter().filter(test).count();
    let is_ill = |score: &&Score| score.kind != Kind::Healthy;
    let median = |kind: Kind| {
        let of_kind = scores.iter().filter(|score| score.kind == kind);
        let mut delays: Vec<Duration> = of_kind.filter_map(|score| score.delay).collect();
        delays.sort_unstable();
        let median = delays.get(delays.len() / 2);
        median.map_or("-".into(), |delay| format!("{:.2} s", delay.as_secs_f64()))
    };
    format!(
        "{} of {} situations right\n\
         of {} failures and floods: symptoms right in {}, first cause right in {}\n\
         median delay: {} with errors and floods, {} else\n\
         of {} healthy ones: right {}\n",
        count(&|score| score.is_right()),
        scores.len(),
        count(&is_ill),
        count(&|score| is_ill(score) && score.symptoms),
        count(&|score| is_ill(score) && score.cause),
        median(Kind::Loud),
        median(Kind::Silent),
        count(&|score| !is_ill(score)),
        count(&|score| !is_ill(score) && score.is_right()),
    )
}
