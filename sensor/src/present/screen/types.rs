//! Question types, rcodes, opcodes, TCP and ICMP of all interfaces, since the start.

use ratatui::text::{Line, Span};
use sensor_common::class::{Class, IcmpType, Malformed, Quoted, TcpEvent};
use sensor_common::totals::Totals;

use super::super::names;
use super::super::number::{count, counted, share};
use super::text::{left, paragraph, right};
use super::ui::UiState;
use crate::measure::counters::Counters;
use crate::view::View;

/// Rows of a column.
const ROWS: usize = 12;

/// Its lines, of at most so many columns.
#[must_use]
pub fn lines(view: &View, ui: &UiState, columns: usize) -> Vec<Line<'static>> {
    let look = ui.look;
    let mut totals: Totals = bytemuck::Zeroable::zeroed();
    for (_, lane) in view
        .interfaces
        .iter()
        .flat_map(|interface| &interface.totals)
    {
        totals.add(lane);
    }
    let all = |counters: &[u64], name: &dyn Fn(usize) -> String| {
        let used = counters.iter().enumerate().filter(|(_, many)| **many != 0);
        let mut named: Vec<(String, u64)> = used.map(|(at, many)| (name(at), *many)).collect();
        named.sort_by_key(|(_, many)| std::cmp::Reverse(*many));
        named
    };
    let columns_of = [
        ("question types", all(&totals.qtype, &names::qtype)),
        ("rcodes", all(&totals.rcode, &names::rcode)),
        (
            "packets",
            all(&totals.classes, &|at| {
                Class::ALL
                    .get(at)
                    .map_or("", |class| class.name())
                    .replace('_', " ")
            }),
        ),
    ];
    let mut lines = side_by_side(&columns_of, ui, columns);
    lines.push(Line::default());
    let mut row = |title: &str, named: &[(String, u64)]| {
        let texts: Vec<String> = named
            .iter()
            .map(|(name, many)| format!("{name} {}", count(*many)))
            .collect();
        let text = if texts.is_empty() {
            "none".into()
        } else {
            texts.join(", ")
        };
        let mark = Span::styled(left(title, 12, look), look.heading());
        paragraph(&mut lines, mark, &text, columns, look);
    };
    row("opcodes", &all(&totals.opcode, &names::opcode));
    row(
        "TCP",
        &all(&totals.tcp, &|at| {
            let name = TcpEvent::ALL.get(at).map_or("", |event| event.name());
            name.to_uppercase().replace('_', "-")
        }),
    );
    row(
        "messages",
        &[
            ("truncated".into(), totals.truncated),
            ("first fragments".into(), totals.first_fragment),
            ("with VLAN tag".into(), totals.vlan),
        ],
    );
    row("ICMP errors", &icmp(&totals));
    row(
        "malformed",
        &all(&totals.malformed, &|at| {
            let name = Malformed::ALL.get(at).map_or("", |why| why.name());
            name.replace('_', " ")
        }),
    );
    lines
}

/// `v4 3/3 about query`, the most frequent first.
fn icmp(totals: &Totals) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for kind in IcmpType::ALL {
        for (code, quoted) in totals.icmp_error[kind.index()].iter().enumerate() {
            for what in Quoted::ALL {
                let many = quoted[what.index()];
                if many != 0 {
                    let name = format!(
                        "{} {}/{code} about {}",
                        kind.family(),
                        kind.number(),
                        what.name()
                    );
                    all.push((name, many));
                }
            }
        }
    }
    all.sort_by_key(|(_, many)| std::cmp::Reverse(*many));
    all
}

fn side_by_side(
    lists: &[(&'static str, Vec<(String, u64)>)],
    ui: &UiState,
    columns: usize,
) -> Vec<Line<'static>> {
    let look = ui.look;
    let wide = (columns / lists.len()).saturating_sub(2).max(1);
    let rows = lists.iter().map(|(_, list)| list.len()).max().unwrap_or(0);
    let titles: Vec<String> = lists
        .iter()
        .map(|(title, _)| left(title, wide + 2, look))
        .collect();
    let mut lines = vec![Line::styled(titles.concat(), look.heading())];
    for row in 0..rows.clamp(1, ROWS) {
        let cells: Vec<String> = lists
            .iter()
            .map(|(_, list)| {
                let all: u64 = list.iter().map(|(_, many)| many).sum();
                let cell = match list.get(row) {
                    Some((name, many)) => {
                        let numbers = format!("{} {:>6}", count(*many), share(*many, all));
                        let name_wide = wide.saturating_sub(numbers.len() + 1);
                        format!("{} {numbers}", left(name, name_wide, look))
                    }
                    None if row == 0 => "none".into(),
                    None => String::new(),
                };
                left(&cell, wide + 2, look)
            })
            .collect();
        lines.push(Line::from(cells.concat()));
    }
    if rows > ROWS {
        let more = right(&counted((rows - ROWS) as u64, "more row"), columns, look);
        lines.push(Line::styled(more, look.muted()));
    }
    lines
}
