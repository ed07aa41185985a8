//! Text in columns of a terminal.

use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::look::Look;

/// Columns that a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// At most so many columns; what is cut is marked.
#[must_use]
pub fn cut(text: &str, columns: usize, look: Look) -> String {
    // What comes off the wire must not move the cursor.
    let text: String = text
        .chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect();
    if width(&text) <= columns {
        return text;
    }
    let mut left = columns.saturating_sub(1);
    let mut short = String::new();
    for letter in text.chars() {
        let wide = letter.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        short.push(letter);
    }
    if columns > 0 {
        short.push_str(look.ellipsis());
    }
    short
}

/// Exactly so many columns, from the left.
#[must_use]
pub fn left(text: &str, columns: usize, look: Look) -> String {
    let mut text = cut(text, columns, look);
    let missing = columns.saturating_sub(width(&text));
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// Exactly so many columns, to the right: numbers.
#[must_use]
pub fn right(text: &str, columns: usize, look: Look) -> String {
    let text = cut(text, columns, look);
    let missing = columns.saturating_sub(width(&text));
    format!("{}{text}", " ".repeat(missing))
}

/// Lines of at most so many columns, broken at spaces.
#[must_use]
pub fn wrapped(text: &str, columns: usize, look: Look) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines.iter().map(|line| cut(line, columns, look)).collect()
}

/// A paragraph behind a mark, with its later lines indented as far as its first.
pub fn paragraph(
    lines: &mut Vec<Line<'static>>,
    mark: Span<'static>,
    text: &str,
    columns: usize,
    look: Look,
) {
    let indent = width(&mark.content);
    let mut mark = Some(mark);
    for line in wrapped(text, columns.saturating_sub(indent), look) {
        let first = mark.take().unwrap_or_else(|| " ".repeat(indent).into());
        lines.push(Line::from(vec![first, line.into()]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASCII: Look = Look {
        colour: false,
        unicode: false,
    };

    #[test]
    fn text_has_exactly_its_columns() {
        assert_eq!(left("abc", 5, ASCII), "abc  ");
        assert_eq!(left("abcdef", 5, ASCII), "abcd~");
        assert_eq!(right("12", 4, ASCII), "  12");
        assert_eq!(cut("abc", 0, ASCII), "");
        // Two columns each.
        assert_eq!(left("日本語", 5, ASCII), "日本~");
    }

    #[test]
    fn nothing_off_the_wire_reaches_the_terminal_as_a_command() {
        assert_eq!(cut("a\x1b[2Jb\n", 20, ASCII), "a?[2Jb?");
    }

    #[test]
    fn paragraphs_break_at_spaces_and_never_exceed_their_columns() {
        assert_eq!(wrapped("one two three", 7, ASCII), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 5, ASCII), ["unbr~"]);
        assert_eq!(wrapped("", 5, ASCII), [""]);
    }
}
