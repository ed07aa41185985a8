//! Glyphs and colours. Every signal has a glyph and a word besides its colour, and everything else has the
//! terminal's own fore- and background.

use ratatui::style::{Color, Modifier, Style};

use super::super::verdict;
use crate::view::State;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Not where `NO_COLOR` is set.
    pub colour: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

impl Look {
    /// Stands beside the word of a state.
    #[must_use]
    pub fn glyph(self, state: State) -> &'static str {
        if self.unicode {
            verdict::glyph(state)
        } else {
            verdict::ascii(state)
        }
    }

    /// Of the glyph, the word and the sentence of a state.
    #[must_use]
    pub fn state(self, state: State) -> Style {
        match state {
            State::Ok => self.colour(Color::Green),
            State::Learning | State::OneWay => Style::new(),
            State::Degraded => self.colour(Color::Yellow).add_modifier(Modifier::BOLD),
            State::Flooded => self.colour(Color::Magenta).add_modifier(Modifier::BOLD),
            State::Failing => self.colour(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    fn colour(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    /// What has to be noticed and is no state: losses, an error.
    #[must_use]
    pub fn alarm(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Names of columns, titles.
    #[must_use]
    pub fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What matters less.
    #[must_use]
    pub fn muted(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The row that keys act upon.
    #[must_use]
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Heights of a bar, the least first.
    #[must_use]
    pub fn bars(self) -> &'static [&'static str] {
        if self.unicode {
            &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        } else {
            &["_", ".", "-", "=", "#"]
        }
    }

    /// Between two charts.
    #[must_use]
    pub fn divider(self) -> &'static str {
        if self.unicode { "│" } else { "|" }
    }

    /// Stands for what does not fit.
    #[must_use]
    pub fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "~" }
    }
}
