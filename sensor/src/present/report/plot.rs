//! The series as a plot (SVG), around the onset.

use std::fmt::Write;

use super::super::calendar::clock;
use super::super::number::{plain, span};
use crate::incident::series::Point;

/// Of a phone: text keeps its size there.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 280.0;
/// Room for labels: left, right and bottom.
const EDGES: [f64; 3] = [52.0, 8.0, 26.0];
/// Room for a row of the legend.
const ROW: f64 = 20.0;
/// Room for what is written at marks.
const ABOVE: f64 = 22.0;
/// What is shown of a long incident, counted from its onset.
const BEFORE_MS: u64 = 60_000;
const AFTER_MS: u64 = 540_000;
/// Lines across.
const LINES: u32 = 4;

type Curve = (&'static str, &'static str, fn(&Point) -> u64);

const CURVES: [Curve; 6] = [
    ("queries", "queries", |point| point.queries),
    ("answered", "answered", |point| point.answered),
    ("failed", "failed", |point| point.failed),
    ("icmp", "ICMP errors", |point| point.icmp_errors),
    // Where there are any.
    ("syns", "TCP SYN", |point| point.syns),
    ("syn-acks", "TCP SYN-ACK", |point| point.syn_acks),
];

/// Points a second, in the coordinates of the picture.
struct Scale {
    from_ms: u64,
    to_ms: u64,
    top: f64,
    step_ms: u64,
    curves: &'static [Curve],
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a picture has a thousand points"
)]
fn float(count: u64) -> f64 {
    count as f64
}

impl Scale {
    fn x(&self, ms: u64) -> f64 {
        let wide = WIDTH - EDGES[0] - EDGES[1];
        let all = float((self.to_ms - self.from_ms).max(1));
        let at = float(ms.clamp(self.from_ms, self.to_ms) - self.from_ms);
        EDGES[0] + wide * at / all
    }

    fn y(&self, per_second: f64) -> f64 {
        let high = HEIGHT - self.edge() - EDGES[2];
        HEIGHT - EDGES[2] - high * per_second / self.top
    }

    /// The upper edge, below the legend in rows of two.
    fn edge(&self) -> f64 {
        ABOVE + ROW * float(self.curves.len() as u64) / 2.0
    }

    fn per_second(&self, count: u64) -> f64 {
        float(count) * 1e3 / float(self.step_ms)
    }
}

/// A figure with its caption. `marks` are the onset and the last symptom.
pub fn figure(step_ms: u64, points: &[Point], marks: [u64; 2]) -> String {
    let shown =
        |point: &&Point| point.at_ms + BEFORE_MS >= marks[0] && point.at_ms <= marks[0] + AFTER_MS;
    let all = points.len();
    let points: Vec<&Point> = points.iter().filter(shown).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    let over_tcp = points.iter().any(|point| point.syns != 0);
    let mut scale = Scale {
        curves: &CURVES[..if over_tcp { 6 } else { 4 }],
        from_ms: first.at_ms,
        to_ms: last.at_ms + step_ms,
        top: 1.0,
        step_ms: step_ms.max(1),
    };
    let counts = points
        .iter()
        .flat_map(|point| scale.curves.iter().map(|(_, _, of)| of(point)));
    scale.top = round(scale.per_second(counts.max().unwrap_or(0)));
    let mut svg = String::from("<figure>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Queries, answers, failures and ICMP errors per \
         second around the onset\">"
    );
    axes(&mut svg, &scale);
    // One above and one below the upper edge: they may be close together.
    for (label, at_ms, beside) in [("onset", marks[0], -6.0), ("last symptom", marks[1], 14.0)] {
        mark(&mut svg, &scale, label, at_ms, scale.edge() + beside);
    }
    // What has not ended yet is neither answered nor failed: there those lines stop.
    let pending = points.iter().rev().take_while(|point| point.pending != 0);
    let known = match points.len() - pending.count() {
        0 => points.len(),
        known => known,
    };
    for &(class, _, of) in scale.curves {
        let shown = match class {
            "answered" | "failed" => &points[..known],
            _ => &points[..],
        };
        let steps: Vec<String> = steps(shown, &scale, of);
        let _ = writeln!(
            svg,
            "<polyline class=\"curve {class}\" points=\"{}\"/>",
            steps.join(" ")
        );
    }
    legend(&mut svg, &scale);
    let whole = if points.len() < all {
        format!(
            ", the first {} of a longer series",
            span(scale.to_ms - scale.from_ms)
        )
    } else {
        String::new()
    };
    let stops = if known < points.len() {
        " Answers and failures are not drawn where queries are pending."
    } else {
        ""
    };
    let _ = writeln!(
        svg,
        "</svg>\n<figcaption>Per second{whole}. A failure is counted when it is known: with an ICMP error at once, \
         otherwise after the timeout.{stops}</figcaption>\n</figure>"
    );
    svg
}

/// A number of one digit and zeros that is not less.
fn round(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 4.0, 5.0, 8.0, 10.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|round| *round >= value)
        .unwrap_or(value)
}

/// Each point is as long as its step.
fn steps(points: &[&Point], scale: &Scale, of: fn(&Point) -> u64) -> Vec<String> {
    let mut steps = Vec::new();
    let mut end_ms = scale.from_ms;
    for point in points {
        // Seconds in which nothing happened have no point.
        if point.at_ms > end_ms {
            let zero = scale.y(0.0);
            steps.push(format!(
                "{:.1},{zero:.1} {:.1},{zero:.1}",
                scale.x(end_ms),
                scale.x(point.at_ms)
            ));
        }
        let y = scale.y(scale.per_second(of(point)));
        end_ms = point.at_ms + scale.step_ms;
        steps.push(format!(
            "{:.1},{y:.1} {:.1},{y:.1}",
            scale.x(point.at_ms),
            scale.x(end_ms)
        ));
    }
    steps
}

