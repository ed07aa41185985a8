//! Charts as SVG. All that is drawn is also in numbers beside it.

use std::fmt::Write;

use crate::present::number::short;
use crate::view::{Point, View};

/// Of the charts of the network, in units of the picture.
const WIDTH: f32 = 600.0;
const HEIGHT: f32 = 120.0;
/// Of the line in a row of the table, one unit for each second.
const ROW: [f32; 2] = [60.0, 16.0];

type Curve = (&'static str, fn(&Point) -> f32);

const QUERIES: Curve = ("queries", |point| point.queries);
const ANSWERS: Curve = ("answers", |point| point.answers);
const FAILED: Curve = ("failed", |point| point.failed);
const ICMP: Curve = ("icmp", |point| point.icmp_errors);

/// Five minutes of all servers: queries beside answers, failures beside ICMP errors.
pub fn network(view: &View) -> String {
    let now = &view.network.now;
    let usual = view.network.usual.queries;
    let usual = usual.map_or_else(String::new, |usual| format!(", usual {}", short(usual)));
    let traffic = format!(
        "Queries {}/s{usual}; answers {}/s",
        short(now.queries),
        short(now.answered)
    );
    let failures = format!(
        "Unanswered {}/s; ICMP errors {}/s",
        short(now.unanswered + now.errored),
        short(now.icmp_errors)
    );
    let history = &view.network.history;
    [
        figure(
            history,
            [QUERIES, ANSWERS],
            &traffic,
            "Queries and answers per second",
        ),
        figure(
            history,
            [FAILED, ICMP],
            &failures,
            "Failed queries and ICMP errors per second",
        ),
    ]
    .concat()
}

fn figure(points: &[Point], curves: [Curve; 2], caption: &str, label: &str) -> String {
    let most = curves
        .iter()
        .flat_map(|(_, of)| points.iter().map(of))
        .fold(1.0, f32::max);
    let mut svg = format!(
        "<figure><figcaption>{caption}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"{label}, the last five minutes; at most {}\">\n",
        short(f64::from(most))
    );
    for (class, of) in curves {
        let values: Vec<f32> = points.iter().map(of).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "{}", line(&values, class, most, [WIDTH, HEIGHT]));
    }
    let _ = write!(
        svg,
        "</svg>\n<p class=\"key\"><span class=\"{0}\">{0}</span> <span class=\"{1}\">{2}</span> <span>at most {3}/s</span></p></figure>\n",
        curves[0].0,
        curves[1].0,
        if curves[1].0 == "icmp" {
            "ICMP errors"
        } else {
            curves[1].0
        },
        short(f64::from(most))
    );
    svg
}

/// The last minute of a server, for a row of the table.
pub fn row(points: &[Point]) -> String {
    let seconds = points.len().saturating_sub(60);
    let points = &points[seconds..];
    let most = points.iter().map(QUERIES.1).fold(1.0, f32::max);
    let curve = |(class, of): Curve| {
        let values: Vec<f32> = points.iter().map(of).collect();
        line(&values, class, most, ROW)
    };
    format!(
        "<svg class=\"trend\" viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{}{}</svg>",
        ROW[0],
        ROW[1],
        curve(QUERIES),
        if points.iter().any(|point| point.failed > 0.0) {
            curve(FAILED)
        } else {
            String::new()
        }
    )
}

/// Values from left to right; the newest is at the right edge.
fn line(values: &[f32], class: &str, most: f32, [width, height]: [f32; 2]) -> String {
    let all = if width > 100.0 {
        crate::view::HISTORY as u16
    } else {
        60
    };
    let step = width / f32::from(all.max(2) - 1);
    let mut points = String::new();
    for (age, value) in values.iter().rev().enumerate().take(usize::from(all)) {
        let x = width - step * f32::from(u16::try_from(age).unwrap_or(all));
        // Half of the stroke stays inside.
        let y = 1.0 + (height - 2.0) * (1.0 - (value / most).clamp(0.0, 1.0));
        let _ = write!(points, "{x:.0},{y:.0} ");
    }
    format!(
        "<polyline class=\"curve {class}\" points=\"{}\"/>",
        points.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_is_at_the_right_and_the_highest_at_the_top() {
        let text = line(&[0.0, 5.0, 10.0], "queries", 10.0, ROW);
        assert_eq!(
            text,
            "<polyline class=\"curve queries\" points=\"60,1 59,8 58,15\"/>"
        );
    }

    #[test]
    fn no_history_makes_an_empty_line() {
        assert!(row(&[]).contains("points=\"\""));
    }
}
