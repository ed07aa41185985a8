//! The full screen: a pure function of a view and of what the user has chosen to see. A file for each part.
//!
//! The first three rows say whether DNS is all right, and if not where and why, at any size that has three rows.

pub mod chart;
pub mod filter;
mod footer;
mod help;
mod incident;
mod incidents;
pub mod keys;
pub mod look;
pub mod press;
mod rows;
mod sensor;
mod server;
mod servers;
mod sort;
mod status;
mod text;
mod top;
mod types;
pub mod ui;
mod units;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};

use crate::view::View;
use ui::{Tab, UiState};

/// Below these there is room for row 2 alone.
const LEAST: (u16, u16) = (50, 8);
/// From here on there are charts.
const CHARTS: (u16, u16) = (70, 16);
/// From here on sources and names stand beside the servers.
const WIDE: (u16, u16) = (110, 24);
/// Columns of sources and names.
const SIDE: u16 = 34;

/// Draws the screen. Gives how far its text can be scrolled.
pub fn draw(live: &Arc<View>, ui: &UiState, area: Rect, buffer: &mut Buffer) -> u16 {
    let fits = |(columns, rows): (u16, u16)| area.width >= columns && area.height >= rows;
    let view: &View = ui.shown(live);
    if area.is_empty() {
        return 0;
    }
    if !fits(LEAST) {
        status::alone(view, ui, area, buffer);
        return 0;
    }
    let mut rest = area;
    let mut take = |rows: u16| {
        let top = Rect {
            height: rows,
            ..rest
        };
        rest.y += rows;
        rest.height -= rows;
        top
    };
    status::sensor(view, ui, take(1), buffer);
    status::rows(view, ui, take(2), buffer);
    if fits(CHARTS) {
        chart::render(view, ui, take(2), buffer);
    }
    rest.height -= 2;
    let tabs = Rect {
        y: rest.bottom(),
        height: 1,
        ..rest
    };
    footer::tabs(view, ui, tabs, buffer);
    footer::keys(
        live,
        ui,
        Rect {
            y: tabs.y + 1,
            ..tabs
        },
        buffer,
    );
    body(view, ui, rest, fits(WIDE), buffer)
}

fn body(view: &View, ui: &UiState, area: Rect, wide: bool, buffer: &mut Buffer) -> u16 {
    let columns = usize::from(area.width);
    if ui.help {
        return scrolled(help::lines(ui, columns), ui, area, buffer);
    }
    match ui.tab {
        Tab::Servers if ui.detail => {
            if let Some(server) = rows::selected_server(view, ui) {
                let lines = server::lines(view, server, ui, columns);
                return scrolled(lines, ui, area, buffer);
            }
        }
        Tab::Incidents if ui.detail => {
            if let Some(record) = rows::selected_incident(view, ui) {
                let lines = incident::lines(view, record, ui, columns);
                return scrolled(lines, ui, area, buffer);
            }
        }
        Tab::Sources => return scrolled(top::sources(view, ui, columns), ui, area, buffer),
        Tab::Names => return scrolled(top::names(view, ui, columns), ui, area, buffer),
        Tab::Types => return scrolled(types::lines(view, ui, columns), ui, area, buffer),
        Tab::Sensor => return scrolled(sensor::lines(view, ui, columns), ui, area, buffer),
        Tab::Servers | Tab::Incidents => {}
    }
    if ui.tab == Tab::Incidents {
        incidents::render(view, ui, area, buffer);
    } else if wide {
        beside(view, ui, area, buffer);
    } else {
        servers::render(view, ui, area, buffer);
    }
    0
}

/// Sources and names beside the servers.
fn beside(view: &View, ui: &UiState, area: Rect, buffer: &mut Buffer) {
    let left = Rect {
        width: area.width - SIDE - 2,
        ..area
    };
    servers::render(view, ui, left, buffer);
    let right = Rect {
        x: left.right() + 2,
        width: SIDE,
        height: area.height / 2,
        ..area
    };
    let columns = usize::from(SIDE);
    Paragraph::new(top::sources(view, ui, columns)).render(right, buffer);
    let below = Rect {
        y: right.bottom(),
        height: area.height - right.height,
        ..right
    };
    Paragraph::new(top::names(view, ui, columns)).render(below, buffer);
}

/// A text that may be longer than the screen.
fn scrolled(lines: Vec<Line<'static>>, ui: &UiState, area: Rect, buffer: &mut Buffer) -> u16 {
    let all = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let most = all.saturating_sub(area.height);
    Paragraph::new(lines)
        .scroll((ui.scroll.min(most), 0))
        .render(area, buffer);
    most
}