fn axes(svg: &mut String, scale: &Scale) {
    let (left, right) = (EDGES[0], WIDTH - EDGES[1]);
    for line in 0..=LINES {
        let value = scale.top * f64::from(line) / f64::from(LINES);
        let y = scale.y(value);
        let _ = writeln!(svg, "<path class=\"axis\" d=\"M{left} {y:.1}H{right}\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            y + 4.0,
            plain(value)
        );
    }
    let bottom = HEIGHT - 8.0;
    for (ms, anchor) in [(scale.from_ms, "start"), (scale.to_ms, "end")] {
        let time: String = clock(ms).chars().take(8).collect();
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{bottom}\" text-anchor=\"{anchor}\">{time}</text>",
            scale.x(ms)
        );
    }
}

fn mark(svg: &mut String, scale: &Scale, label: &str, at_ms: u64, y: f64) {
    if at_ms < scale.from_ms || at_ms > scale.to_ms {
        return;
    }
    let x = scale.x(at_ms);
    let (top, bottom) = (scale.edge(), HEIGHT - EDGES[2]);
    let anchor = if x > WIDTH / 2.0 { "end" } else { "start" };
    let beside = if x > WIDTH / 2.0 { x - 4.0 } else { x + 4.0 };
    let _ = writeln!(svg, "<path class=\"mark\" d=\"M{x:.1} {top}V{bottom}\"/>");
    let _ = writeln!(
        svg,
        "<text x=\"{beside:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{label}</text>"
    );
}

/// Rows of two.
fn legend(svg: &mut String, scale: &Scale) {
    for (at, (class, label, _)) in scale.curves.iter().enumerate() {
        let x = if at % 2 == 0 {
            EDGES[0]
        } else {
            EDGES[0] + 180.0
        };
        let y = 14.0 + ROW * float((at / 2) as u64);
        let _ = writeln!(
            svg,
            "<path class=\"curve {class}\" d=\"M{x} {y}h28\"/><text x=\"{}\" y=\"{}\">{label}</text>",
            x + 34.0,
            y + 4.0
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_the_plot_is_a_round_number() {
        for (value, top) in [
            (0.0, 1.0),
            (3.0, 4.0),
            (41.0, 50.0),
            (900.0, 1_000.0),
            (41_000.0, 50_000.0),
        ] {
            assert!((round(value) - top).abs() < 1e-6, "{value}");
        }
    }

    #[test]
    fn what_is_pending_is_not_drawn_as_no_failure() {
        let point = |second: u64, failed, pending| Point {
            at_ms: second * 1_000,
            queries: 10,
            failed,
            pending,
            ..Point::default()
        };
        let last_x = |points: &[Point]| {
            let svg = figure(1_000, points, [100_000, 102_000]);
            let curve = svg
                .lines()
                .find(|line| line.contains("curve failed\" points"));
            let numbers = curve
                .and_then(|line| line.split('"').nth(3))
                .expect("drawn");
            let last = numbers.split(' ').next_back().expect("a point");
            last.split_once(',').expect("a pair").0.to_string()
        };
        let ended = [point(100, 10, 0), point(101, 10, 0), point(102, 0, 0)];
        let mut pends = ended;
        pends[2].pending = 10;
        assert_ne!(last_x(&ended), last_x(&pends));
        let svg = figure(1_000, &pends, [100_000, 102_000]);
        assert!(svg.contains("not drawn where queries are pending"));
    }

    #[test]
    fn connections_are_drawn_where_there_are_any() {
        let point = |syns| Point {
            at_ms: 100_000,
            queries: 10,
            syns,
            ..Point::default()
        };
        let curves = |syns| figure(1_000, &[point(syns)], [100_000, 100_500]);
        assert_eq!(curves(0).matches("<polyline").count(), 4);
        let drawn = curves(20);
        assert_eq!(drawn.matches("<polyline").count(), 6);
        // The most of all, at the upper edge.
        let syns = drawn
            .lines()
            .find(|line| line.contains("curve syns\" points"));
        assert!(syns.is_some_and(|line| line.contains(",82.0 ")), "{drawn}");
    }

    #[test]
    fn all_points_lie_inside_and_gaps_are_zero() {
        let point = |second: u64, queries| Point {
            at_ms: second * 1_000,
            queries,
            ..Point::default()
        };
        let svg = figure(
            1_000,
            &[point(100, 40), point(101, 40), point(110, 7)],
            [101_500, 110_000],
        );
        assert_eq!(svg.matches("<polyline").count(), 4);
        assert!(svg.contains(">onset<") && svg.contains(">last symptom<"));
        let curve = svg
            .lines()
            .find(|line| line.contains("curve queries"))
            .expect("drawn");
        let numbers = curve.split('"').nth(3).expect("points");
        let points: Vec<(f64, f64)> = numbers
            .split(' ')
            .map(|pair| pair.split_once(',').expect("a pair"))
            .map(|(x, y)| (x.parse().expect("x"), y.parse().expect("y")))
            .collect();
        assert_eq!(points.len(), 8, "{points:?}");
        assert!(
            points
                .iter()
                .all(|(x, y)| (0.0..=WIDTH).contains(x) && (0.0..=HEIGHT).contains(y))
        );
        assert!(
            points
                .iter()
                .any(|(_, y)| (*y - (HEIGHT - EDGES[2])).abs() < 0.1)
        );
    }
}
