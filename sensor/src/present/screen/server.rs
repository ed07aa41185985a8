//! A server in full: rates, outcomes, rcodes, types of ICMP errors, the latency histogram, rules.

use ratatui::text::{Line, Span};
use sensor_common::class::{ErrorKind, TcpEvent};

use super::super::number::{count, lasting, share, short};
use super::super::verdict::word;
use super::super::{names, words};
use super::look::Look;
use super::text::{left, paragraph, right};
use super::ui::UiState;
use super::units::{latency, percent};
use crate::measure::latency::Latency;
use crate::view::{Rates, ServerView, State, View};

/// Columns of the longest bar of the histogram.
const BAR: usize = 40;

/// Its lines, of at most so many columns.
#[must_use]
pub fn lines(view: &View, server: &ServerView, ui: &UiState, columns: usize) -> Vec<Line<'static>> {
    let look = ui.look;
    let about = if view.sensor.one_in > 1 { "~" } else { "" };
    let mut lines = vec![Line::styled(
        format!(
            "{} {} {} for {}, seen {}",
            look.glyph(server.state),
            server.address,
            word(server.state),
            lasting(view.at_ms.saturating_sub(server.since_ms)),
            words::vantage(server.vantage)
        ),
        look.state(server.state),
    )];
    lines.push(Line::styled(
        "               q/s   ans%  unanswered  ICMP err   p50 ms   p95 ms",
        look.heading(),
    ));
    for (name, rates) in [("last 2 s", &server.now), ("last minute", &server.minute)] {
        lines.push(rated(name, rates, about, look));
    }
    let usual = &server.usual;
    let known = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    lines.push(Line::styled(
        format!(
            "{} {} {} {:>11} {:>9} {:>8} {:>8}",
            left("usual", 12, look),
            right(&known(usual.queries.map(short)), 5, look),
            right(
                &known(usual.failed_share.map(|failed| percent(1.0 - failed))),
                6,
                look
            ),
            "",
            "",
            "",
            latency(usual.p95)
        ),
        look.muted(),
    ));
    counters(&mut lines, server, columns, look);
    lines.push(Line::default());
    histogram(&mut lines, &server.totals.latency, look);
    lines.push(Line::default());
    rules(&mut lines, server, columns, look);
    spent(&mut lines, server, columns, look);
    lines
}

fn rated(name: &str, rates: &Rates, about: &str, look: Look) -> Line<'static> {
    let answered = rates
        .answered_share
        .map_or_else(|| "-".into(), |share| format!("{about}{}", percent(share)));
    let failed = format!("{about}{}", short(rates.unanswered + rates.errored));
    Line::from(format!(
        "{} {} {} {:>11} {:>9} {:>8} {:>8}",
        left(name, 12, look),
        right(&short(rates.queries), 5, look),
        right(&answered, 6, look),
        failed,
        short(rates.icmp_errors),
        latency(rates.p50),
        latency(rates.p95)
    ))
}

/// Since the server was first seen.
fn counters(lines: &mut Vec<Line<'static>>, server: &ServerView, columns: usize, look: Look) {
    let totals = &server.totals;
    let counters = &totals.counters;
    let pairs = |lines: &mut Vec<Line<'static>>, title: &str, named: Vec<(String, u64)>| {
        let mark = Span::styled(left(title, 13, look), look.heading());
        paragraph(lines, mark, &shares(named), columns, look);
    };
    let rcodes = counters.answers_by_rcode.iter().enumerate();
    pairs(
        lines,
        "rcodes",
        rcodes
            .map(|(code, many)| (names::rcode(code), *many))
            .collect(),
    );
    let transactions = &counters.transactions;
    pairs(
        lines,
        "outcomes",
        vec![
            ("answered".into(), transactions.answered),
            ("ICMP error".into(), transactions.errored),
            ("unanswered".into(), totals.unanswered),
        ],
    );
    let kinds = ErrorKind::ALL.iter().map(|kind| {
        let name = words::icmp::kind(kind.name());
        (name, counters.errors[kind.index()])
    });
    pairs(lines, "ICMP errors", kinds.collect());
    let tcp = TcpEvent::ALL.iter().map(|event| {
        let name = event.name().to_uppercase().replace('_', "-");
        format!("{name} {}", count(counters.tcp[event.index()]))
    });
    let tcp: Vec<String> = tcp.collect();
    let other = format!(
        "{}; truncated {}, late {}, repeated {}, unasked {}, backscatter {}",
        tcp.join(", "),
        count(counters.truncated),
        count(transactions.late),
        count(transactions.retransmitted),
        count(transactions.unmatched),
        count(counters.backscatter.iter().sum())
    );
    let mark = Span::styled(left("TCP, other", 13, look), look.heading());
    paragraph(lines, mark, &other, columns, look);
}

