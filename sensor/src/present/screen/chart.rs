//! Bars of a rate over time, a character each.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use ratatui::{buffer::Buffer, widgets::Widget};

use super::super::number::short;
use super::look::Look;
use super::text::{left, right, width};
use super::ui::UiState;
use crate::view::{Point, View};

/// The mean of each of so many parts of the time until `now`, the oldest first; none where nothing is known.
fn parts(
    history: &[Point],
    now_ms: u64,
    seconds: u64,
    parts: usize,
    of: impl Fn(&Point) -> f32,
) -> Vec<Option<f32>> {
    let mut sums = vec![(0.0_f32, 0_u16); parts];
    let span = seconds * 1000;
    for point in history.iter().rev() {
        let age = now_ms.saturating_sub(point.at_ms);
        if age >= span {
            break;
        }
        let back = age * parts as u64 / span;
        let at = parts.saturating_sub(1 + usize::try_from(back).unwrap_or(usize::MAX));
        if let Some((sum, many)) = sums.get_mut(at) {
            *sum += of(point);
            *many += 1;
        }
    }
    let mut before = None;
    sums.into_iter()
        .map(|(sum, many)| {
            // Where a part is shorter than a second, some have no point of their own.
            let mean = (many != 0).then(|| sum / f32::from(many));
            let shown = mean.or(before.take().filter(|_| parts as u64 > seconds));
            before = mean;
            shown
        })
        .collect()
}

/// Bars of so many columns. Only nothing is the lowest bar.
fn bars(values: &[Option<f32>], most: f32, look: Look) -> String {
    let bars = look.bars();
    let top = bars.len() - 1;
    values
        .iter()
        .map(|value| {
            let Some(value) = value else { return " " };
            if *value <= 0.0 || most <= 0.0 {
                return bars[0];
            }
            #[expect(
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "above 0, and of at most eight"
            )]
            let height = (value / most * top as f32).ceil() as usize;
            bars[height.clamp(1, top)]
        })
        .collect()
}

/// Queries of one history, against its own highest.
#[must_use]
pub fn trend(history: &[Point], now_ms: u64, seconds: u64, columns: usize, look: Look) -> String {
    let values = parts(history, now_ms, seconds, columns, |point| point.queries);
    bars(&values, highest(&values), look)
}

fn highest(values: &[Option<f32>]) -> f32 {
    values.iter().flatten().copied().fold(0.0, f32::max)
}

/// One of the four charts.
struct Chart {
    name: &'static str,
    of: fn(&Point) -> f32,
    now: String,
    beside: String,
    alarms: bool,
}

/// What this host's kernel held back, since it limits the errors that it sends; where that is not known, what failed
/// and brought none.
fn beside_errors(view: &View, untold: f64, about: &str) -> String {
    let held = view.host.as_ref().map_or(0.0, |host| host.held_back);
    if held >= 0.5 {
        format!("held back {}/s", short(held))
    } else if view.network.now.icmp_errors > 0.0 && untold >= 0.5 {
        format!("no error: {about}{}/s", short(untold))
    } else {
        String::new()
    }
}

/// Two rows of two charts.
pub fn render(view: &View, ui: &UiState, area: Rect, buffer: &mut Buffer) {
    let now = &view.network.now;
    let about = if view.sensor.one_in > 1 { "~" } else { "" };
    let usual = view.network.usual.queries;
    let failed = now.errored + now.unanswered;
    let beside_errors = beside_errors(view, failed - now.icmp_errors, about);
    let answers = view
        .network
        .history
        .last()
        .map_or(0.0, |point| point.answers);
    let charts = [
        [
            Chart {
                name: "queries",
                of: |point| point.queries,
                now: format!("{}/s", short(now.queries)),
                beside: usual.map_or_else(String::new, |usual| format!("usual {}", short(usual))),
                alarms: false,
            },
            Chart {
                name: "unanswered",
                of: |point| point.failed,
                now: format!("{about}{}/s", short(failed)),
                beside: String::new(),
                alarms: failed >= 0.05,
            },
        ],
        [
            Chart {
                name: "answers",
                of: |point| point.answers,
                now: format!("{}/s", short(f64::from(answers))),
                beside: String::new(),
                alarms: false,
            },
            Chart {
                name: "ICMP err",
                of: |point| point.icmp_errors,
                now: format!("{}/s", short(now.icmp_errors)),
                beside: beside_errors,
                alarms: now.icmp_errors > 0.0,
            },
        ],
    ];
    let seconds = ui.span.minutes() * 60;
    let look = ui.look;
    // One scale for what is counted in queries; errors are far fewer, and have their own.
    let all = parts(&view.network.history, view.at_ms, seconds, 30, |point| {
        point.queries
    });
    let queries = highest(&all);
    let half = usize::from(area.width).saturating_sub(3) / 2;
    for (row, pair) in (area.y..area.bottom()).zip(charts) {
        let mut spans: Vec<Span<'_>> = Vec::new();
        for (at, chart) in pair.iter().enumerate() {
            if at != 0 {
                spans.push(Span::styled(format!(" {} ", look.divider()), look.muted()));
            }
            let name = if at == 0 { 8 } else { 11 };
            let beside = width(&chart.beside).max(if at == 0 { 11 } else { 0 });
            let columns = half.saturating_sub(name + 8 + beside + 1);
            let values = parts(
                &view.network.history,
                view.at_ms,
                seconds,
                columns,
                chart.of,
            );
            let most = if chart.name.starts_with("ICMP") {
                highest(&values)
            } else {
                queries.max(highest(&values))
            };
            spans.push(left(chart.name, name, look).into());
            spans.push(bars(&values, most, look).into());
            let style = if chart.alarms {
                look.alarm()
            } else {
                look.heading()
            };
            spans.push(Span::styled(right(&chart.now, 8, look), style));
            spans.push(Span::styled(
                format!(" {}", left(&chart.beside, beside, look)),
                look.muted(),
            ));
        }
        let row = Rect::new(area.x, row, area.width, 1);
        Paragraph::new(Line::from(spans)).render(row, buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASCII: Look = Look {
        colour: false,
        unicode: false,
    };

    fn history(values: &[f32]) -> Vec<Point> {
        let points = values.iter().enumerate().map(|(at, queries)| Point {
            at_ms: 1_000 * (at as u64 + 1),
            queries: *queries,
            ..Point::default()
        });
        points.collect()
    }

    #[test]
    fn the_newest_is_to_the_right_and_what_is_unknown_is_blank() {
        let history = history(&[0.0, 1.0, 50.0, 100.0]);
        assert_eq!(trend(&history, 4_000, 8, 8, ASCII), "    _.-#");
    }

    #[test]
    fn only_nothing_is_the_lowest_bar() {
        let nothing = history(&[0.0, 0.0]);
        assert_eq!(trend(&nothing, 2_000, 2, 2, ASCII), "__");
        let history = history(&[0.1, 1_000.0]);
        assert_eq!(trend(&history, 2_000, 2, 2, ASCII), ".#");
    }

    #[test]
    fn a_column_has_the_mean_of_its_seconds() {
        let history = history(&[0.0, 100.0, 100.0, 100.0]);
        assert_eq!(trend(&history, 4_000, 4, 2, ASCII), "-#");
    }
}
