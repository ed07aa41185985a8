//! The report as one HTML file that needs nothing else: no script, no font, no address is loaded.

use std::fmt::Write;

use super::assemble::document;
use super::document::{Block, Document, Section};
use super::markdown::series;
use super::plot;
use crate::detect::Level;
use crate::incident::kept::Kept;
use crate::incident::record::Record;

/// How a report looks.
pub const STYLE: &str = include_str!("style.css");

/// What follows a number on the same line.
const UNITS: [&str; 14] = [
    "%",
    "ms",
    "s",
    "min",
    "h",
    "d",
    "dB",
    "B",
    "kB",
    "MB",
    "GB",
    "bytes",
    "queries/s",
    "UTC",
];

/// Adds a line. Writing to a string cannot fail.
macro_rules! line {
    ($text:expr, $($arguments:tt)*) => { let _ = writeln!($text, $($arguments)*); };
}

/// A report. `kept` says where the record lies, where it does.
#[must_use]
pub fn html(record: &Record, kept: Option<&Kept>) -> String {
    page(record, kept, &format!("<style>\n{STYLE}</style>"), "")
}

/// The same as a page of a site: `head` has a link to [`STYLE`], `top` is above the report. Both are HTML.
#[must_use]
pub fn linked(record: &Record, head: &str, top: &str) -> String {
    page(record, None, head, top)
}

fn page(record: &Record, kept: Option<&Kept>, head: &str, top: &str) -> String {
    let Document {
        title,
        status,
        verdict,
        affects,
        first,
        rest,
    } = document(record, kept);
    let title = escaped(&title);
    let mut text = String::new();
    line!(
        text,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"
    );
    line!(
        text,
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    );
    line!(text, "<title>{title}</title>\n{head}\n</head>\n<body>{top}");
    line!(text, "<h1>{title}</h1>");
    let class = match (status.is_ongoing, status.level) {
        (false, _) => "status",
        (true, Level::Warning) => "status warning",
        (true, Level::Critical) => "status critical",
    };
    let (word, rest_of_it) = (escaped(&status.word), inline(&status.text));
    line!(
        text,
        "<p class=\"{class}\"><strong>{word}</strong> {rest_of_it}</p>"
    );
    line!(
        text,
        "<p><strong>{}</strong> {}</p>",
        escaped(&verdict.name),
        inline(&verdict.text)
    );
    list(&mut text, "ul", &verdict.reasons);
    line!(
        text,
        "<p><strong>Affects:</strong> {}</p>",
        inline(&affects)
    );
    for section in first.iter().chain(&rest) {
        add(&mut text, section);
    }
    text.push_str("</body>\n</html>");
    text
}

fn add(text: &mut String, section: &Section) {
    let heading = inline(&section.heading);
    if section.repeats {
        line!(text, "<details>\n<summary><h2>{heading}</h2></summary>");
        blocks(text, &section.blocks);
        line!(text, "</details>");
    } else {
        line!(text, "<h2>{heading}</h2>");
        blocks(text, &section.blocks);
    }
}

fn blocks(text: &mut String, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Text(paragraph) => {
                line!(text, "<p>{}</p>", inline(paragraph));
            }
            Block::Bullets(items) => list(text, "ul", items),
            Block::Steps(steps) => list(text, "ol", steps),
            Block::Table(rows) => table(text, rows),
            Block::Series {
                step_ms,
                points,
                marks,
            } => {
                text.push_str(&plot::figure(*step_ms, points, *marks));
                line!(text, "<details>\n<summary>The same in numbers</summary>");
                table(text, &series(*step_ms, points));
                line!(text, "</details>");
            }
        }
    }
}

fn list(text: &mut String, tag: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    line!(text, "<{tag}>");
    for item in items {
        line!(text, "<li>{}</li>", inline(item));
    }
    line!(text, "</{tag}>");
}

fn table(text: &mut String, rows: &[Vec<String>]) {
    line!(text, "<div class=\"table\" tabindex=\"0\"><table>");
    for (at, row) in rows.iter().enumerate() {
        let tag = if at == 0 { "th" } else { "td" };
        let cells: Vec<String> = row
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", inline(cell)))
            .collect();
        line!(text, "<tr>{}</tr>", cells.concat());
    }
    line!(text, "</table></div>");
}

/// What is between backticks is code. A backtick without its fellow stands for itself.
fn inline(text: &str) -> String {
    let plain = |text: &str| escaped(&unbroken(text));
    let mut parts = text.split('`');
    let mut html = plain(parts.next().unwrap_or_default());
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(behind) => {
                let _ = write!(html, "<code>{}</code>{}", escaped(code), plain(behind));
            }
            None => {
                let _ = write!(html, "`{}", plain(code));
            }
        }
    }
    html
}

/// No line ends between a number and its unit.
fn unbroken(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for (at, word) in text.split(' ').enumerate() {
        let follows_number = kept.ends_with(|letter: char| letter.is_ascii_digit());
        let unit = word.trim_end_matches(|letter: char| ".,;:)".contains(letter));
        if at != 0 {
            kept.push(if follows_number && UNITS.contains(&unit) {
                '\u{a0}'
            } else {
                ' '
            });
        }
        kept.push_str(word);
    }
    kept
}

/// Text that is no markup, whoever chose it.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_unit_stay_together() {
        assert_eq!(
            inline("85.1 % of 2 min 5 s (40 dB), `dig +time 2 s`, 3 servers"),
            "85.1\u{a0}% of 2\u{a0}min 5\u{a0}s (40\u{a0}dB), <code>dig +time 2 s</code>, 3 servers"
        );
    }

    #[test]
    fn nothing_in_a_text_becomes_markup() {
        assert_eq!(
            inline("<b> & `dig '<x>'` \"q\" `open"),
            "&lt;b&gt; &amp; <code>dig &#39;&lt;x&gt;&#39;</code> &quot;q&quot; `open"
        );
    }
}
