//! Row 1, what the sensor does; row 2, how DNS is; row 3, why.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::super::calendar::clock;
use super::super::number::{count, lasting, short};
use super::super::verdict::{Verdict, verdict};
use super::text::{cut, left, width, wrapped};
use super::ui::UiState;
use crate::view::View;

/// Columns of the hint at the end of row 3.
const HINT: &str = "[Enter]";

/// Row 1. Losses stay on it however narrow it is.
pub fn sensor(view: &View, ui: &UiState, area: Rect, buffer: &mut Buffer) {
    let look = ui.look;
    let watched: Vec<String> = view
        .interfaces
        .iter()
        .map(|interface| match interface.link {
            "up" => format!("{} {}", interface.name, interface.hook),
            link => format!("{} {}", interface.name, link.replace('_', " ")),
        })
        .collect();
    let about = if view.sensor.one_in > 1 {
        format!("1 in {} followed", view.sensor.one_in)
    } else {
        String::new()
    };
    let own = if view.sensor.rss_bytes > 0 {
        format!("own {:.1} % core", view.sensor.cpu_percent)
    } else {
        String::new()
    };
    let lost = view.sensor.lost();
    let lost_style = if lost > 0 { look.alarm() } else { look.muted() };
    let time = clock(view.at_ms);
    let time = format!("{}Z", time.get(..8).unwrap_or(&time));
    // In the order in which they are left out where there is no room: the last first.
    let mut parts = vec![
        (0, Span::styled("sensor", look.heading())),
        (0, Span::styled(format!("lost {}", count(lost)), lost_style)),
        (1, watched.join(", ").into()),
        (2, format!("{} q/s", short(view.network.now.queries)).into()),
        (
            3,
            Span::styled(
                lasting(u64::try_from(view.uptime.as_millis()).unwrap_or(u64::MAX)),
                look.muted(),
            ),
        ),
        (4, Span::styled(own, look.muted())),
        (5, Span::styled(about, look.muted())),
    ];
    if !view.lost_hooks.is_empty() {
        parts.insert(1, (0, Span::styled("HOOK LOST", look.alarm())));
    }
    parts.retain(|(_, part)| !part.content.is_empty());
    let room = usize::from(area.width).saturating_sub(width(&time) + 2);
    let taken = |parts: &[(i32, Span<'_>)]| {
        let each = parts.iter().map(|(_, part)| width(&part.content) + 2);
        each.sum::<usize>()
    };
    while taken(&parts) > room && parts.last().is_some_and(|(rank, _)| *rank > 0) {
        parts.pop();
    }
    // Losses stand behind all others.
    if let Some(at) = parts
        .iter()
        .position(|(_, part)| part.content.starts_with("lost "))
    {
        let lost = parts.remove(at);
        parts.push(lost);
    }
    let mut spans: Vec<Span<'_>> = Vec::new();
    for (_, part) in parts {
        spans.push(part);
        spans.push("  ".into());
    }
    let so_far: usize = spans.iter().map(|span| width(&span.content)).sum();
    let gap = usize::from(area.width).saturating_sub(so_far + width(&time));
    if usize::from(area.width) >= so_far + width(&time) {
        spans.push(" ".repeat(gap).into());
        spans.push(time.into());
    }
    Paragraph::new(Line::from(spans)).render(area, buffer);
}

/// Rows 2 and 3.
pub fn rows(view: &View, ui: &UiState, area: Rect, buffer: &mut Buffer) {
    let look = ui.look;
    let Verdict {
        state,
        headline,
        why,
        ..
    } = verdict(view);
    let columns = usize::from(area.width);
    let headline = cut(&format!("{} {headline}", look.glyph(state)), columns, look);
    let mut lines = vec![Line::styled(headline, look.state(state))];
    if let Some(why) = why {
        let hint = if view.incidents.is_empty() { "" } else { HINT };
        let room = columns.saturating_sub(6 + width(hint) + 1);
        lines.push(Line::from(vec![
            Span::styled("  why ", look.muted()),
            left(&why, room, look).into(),
            Span::styled(format!(" {hint}"), look.muted()),
        ]));
    }
    Paragraph::new(lines).render(area, buffer);
}

/// Row 2, and what fits of row 3, over the whole of a very small screen.
pub fn alone(view: &View, ui: &UiState, area: Rect, buffer: &mut Buffer) {
    let look = ui.look;
    let verdict = verdict(view);
    let columns = usize::from(area.width);
    let text = format!("{} {}", look.glyph(verdict.state), verdict.headline);
    let mut lines: Vec<Line<'_>> = wrapped(&text, columns, look)
        .into_iter()
        .map(|line| Line::styled(line, look.state(verdict.state)))
        .collect();
    let lost = view.sensor.lost();
    if lost > 0 {
        lines.push(Line::styled(format!("lost {}", count(lost)), look.alarm()));
    }
    if let Some(why) = verdict.why {
        lines.extend(wrapped(&why, columns, look).into_iter().map(Line::from));
    }
    Paragraph::new(lines).render(area, buffer);
}
