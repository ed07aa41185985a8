//! Some client networks are rejected while others are served: a firewall rule, or an access list.

use super::REJECTIONS;
use crate::detect::history::float;
use crate::detect::{Facts, Level, Reading, Rule, State, Unit};
use crate::measure::sketch::Prefix;

/// See the module. The networks are from samples.
pub fn read(facts: &Facts<'_>) -> Reading {
    let limits = facts.limits;
    let clients = &facts.state.clients;
    let rejected = facts.state.rejected(limits);
    let networks = clients.networks();
    let is_served = |network: &Prefix| !rejected.contains(network);
    let served = networks
        .iter()
        .filter(|(network, tally)| is_served(network) && tally.responses >= limits.served_answers)
        .count();
    let many = float(rejected.len() as u64);
    let reading = Reading::new(Rule::PartialRejection, Unit::Count, many, 1.0, None);
    if let Some(why) = facts.blind() {
        return reading.unknown(why);
    }
    // Those that were sampled may be forged: as many must be about queries that were sent.
    let matched = facts.state.history.over(limits.failed_back);
    if matched.matched(&REJECTIONS) < limits.rejected_errors {
        return reading;
    }
    // Served now, and not only before it failed altogether.
    if served == 0 || facts.short.counters.transactions.answered == 0 {
        return reading;
    }
    let mut reading = reading.graded();
    if rejected.is_empty() {
        reading.state = State::Quiet;
    }
    reading.at_most(Level::Warning).saying(|| {
        let total = rejected.len() + served;
        format!(
            "{} of {total} client networks are rejected, the others are served",
            rejected.len()
        )
    })
}
