//! The report as Markdown (`CommonMark` with tables).

use std::fmt::Write;

use super::super::calendar::clock;
use super::super::number::count;
use super::assemble::document;
use super::document::{Block, Document, Section};
use crate::incident::kept::Kept;
use crate::incident::record::Record;
use crate::incident::series::Point;

/// Rows of the series.
pub(super) const ROWS: u64 = 30;

/// Adds a line. Writing to a string cannot fail.
macro_rules! line {
    ($text:expr) => { let _ = writeln!($text); };
    ($text:expr, $($arguments:tt)*) => { let _ = writeln!($text, $($arguments)*); };
}

/// A report. `kept` says where the record lies, where it does.
#[must_use]
pub fn markdown(record: &Record, kept: Option<&Kept>) -> String {
    let Document {
        title,
        status,
        verdict,
        affects,
        first,
        rest,
    } = document(record, kept);
    let mut text = String::new();
    line!(text, "# {title}\n");
    line!(text, "**{}** {}\n", status.word, status.text);
    line!(text, "**{}** {}\n", verdict.name, verdict.text);
    for reason in &verdict.reasons {
        line!(text, "- {reason}");
    }
    line!(text, "\n**Affects:** {affects}");
    for section in first.iter().chain(&rest) {
        add(&mut text, section);
    }
    text.pop();
    text
}

fn add(text: &mut String, section: &Section) {
    line!(text, "\n## {}\n", section.heading);
    for (at, block) in section.blocks.iter().enumerate() {
        if at != 0 {
            line!(text);
        }
        match block {
            Block::Text(paragraph) => {
                line!(text, "{paragraph}");
            }
            Block::Bullets(items) => {
                for item in items {
                    line!(text, "- {item}");
                }
            }
            Block::Steps(steps) => {
                for (number, step) in steps.iter().enumerate() {
                    line!(text, "{}. {step}", number + 1);
                }
            }
            Block::Table(rows) => table(text, rows),
            Block::Series {
                step_ms, points, ..
            } => table(text, &series(*step_ms, points)),
        }
    }
}

fn table(text: &mut String, rows: &[Vec<String>]) {
    for (at, row) in rows.iter().enumerate() {
        line!(text, "| {} |", row.join(" | "));
        if at == 0 {
            line!(text, "|{}", " --- |".repeat(row.len()));
        }
    }
}

/// Rows of equal length in time; of what nothing is known, there is none.
fn rows_of(points: &[Point], step_ms: u64) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let step_ms = step_ms.max(1);
    let steps = (last.at_ms - first.at_ms) / step_ms + 1;
    let row_ms = steps.div_ceil(ROWS) * step_ms;
    let mut rows: Vec<Point> = Vec::new();
    for point in points {
        let at_ms = first.at_ms + (point.at_ms - first.at_ms) / row_ms * row_ms;
        match rows.last_mut() {
            Some(row) if row.at_ms == at_ms => row.add(point),
            _ => rows.push(Point { at_ms, ..*point }),
        }
    }
    rows
}

/// The series as a table, with no more rows than a page has.
pub(super) fn series(step_ms: u64, points: &[Point]) -> Vec<Vec<String>> {
    let mut head = vec![
        "from",
        "queries",
        "answered",
        "failed",
        "pending",
        "ICMP errors",
        "not NOERROR",
    ];
    let over_tcp = points.iter().any(|point| point.syns != 0);
    if over_tcp {
        head.extend(["SYN", "SYN-ACK"]);
    }
    let mut rows = vec![head.into_iter().map(String::from).collect()];
    for sum in rows_of(points, step_ms) {
        let mut row = vec![
            clock(sum.at_ms).chars().take(8).collect(),
            count(sum.queries),
            count(sum.answered),
            count(sum.failed),
            count(sum.pending),
            count(sum.icmp_errors),
            count(sum.bad_rcodes),
        ];
        if over_tcp {
            row.extend([count(sum.syns), count(sum.syn_acks)]);
        }
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_equally_long_whatever_happened_in_them() {
        // A query a second, then one every two seconds.
        let seconds = (0..60).chain((60..120).step_by(2));
        let points: Vec<Point> = seconds
            .map(|second| Point {
                at_ms: second * 1_000,
                queries: 1,
                ..Point::default()
            })
            .collect();
        let rows = rows_of(&points, 1_000);
        assert_eq!(rows.len(), 30);
        let apart = |pair: &[Point]| pair[1].at_ms - pair[0].at_ms == 4_000;
        assert!(rows.windows(2).all(apart), "{rows:?}");
        assert_eq!((rows[0].queries, rows[29].queries), (4, 2));
    }
}