/// Each count with its share of all.
fn shares(named: Vec<(String, u64)>) -> String {
    let all: u64 = named.iter().map(|(_, many)| many).sum();
    let texts: Vec<String> = named
        .into_iter()
        .filter(|(_, many)| *many != 0)
        .map(|(name, many)| format!("{name} {} ({})", count(many), share(many, all)))
        .collect();
    if texts.is_empty() {
        return "none".into();
    }
    texts.join(", ")
}

fn spent(lines: &mut Vec<Line<'static>>, server: &ServerView, columns: usize, look: Look) {
    let spent: Vec<String> = State::ALL
        .iter()
        .zip(&server.spent)
        .zip(&server.changes)
        .filter(|((_, spent), _)| !spent.is_zero())
        .map(|((state, spent), changes)| {
            let ms = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
            format!("{} {} ({changes} x)", word(*state), lasting(ms))
        })
        .collect();
    let mark = Span::styled(left("time in", 13, look), look.heading());
    paragraph(lines, mark, &spent.join(", "), columns, look);
}

/// Answers by how long they took, an octave each, from the first that has any to the last.
fn histogram(lines: &mut Vec<Line<'static>>, all: &Latency, look: Look) {
    let octaves = all.octaves();
    lines.push(Line::styled("latency of all answers", look.heading()));
    let used = |(_, many): &(_, u64)| *many != 0;
    let (Some(first), Some(last)) = (
        octaves.iter().position(used),
        octaves.iter().rposition(used),
    ) else {
        lines.push(Line::styled("none", look.muted()));
        return;
    };
    let most = octaves.iter().map(|(_, many)| *many).max().unwrap_or(1);
    let sum: u64 = octaves.iter().map(|(_, many)| many).sum();
    let bar = if look.unicode { "█" } else { "#" };
    for (below, many) in &octaves[first..=last] {
        let wide = (many * BAR as u64).div_ceil(most);
        let bar = bar.repeat(usize::try_from(wide).unwrap_or(BAR));
        lines.push(Line::from(vec![
            format!("{:>9} ms ", format!("< {}", latency(Some(*below)))).into(),
            left(&bar, BAR, look).into(),
            format!(" {} ({})", count(*many), share(*many, sum)).into(),
        ]));
    }
}

fn rules(lines: &mut Vec<Line<'static>>, server: &ServerView, columns: usize, look: Look) {
    lines.push(Line::styled("rules", look.heading()));
    let firing = |state: &str| matches!(state, "warning" | "critical" | "holds");
    let (loud, quiet): (Vec<_>, Vec<_>) = server
        .rules
        .iter()
        .partition(|rule| firing(rule.state) || rule.state == "unknown");
    for rule in loud {
        let style = match rule.state {
            "critical" => look.state(State::Failing),
            "warning" => look.state(State::Degraded),
            _ => look.muted(),
        };
        let mark = format!(
            "  {} {} ",
            left(rule.rule, 18, look),
            left(rule.state, 9, look)
        );
        paragraph(
            lines,
            Span::styled(mark, style),
            &rule.detail,
            columns,
            look,
        );
    }
    let quiet: Vec<&str> = quiet.iter().map(|rule| rule.rule).collect();
    if !quiet.is_empty() {
        let mark = Span::styled("  quiet: ", look.muted());
        paragraph(lines, mark, &quiet.join(", "), columns, look);
    }
}
