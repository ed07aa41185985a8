//! The table of keys, as it is told.

use ratatui::text::{Line, Span};

use super::keys::KEYS;
use super::text::{left, paragraph};
use super::ui::UiState;

/// Its lines, of at most so many columns.
#[must_use]
pub fn lines(ui: &UiState, columns: usize) -> Vec<Line<'static>> {
    let look = ui.look;
    let mut lines = vec![Line::styled("keys", look.heading())];
    let replay = ui.playback.is_some();
    for key in KEYS.iter().filter(|key| key.when.holds(replay)) {
        let presses: Vec<String> = key.presses.iter().map(|press| press.name()).collect();
        let mark = left(&presses.join(" "), 14, look);
        paragraph(
            &mut lines,
            Span::styled(mark, look.heading()),
            key.help,
            columns,
            look,
        );
    }
    lines.push(Line::default());
    for text in [
        "Rates are of the last 2 s. ans% is the share of queries with a known end that were answered in time; p50 and \
         p95 are latencies in ms, - where nothing was answered. ~ marks an estimate: not every transaction is followed.",
        "A filter is words that must all fit: server:192.0.2 state:failing net:192.0.2.0/24, or any text.",
    ] {
        paragraph(&mut lines, Span::raw(""), text, columns, look);
    }
    lines
}
