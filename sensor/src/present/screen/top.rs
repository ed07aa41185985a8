//! Sources of queries, and names in questions.

use ratatui::text::Line;

use super::super::number::{count, counted};
use super::filter::{Filter, Row};
use super::text::{left, right};
use super::ui::UiState;
use crate::view::{Heaviest, View};

/// Columns of a count.
const COUNT: usize = 11;

/// The heaviest sources, at the side of the servers or on their own tab.
#[must_use]
pub fn sources(view: &View, ui: &UiState, columns: usize) -> Vec<Line<'static>> {
    let network = &view.network;
    let look = ui.look;
    let mut lines = vec![Line::styled(
        format!("sources  {} a second", count(network.sources)),
        look.heading(),
    )];
    add(
        &mut lines,
        &network.heaviest_sources,
        "queries in 10 s",
        ui,
        columns,
    );
    if !network.heaviest_networks.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("networks", look.heading()));
        add(
            &mut lines,
            &network.heaviest_networks,
            "queries in 10 s",
            ui,
            columns,
        );
    }
    if network.sources_error > 0 {
        lines.push(Line::styled(
            format!("counts may be {} too high", count(network.sources_error)),
            look.muted(),
        ));
    }
    lines
}

/// The most frequent names.
#[must_use]
pub fn names(view: &View, ui: &UiState, columns: usize) -> Vec<Line<'static>> {
    let network = &view.network;
    let look = ui.look;
    let mut lines = vec![Line::styled(
        format!("names  {} a second", count(network.names)),
        look.heading(),
    )];
    let what = format!("of {}", counted(network.name_samples, "sample"));
    add(&mut lines, &network.heaviest_names, &what, ui, columns);
    if !network.heaviest_suffixes.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("parents", look.heading()));
        add(&mut lines, &network.heaviest_suffixes, &what, ui, columns);
    }
    lines
}

fn add(
    lines: &mut Vec<Line<'static>>,
    heaviest: &[Heaviest],
    what: &str,
    ui: &UiState,
    columns: usize,
) {
    let look = ui.look;
    let name = columns.saturating_sub(COUNT + 1);
    let mut shown = heaviest
        .iter()
        .filter(|heavy| fits(&ui.filter, &heavy.what))
        .peekable();
    if shown.peek().is_none() {
        lines.push(Line::styled("none", look.muted()));
        return;
    }
    lines.push(Line::styled(right(what, columns, look), look.muted()));
    for heavy in shown {
        // A sketch counts too high, never too low.
        let many = if heavy.at_least == heavy.at_most {
            count(heavy.at_most)
        } else {
            format!("{}-{}", count(heavy.at_least), count(heavy.at_most))
        };
        lines.push(Line::from(format!(
            "{} {}",
            left(&heavy.what, name, look),
            right(&many, COUNT, look)
        )));
    }
}

/// Words about servers and states say nothing of a source or a name.
fn fits(filter: &Filter, what: &str) -> bool {
    filter.is_empty()
        || filter.fits(Row {
            address: what.parse().ok(),
            state: None,
            text: what,
        })
}
