//! The table of servers.

use std::net::IpAddr;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::super::number::{lasting, short};
use super::super::verdict::word;
use super::chart::trend;
use super::rows;
use super::sort::Sort;
use super::text::{left, right, width};
use super::ui::UiState;
use super::units::{latency, percent};
use crate::view::{HISTORY, ServerView, State, View};

/// The longest address.
const WIDEST: usize = 39;
/// Of a trend; it takes what is left.
const TRENDS: std::ops::RangeInclusive<usize> = 8..=60;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Server,
    State,
    Rate,
    Answered,
    P50,
    P95,
    Error,
    Since,
    Trend,
}

impl Column {
    const ALL: [Self; 9] = [
        Self::Server,
        Self::State,
        Self::Rate,
        Self::Answered,
        Self::P50,
        Self::P95,
        Self::Error,
        Self::Since,
        Self::Trend,
    ];
    /// Those that go where there is no room, in this order.
    const GO: [Self; 7] = [
        Self::Trend,
        Self::P50,
        Self::Since,
        Self::Error,
        Self::P95,
        Self::Answered,
        Self::Rate,
    ];

    fn sort(self) -> Option<Sort> {
        Some(match self {
            Self::Server => Sort::Address,
            Self::State => Sort::State,
            Self::Rate => Sort::Rate,
            Self::Answered => Sort::Answered,
            Self::P95 => Sort::P95,
            Self::Since => Sort::Since,
            Self::P50 | Self::Error | Self::Trend => return None,
        })
    }
}

/// The columns that fit, with their widths.
fn columns(servers: &[IpAddr], errors: usize, room: usize) -> Vec<(Column, usize)> {
    let addresses = servers.iter().map(|address| address.to_string().len());
    let address = addresses.max().unwrap_or(0).clamp(15, WIDEST);
    let mut columns: Vec<(Column, usize)> = Column::ALL
        .into_iter()
        .map(|column| {
            let wide = match column {
                // The glyph stands before it.
                Column::Server => address + 2,
                Column::State => 8,
                Column::Rate | Column::P50 | Column::P95 => 4,
                Column::Answered => 5,
                Column::Error => errors.clamp(3, 20),
                Column::Since => 6,
                Column::Trend => *TRENDS.start(),
            };
            (column, wide)
        })
        .collect();
    let needed = |columns: &[(Column, usize)]| {
        let all: usize = columns.iter().map(|(_, wide)| wide + 1).sum();
        all.saturating_sub(1)
    };
    for goes in Column::GO {
        if needed(&columns) <= room {
            break;
        }
        columns.retain(|(column, _)| *column != goes);
    }
    let over = needed(&columns).saturating_sub(room);
    let left = room.saturating_sub(needed(&columns));
    for (column, wide) in &mut columns {
        match column {
            Column::Server => *wide = wide.saturating_sub(over),
            Column::Trend => *wide = (*wide + left).min(*TRENDS.end()),
            _ => {}
        }
    }
    columns
}

/// Draws it. The selected server is always among the rows.
pub fn render(view: &View, ui: &UiState, area: Rect, buffer: &mut Buffer) {
    let look = ui.look;
    let servers = rows::servers(view, ui);
    let room = usize::from(area.width);
    let height = usize::from(area.height).saturating_sub(1);
    let selected = rows::position_of_server(&servers, ui);
    let first = first_row(selected, servers.len(), height);
    let shown: Vec<_> = servers.iter().skip(first).take(height).collect();
    let troubles: Vec<String> = shown
        .iter()
        .map(|server| rows::trouble(view, server))
        .collect();
    let addresses: Vec<IpAddr> = shown.iter().map(|server| server.address).collect();
    let errors = troubles.iter().map(|text| width(text)).max().unwrap_or(0);
    let columns = columns(&addresses, errors, room);
    let mut lines = vec![header(&columns, ui)];
    for (at, (server, trouble)) in shown.iter().zip(&troubles).enumerate() {
        let line = row(view, ui, server, trouble, &columns);
        lines.push(if first + at == selected && !servers.is_empty() {
            line.style(look.selected())
        } else {
            line
        });
    }
    if servers.is_empty() {
        let text = if ui.filter.is_empty() {
            "no DNS server seen yet"
        } else {
            "no server fits the filter (Esc drops it)"
        };
        lines.push(Line::styled(text, look.muted()));
    }
    Paragraph::new(lines).render(area, buffer);
}

/// Of the trends: servers have a history of five minutes.
fn minutes(ui: &UiState) -> u64 {
    ui.span.minutes().min(HISTORY as u64 / 60)
}

/// The first row on the screen, so that the selected one is among them.
#[must_use]
pub fn first_row(selected: usize, all: usize, height: usize) -> usize {
    let last = all.saturating_sub(height);
    // It moves when the selection would leave the screen at the bottom.
    (selected + 1).saturating_sub(height).min(last)
}

