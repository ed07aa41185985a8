//! One source asks far more than the others, and than it usually does.

use super::{percent, query_flood, slow};
use crate::detect::facts::LONG;
use crate::detect::history::share;
use crate::detect::{Facts, Reading, Rule, Unit};
use crate::measure::address::ip;

/// More than half.
const MOST: f64 = 0.5;
/// Queries that a resolver sends one server for each that it answers, at worst.
const EACH: f64 = 3.0;
/// The same where that server does not answer, or slowly.
const AGAIN: f64 = 10.0;

/// See the module. Counts of sources are from the sketches.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let network = facts.network;
    let (warning, critical) = (limits.source_rate.warning, limits.source_rate.critical);
    let found = network.heaviest(facts.place);
    let reading = |rate| {
        Reading::new(
            Rule::OneSource,
            Unit::PerSecond,
            rate,
            warning,
            Some(critical),
        )
    };
    let Some((heavy, mut rate, mut part)) = found else {
        return reading(0.0);
    };
    let source = &heavy.source.address;
    if *source == facts.server {
        return reading(0.0).unknown("the heaviest source is this server, which asks others");
    }
    let (mut whole, mut usually) = ("all queries", "");
    // Sources are counted of the whole network. Where this server does not get most of the queries, the
    // sample tells how many of its own are of that source.
    if network.share(&facts.long, LONG) <= MOST {
        part = facts.state.clients.part_of(source);
        if part <= MOST {
            return reading(0.0).unknown("most queries are for other servers");
        }
        rate = rate.min(part * facts.short.rate(facts.short.counters.queries));
        // A resolver asks a server all that it is asked, and asks it again where it does not answer. What counts is
        // what it answers: queries to it can be sent by anyone.
        let most = if harms(facts) { AGAIN } else { EACH };
        if rate <= most * facts.answers_of(source) {
            return reading(0.0).unknown("the heaviest source is a server that answers as much");
        }
        (whole, usually) = ("what this server is asked", " a second at all servers");
    } else if rate >= warning && facts.asks_another(source, rate) {
        return reading(rate).unknown("the heaviest source asks another server");
    }
    let reading = reading(rate);
    if !facts.state.clients.may_have(source) {
        return reading.unknown("the heaviest source asks another server");
    }
    let Some(usual) = network.usual_of(source, limits) else {
        return reading.unknown("what is usual is not known yet");
    };
    let others = network.mean_of_others();
    let rises = rate > limits.flood_rise.warning * usual;
    let stands_out = rate > limits.source_rise * others;
    let has_most = part > limits.source_share && query_flood::is_on(facts);
    // A client that asks much, and all are answered as ever, is no news at that rate.
    let matters = rate >= critical || has_most || harms(facts);
    reading
        .against(Some(usual))
        .graded()
        .only_if(rises && matters && (stands_out || has_most))
        .saying(|| {
            format!(
                "{} asks {rate:.0} times a second, {} of {whole}; usually {usual:.0}{usually}",
                ip(source),
                percent(part)
            )
        })
}

/// Whether the server does not do what it usually does.
fn harms(facts: &Facts<'_>) -> bool {
    let failed = facts.short.failed() + facts.overdue();
    let decided = failed + facts.short.counters.transactions.answered;
    share(failed, decided) >= facts.limits.partial_share.warning
        || slow::read(facts).level().is_some()
}
