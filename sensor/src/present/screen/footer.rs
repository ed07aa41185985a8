//! The last two rows: tabs; and keys, or whatever has to be said instead.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::super::number::lasting;
use super::filter::Filter;
use super::text::width;
use super::ui::{Tab, UiState};
use crate::view::View;

/// The row of tabs: names where there is room, else numbers but for the one that is shown.
pub fn tabs(view: &View, ui: &UiState, area: Rect, buffer: &mut Buffer) {
    let look = ui.look;
    let open = view.incidents.iter();
    let open = open.filter(|record| record.ended_ms.is_none()).count();
    let texts = |short: bool, gap: &'static str| {
        let mut spans: Vec<Span<'static>> = Vec::new();
        for (at, tab) in Tab::ALL.into_iter().enumerate() {
            let shown = tab == ui.tab;
            let mut text = (at + 1).to_string();
            if !short || shown {
                text = format!("{text} {}", tab.title());
            }
            if tab == Tab::Incidents && open > 0 {
                text = format!("{text}({open})");
            }
            if at != 0 {
                spans.push(gap.into());
            }
            let style = if shown {
                look.selected()
            } else {
                ratatui::style::Style::new()
            };
            spans.push(Span::styled(text, style));
        }
        spans
    };
    let room = usize::from(area.width);
    let fits = |spans: &[Span<'_>]| {
        let all: usize = spans.iter().map(|span| width(&span.content)).sum();
        all <= room
    };
    let long = texts(false, "  ");
    let spans = if fits(&long) { long } else { texts(true, " ") };
    Paragraph::new(Line::from(spans)).render(area, buffer);
}

/// The last row.
pub fn keys(live: &View, ui: &UiState, area: Rect, buffer: &mut Buffer) {
    Paragraph::new(line(live, ui)).render(area, buffer);
}

fn line(live: &View, ui: &UiState) -> Line<'static> {
    let look = ui.look;
    if let Some(text) = &ui.typed {
        let mut spans = vec![
            Span::styled("/", look.heading()),
            text.clone().into(),
            Span::styled(" ", look.selected()),
        ];
        match Filter::parse(text) {
            Ok(_) => spans.push(Span::styled(
                "  Enter keeps it, Esc drops it; server: state: net:",
                look.muted(),
            )),
            Err(error) => spans.push(Span::styled(format!("  {error}"), look.alarm())),
        }
        return Line::from(spans);
    }
    if let Some(message) = &ui.message {
        return Line::styled(message.clone(), look.heading());
    }
    let mut spans: Vec<Span<'static>> = Vec::new();
    if let Some(paused) = &ui.paused {
        let ago = lasting(live.at_ms.saturating_sub(paused.at_ms));
        spans.push(Span::styled(
            format!("paused {ago} ago, counting goes on"),
            look.selected(),
        ));
        spans.push("  ".into());
    }
    if !ui.filter.is_empty() {
        spans.push(Span::styled(
            format!("filter: {}", ui.filter.text()),
            look.heading(),
        ));
        spans.push("  ".into());
    }
    if let Some(playback) = &ui.playback {
        let state = if playback.over {
            "at its end"
        } else if playback.stopped {
            "stopped"
        } else {
            "playing"
        };
        let at = u64::try_from(playback.at.as_millis()).unwrap_or(u64::MAX);
        spans.push(Span::styled(
            format!("{state} x{} at {}", playback.speed, lasting(at)),
            look.heading(),
        ));
        spans.push(
            "  Space stop  +/- speed  left/right 10 s  Enter detail  r report  ? help  q quit"
                .into(),
        );
    } else if ui.detail || ui.help {
        spans.push("q quit  ? help  Esc back  j k scroll  r report".into());
    } else {
        spans.push(
            "q quit  ? help  / filter  s sort  p pause  Enter detail  r report  + - span".into(),
        );
    }
    Line::from(spans)
}