fn header(columns: &[(Column, usize)], ui: &UiState) -> Line<'static> {
    let look = ui.look;
    let texts = columns.iter().map(|(column, wide)| {
        let name = match column {
            Column::Server => "  server".into(),
            Column::State => "state".into(),
            Column::Rate => "q/s".into(),
            Column::Answered => "ans%".into(),
            Column::P50 => "p50".into(),
            Column::P95 => "p95".into(),
            Column::Error => "err".into(),
            Column::Since => "since".into(),
            Column::Trend => format!("{}m trend", minutes(ui)),
        };
        let by = column.sort() == Some(ui.sort);
        let mark = match (by, ui.reversed) {
            (false, _) => "",
            (true, false) => "*",
            (true, true) => "^",
        };
        let name = format!("{name}{mark}");
        match column {
            Column::Server | Column::State | Column::Error | Column::Trend => {
                left(&name, *wide, look)
            }
            _ => right(&name, *wide, look),
        }
    });
    let text: Vec<String> = texts.collect();
    Line::styled(text.join(" "), look.heading())
}

fn row<'t>(
    view: &View,
    ui: &UiState,
    server: &ServerView,
    trouble: &str,
    columns: &[(Column, usize)],
) -> Line<'t> {
    let look = ui.look;
    let now = &server.now;
    let about = if view.sensor.one_in > 1 { "~" } else { "" };
    let state = look.state(server.state);
    let mut spans: Vec<Span<'t>> = Vec::new();
    for (column, wide) in columns {
        let wide = *wide;
        if !spans.is_empty() {
            spans.push(" ".into());
        }
        let span: Span<'t> = match column {
            Column::Server => {
                spans.push(Span::styled(look.glyph(server.state), state));
                let address = server.address.to_string();
                format!(" {}", left(&address, wide.saturating_sub(2), look)).into()
            }
            Column::State => {
                // Of a server it is known why.
                let word = match server.state {
                    State::OneWay => "one way",
                    state => word(state),
                };
                Span::styled(left(word, wide, look), state)
            }
            Column::Rate => right(&short(now.queries), wide, look).into(),
            Column::Answered => {
                let share = now
                    .answered_share
                    .map_or_else(|| "-".into(), |share| format!("{about}{}", percent(share)));
                right(&share, wide, look).into()
            }
            Column::P50 => right(&latency(now.p50), wide, look).into(),
            Column::P95 => right(&latency(now.p95), wide, look).into(),
            Column::Error => left(trouble, wide, look).into(),
            Column::Since => {
                let since = if server.state.is_bad() {
                    lasting(view.at_ms.saturating_sub(server.since_ms))
                } else {
                    String::new()
                };
                right(&since, wide, look).into()
            }
            Column::Trend => {
                let seconds = minutes(ui) * 60;
                trend(&server.history, view.at_ms, seconds, wide, look).into()
            }
        };
        spans.push(span);
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(address: &str, room: usize) -> String {
        let columns = columns(&[address.parse().expect("an address")], 16, room);
        let names = columns.iter().map(|(column, _)| match column {
            Column::Server => "server",
            Column::State => "state",
            Column::Rate => "q/s",
            Column::Answered => "ans%",
            Column::P50 => "p50",
            Column::P95 => "p95",
            Column::Error => "err",
            Column::Since => "since",
            Column::Trend => "trend",
        });
        let all: usize = columns.iter().map(|(_, wide)| wide + 1).sum();
        assert!(all - 1 <= room, "{all} in {room}");
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn columns_go_in_their_order() {
        let v4 = "192.0.2.53";
        assert_eq!(
            shown(v4, 80),
            "server state q/s ans% p50 p95 err since trend"
        );
        assert_eq!(shown(v4, 79), "server state q/s ans% p50 p95 err since");
        assert_eq!(shown(v4, 70), "server state q/s ans% p95 err since");
        assert_eq!(shown(v4, 60), "server state q/s ans% p95 err");
        assert_eq!(shown(v4, 50), "server state q/s ans% p95");
        let v6 = "2001:db8:1111:2222:3333:4444:5555:6666";
        assert_eq!(shown(v6, 60), "server state q/s ans%");
        assert_eq!(shown(v6, 59), "server state q/s");
        assert_eq!(shown(v6, 40), "server state");
    }

    #[test]
    fn the_selected_row_is_on_the_screen() {
        assert_eq!(first_row(0, 256, 10), 0);
        assert_eq!(first_row(9, 256, 10), 0);
        assert_eq!(first_row(10, 256, 10), 1);
        assert_eq!(first_row(255, 256, 10), 246);
        assert_eq!(first_row(3, 4, 10), 0);
    }
}
