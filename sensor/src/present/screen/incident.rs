//! An incident in full: how bad, what happened when, what speaks for and against its cause, whom it touches.

use ratatui::text::{Line, Span};

use super::super::number::{count, counted};
use super::super::report::{impact, term, timeline};
use super::super::words::{self, finding};
use super::super::{calendar, verdict};
use super::rows;
use super::text::paragraph;
use super::ui::UiState;
use crate::incident::diagnosis::Ranked;
use crate::incident::record::Record;
use crate::view::View;

/// Causes that are weighed.
const CAUSES: usize = 4;

/// Its lines, of at most so many columns.
#[must_use]
pub fn lines(view: &View, record: &Record, ui: &UiState, columns: usize) -> Vec<Line<'static>> {
    let look = ui.look;
    let mut lines = Vec::new();
    let state = rows::state(record);
    let title = format!(
        "{} incident {}: {}, {}",
        look.glyph(state),
        words::subject(record),
        record.level.name(),
        record.stage.name()
    );
    lines.push(Line::styled(title, look.state(state)));
    let text = |lines: &mut Vec<Line<'static>>, mark: &str, text: &str| {
        paragraph(lines, Span::raw(mark.to_string()), text, columns, look);
    };
    text(&mut lines, "", &impact(record));
    text(
        &mut lines,
        "",
        &format!("Cause: {}", verdict::cause(record)),
    );
    if let Some(contrast) = &record.affects {
        let sentence = words::contrast::sentence(contrast, record);
        text(&mut lines, "Affects: ", &sentence);
    }
    heading(&mut lines, "Timeline (UTC)", ui);
    for event in timeline(record) {
        text(&mut lines, "  ", &event);
    }
    heading(&mut lines, "Weights (dB)", ui);
    for ranked in record.causes.iter().take(CAUSES) {
        weighed(&mut lines, record, ranked, ui, columns);
    }
    if record.causes.is_empty() {
        text(&mut lines, "  ", "no known cause matches the evidence");
    }
    heading(&mut lines, "Seen", ui);
    let during = &record.during;
    let outcomes = format!(
        "{} asked: {} answered, {} rejected with an ICMP error, {} unanswered, {} late, {} waiting",
        count(during.asked),
        count(during.answered),
        count(during.errored),
        count(during.unanswered),
        count(during.late),
        count(during.waiting)
    );
    text(&mut lines, "  ", &outcomes);
    if !during.icmp_errors.is_empty() {
        let errors = words::icmp::by_kind(during);
        text(&mut lines, "  ICMP errors: ", &errors);
    }
    if !record.clients.heaviest.is_empty() {
        let clients: Vec<String> = record
            .clients
            .heaviest
            .iter()
            .map(|party| format!("{} ({})", party.who, count(party.count)))
            .collect();
        let clients = words::first_of(&clients, 5);
        text(&mut lines, "  clients in samples: ", &clients);
    }
    let sampled = record.sampling;
    let evidence = format!(
        "{} kept, {} lost, {}",
        counted(sampled.packets as u64, "packet"),
        counted(sampled.lost, "sample"),
        match sampled.shift {
            0 => "every transaction followed".into(),
            shift => format!("1 in {} transactions followed", 1_u64 << shift.min(63)),
        }
    );
    text(&mut lines, "  ", &evidence);
    text(
        &mut lines,
        "  ",
        &format!(
            "id {}, last symptom {} UTC",
            record.id,
            calendar::until(view.at_ms, record.last_symptom_ms)
        ),
    );
    lines
}

fn heading(lines: &mut Vec<Line<'static>>, title: &'static str, ui: &UiState) {
    lines.push(Line::default());
    lines.push(Line::styled(title, ui.look.heading()));
}

fn weighed(
    lines: &mut Vec<Line<'static>>,
    record: &Record,
    ranked: &Ranked,
    ui: &UiState,
    columns: usize,
) {
    let look = ui.look;
    let name = words::cause::name(ranked.cause);
    let text = format!("{:>4} {name}", ranked.weight);
    let style = if record.first_cause.contains(&ranked.cause) {
        look.heading()
    } else {
        ratatui::style::Style::new()
    };
    lines.push(Line::styled(text, style));
    for at in ranked.reasons.iter().chain(&ranked.against) {
        let Some(found) = record.findings.get(*at) else {
            continue;
        };
        let mark = format!("{:>+9} ", term(found, ranked.cause));
        let sentence = finding::sentence(found, record);
        paragraph(
            lines,
            Span::styled(mark, look.muted()),
            &sentence,
            columns,
            look,
        );
    }
}
