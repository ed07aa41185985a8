//! The list of incidents.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::super::calendar::date;
use super::super::number::lasting;
use super::super::words::subject;
use super::super::{verdict, words};
use super::rows;
use super::servers::first_row;
use super::text::{left, right};
use super::ui::UiState;
use crate::incident::Record;
use crate::measure::counted::counted;
use crate::view::View;

/// Draws it.
pub fn render(view: &View, ui: &UiState, area: Rect, buffer: &mut Buffer) {
    let look = ui.look;
    let incidents = rows::incidents(view, ui);
    let height = usize::from(area.height).saturating_sub(1);
    let selected = rows::position_of_incident(&incidents, ui);
    let first = first_row(selected, incidents.len(), height);
    let widest = incidents.iter().map(|record| subject(record).len());
    let server = widest.max().unwrap_or(0).clamp(15, 39);
    let header = format!(
        "  {} {} {} {} cause",
        left("since (UTC)", 19, look),
        left("server", server, look),
        left("stage", 10, look),
        right("lasts", 6, look)
    );
    let mut lines = vec![Line::styled(header, look.heading())];
    for (at, record) in incidents.iter().enumerate().skip(first).take(height) {
        let line = row(view, ui, record, server);
        lines.push(if at == selected {
            line.style(look.selected())
        } else {
            line
        });
    }
    if incidents.is_empty() {
        let text = if ui.filter.is_empty() {
            "no incident since the start"
        } else {
            "no incident fits the filter (Esc drops it)"
        };
        lines.push(Line::styled(text, look.muted()));
    }
    let more = view.sensor.incidents_unfollowed;
    if more > 0 {
        let text = format!(
            "symptoms of {} are not followed",
            counted(more as u64, "more server")
        );
        lines.push(Line::styled(text, look.alarm()));
    }
    Paragraph::new(lines).render(area, buffer);
}

fn row<'t>(view: &View, ui: &UiState, record: &Record, server: usize) -> Line<'t> {
    let look = ui.look;
    let state = rows::state(record);
    let end = record
        .ended_ms
        .map_or(view.at_ms, |_| record.last_symptom_ms);
    let lasts = lasting(end.saturating_sub(record.onset_ms));
    let cause = if record.ended_ms.is_none() {
        verdict::cause(record)
    } else {
        words::cause::first(record)
    };
    Line::from(vec![
        Span::styled(look.glyph(state), look.state(state)),
        format!(
            " {} {} {} {} {cause}",
            date(record.onset_ms),
            left(subject(record), server, look),
            left(record.stage.name(), 10, look),
            right(&lasts, 6, look)
        )
        .into(),
    ])
}
