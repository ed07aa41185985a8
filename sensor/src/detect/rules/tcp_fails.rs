//! Clients ask over TCP and are not let in.

use crate::detect::connections::{self, FAILS, SYNS};
use crate::detect::facts::Facts;
use crate::detect::history::{float, share};
use crate::detect::reading::{Reading, Unit, percent};
use crate::detect::rule::Rule;
use crate::detect::visibility::Visibility;
use crate::measure::counted::{counted, were};

/// So many tell for sure, where all of them fail and chance can be no reason.
const MANY: u64 = 10;
/// Of what goes on for ever this much looks like something else.
const CHANCE: f64 = 0.001;
/// A client that is not answered sends its SYN so often before it gives up: after 1, 3, 7 and 15 s again (RFC 6298
/// section 2).
const SYNS_EACH: u64 = 5;
/// Most are accepted.
const MOSTLY: f64 = 0.5;

/// See the module.
pub fn read(facts: &Facts<'_>) -> Reading {
    let usual = &facts.state.usual.syns_failed;
    let warning = facts.alarm_share(FAILS, usual);
    // Of a server that is asked over TCP alone, only its connections tell.
    let accepts = usual.mean().is_some_and(|failed| failed < 1.0);
    let both = facts.visibility == Visibility::Both || accepts;
    let few = |reading: Reading| {
        reading.unknown(if both {
            "too few connections"
        } else {
            "only one direction of its traffic is seen"
        })
    };
    if !connections::are_known(&facts.state.history) {
        let reading = Reading::new(Rule::TcpFails, Unit::Share, 0.0, warning, None);
        return few(reading.against(usual.mean()));
    }
    let newest = |enough| connections::newest(&facts.state.history, enough);
    let spans = SYNS.map(newest);
    let above = spans
        .iter()
        .find(|span| connections::fail_above(span, warning));
    let span = above.unwrap_or(&spans[0]);
    let [syns, accepted, refused] = span.connections();
    let failed = connections::failed(span);
    let part = share(failed, syns);
    let reading =
        Reading::new(Rule::TcpFails, Unit::Share, part, warning, None).against(usual.mean());
    if !both || syns < SYNS[0] {
        return few(reading);
    }
    // Without a failure among the newest it is over.
    let goes_on = connections::failed(&spans[0]) != 0;
    // None of all is more than chance, where truncated answers send clients to TCP: they have no other way, now or ever.
    let sent_there =
        span.counters.answers_truncated.max(span.counters.truncated) * SYNS_EACH >= syns;
    let none = accepted == 0 && syns >= MANY && sent_there;
    // Nor is it chance that each is answered with RST for longer than a restart takes, where most used to be accepted.
    let lately = connections::of_a_restart(&facts.state.history, SYNS[0]);
    let [_, accepted_lately, refused_lately] = lately.connections();
    let closed = accepted_lately == 0
        && refused_lately >= SYNS[0]
        && usual.upper() < MOSTLY
        && usual.upper().powf(float(refused_lately)) < CHANCE;
    let flood = super::syn_flood::is_on(facts);
    reading
        .graded()
        .only_if((above.is_some() && goes_on || none || closed) && !flood)
        .saying(|| {
            let truncated = span.counters.truncated;
            format!(
                "{failed} of {} ({}) were not accepted, {refused} were refused with RST; {} truncated",
                counted(syns, "SYN"),
                percent(part),
                were(truncated, "answer")
            )
        })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sensor_common::class::TcpEvent;
    use sensor_common::server::ServerKey;

    use super::*;
    use crate::detect::askers::Askers;
    use crate::detect::facts::Around;
    use crate::detect::history::Span;
    use crate::detect::network::Network;
    use crate::detect::place::{Place, Vantage};
    use crate::detect::server::ServerState;
    use crate::detect::thresholds::Thresholds;

    /// Whether it fires where SYNs, one in half a second, are accepted, refused with RST, or dropped. Of 200 before
    /// them so many had failed.
    fn fires(ends: &[Option<TcpEvent>], failed_before: u64) -> bool {
        let half = Duration::from_millis(500);
        let mut state = ServerState::new(Duration::ZERO);
        state.usual.syns_failed.learn(failed_before, 200);
        let mut end = Duration::ZERO;
        for event in ends {
            end += half;
            let mut span = Span::empty(end);
            span.elapsed = half;
            span.counters.tcp[TcpEvent::Syn.index()] = 1;
            if let Some(event) = event {
                span.counters.tcp[event.index()] = 1;
            }
            state.history.push(&span);
        }
        end += Duration::from_secs(1);
        state.history.push(&Span::empty(end));
        let around = Around {
            network: &Network::default(),
            askers: &Askers::default(),
            place: &Place::default(),
            limits: &Thresholds::default(),
            scanners: &[],
            now: end,
            timeout: Duration::from_secs(2),
        };
        let server = ServerKey {
            address: [7; 16],
            family: 4,
            reserved: [0; 7],
        };
        let mut facts = Facts::new(&around, server, &state, &[], Vantage::Path);
        facts.visibility = Visibility::Both;
        read(&facts).level().is_some()
    }

    #[test]
    fn refused_for_longer_than_a_restart_takes_is_no_chance_where_most_used_to_be_accepted() {
        let refused = Some(TcpEvent::Refused);
        let behind = |well: usize, ill: &[Option<TcpEvent>]| {
            let mut all = vec![Some(TcpEvent::SynAck); well];
            all.extend(ill);
            all
        };
        // Too few of ten seconds to be above what alarms by their share.
        assert!(fires(&behind(20, &[refused; 15]), 40));
        assert!(!fires(&behind(20, &[refused; 9]), 40), "a restart");
        assert!(!fires(&[None; 10], 40), "dropped, as ever so many were");
        assert!(!fires(&[refused; 10], 100), "half of them always failed");
    }
}
