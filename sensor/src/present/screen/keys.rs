//! The one table of keys: what is pressed, what it does, and what the help says of it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::ui::Tab;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ends the command.
    Quit,
    /// The same, and the screen stays in the scrollback.
    QuitAndKeep,
    /// Stops the process, as the shell's job control does.
    Suspend,
    /// Draws all anew.
    Redraw,
    /// Shows this table, or hides it.
    Help,
    /// To a row further up or down.
    Move(Step),
    /// To the next tab.
    NextTab,
    /// To the tab before.
    PreviousTab,
    /// To this tab.
    Show(Tab),
    /// What is selected, in full.
    Detail,
    /// Leaves what was opened last.
    Back,
    /// Begins to type a filter.
    Filter,
    /// Sorts by the next column.
    Sort,
    /// Sorts the other way round.
    Reverse,
    /// The screen stands still, or goes on.
    Pause,
    /// A longer time in the charts.
    Longer,
    /// A shorter one.
    Shorter,
    /// Writes the report of an incident.
    Report,
    /// Stops the capture, or plays on.
    Play,
    /// Plays it twice as fast.
    Faster,
    /// Plays it half as fast.
    Slower,
    /// Ten seconds on.
    Forward,
    /// Ten seconds back.
    Backward,
}

/// How far a movement goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// Half a screen up.
    HalfUp,
    /// Half a screen down.
    HalfDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

/// Where a row of the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Everywhere.
    Always,
    /// Not where a capture is played.
    Live,
    /// Where a capture is played.
    Replay,
}

/// A row of the table.
pub struct Key {
    /// What may be pressed.
    pub presses: &'static [Press],
    /// What it does.
    pub action: Action,
    /// Where.
    pub when: When,
    /// For the help.
    pub help: &'static str,
}

/// A key, with or without Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// The key alone; letters with Shift are capital ones.
    Plain(KeyCode),
    /// With Ctrl.
    Ctrl(char),
}

use Action as A;
use When::{Always, Live, Replay};

const fn key(presses: &'static [Press], action: Action, when: When, help: &'static str) -> Key {
    Key {
        presses,
        action,
        when,
        help,
    }
}

const fn letter(letter: char) -> Press {
    Press::Plain(KeyCode::Char(letter))
}

const fn code(code: KeyCode) -> Press {
    Press::Plain(code)
}

/// See the module.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key(&[letter('q'), Press::Ctrl('c')], A::Quit, Always, "quit"),
    key(&[letter('Q')], A::QuitAndKeep, Always, "quit, the last screen stays in the scrollback"),
    key(&[letter('?'), letter('h')], A::Help, Always, "this help"),
    key(&[letter('1')], A::Show(Tab::Servers), Always, "servers"),
    key(&[letter('2')], A::Show(Tab::Incidents), Always, "incidents"),
    key(&[letter('3')], A::Show(Tab::Sources), Always, "sources of queries"),
    key(&[letter('4')], A::Show(Tab::Names), Always, "names in questions"),
    key(&[letter('5')], A::Show(Tab::Types), Always, "question types, rcodes, TCP, ICMP"),
    key(&[letter('6')], A::Show(Tab::Sensor), Always, "the sensor's own cost and losses"),
    key(&[code(KeyCode::Tab), letter('l')], A::NextTab, Always, "next tab"),
    key(&[code(KeyCode::BackTab)], A::PreviousTab, Always, "previous tab"),
    key(&[code(KeyCode::Right)], A::NextTab, Live, "next tab"),
    key(&[code(KeyCode::Left)], A::PreviousTab, Live, "previous tab"),
    key(&[letter('j'), code(KeyCode::Down)], A::Move(Step::Down), Always, "down"),
    key(&[letter('k'), code(KeyCode::Up)], A::Move(Step::Up), Always, "up"),
    key(&[code(KeyCode::PageDown)], A::Move(Step::PageDown), Always, "a screen down"),
    key(&[code(KeyCode::PageUp)], A::Move(Step::PageUp), Always, "a screen up"),
    key(&[Press::Ctrl('d')], A::Move(Step::HalfDown), Always, "half a screen down"),
    key(&[Press::Ctrl('u')], A::Move(Step::HalfUp), Always, "half a screen up"),
    key(&[letter('g'), code(KeyCode::Home)], A::Move(Step::First), Always, "to the first"),
    key(&[letter('G'), code(KeyCode::End)], A::Move(Step::Last), Always, "to the last"),
    key(&[code(KeyCode::Enter)], A::Detail, Always, "detail of the selected server or incident"),
    key(&[code(KeyCode::Esc), code(KeyCode::Backspace)], A::Back, Always, "leave the detail, drop the filter"),
    key(&[letter('/')], A::Filter, Always, "filter: words, server:, state:, net:"),
    key(&[letter('s')], A::Sort, Always, "sort by the next column"),
    key(&[letter('S')], A::Reverse, Always, "reverse the order"),
    key(&[letter('p'), letter('f')], A::Pause, Always, "pause the screen; counting goes on"),
    key(&[letter(' ')], A::Pause, Live, "pause the screen; counting goes on"),
    key(&[letter('+'), letter('=')], A::Longer, Live, "longer charts: 1, 5, 15 min"),
    key(&[letter('-')], A::Shorter, Live, "shorter charts"),
    key(&[letter('r')], A::Report, Always, "write the report of the incident"),
    key(&[letter(' ')], A::Play, Replay, "stop the capture, play on"),
    key(&[letter('+'), letter('=')], A::Faster, Replay, "play twice as fast"),
    key(&[letter('-')], A::Slower, Replay, "play half as fast"),
    key(&[code(KeyCode::Right)], A::Forward, Replay, "10 s forward"),
    key(&[code(KeyCode::Left)], A::Backward, Replay, "10 s back"),
    key(&[Press::Ctrl('l')], A::Redraw, Always, "draw the screen anew"),
    key(&[Press::Ctrl('z')], A::Suspend, Always, "suspend; `fg` comes back"),
];

impl When {
    /// Whether a row holds here.
    #[must_use]
    pub fn holds(self, replay: bool) -> bool {
        match self {
            Always => true,
            Live => !replay,
            Replay => replay,
        }
    }
}

impl Press {
    /// Of an event of the terminal. Shift is in the letter already.
    fn of(event: &KeyEvent) -> Option<Self> {
        let held = event.modifiers - KeyModifiers::SHIFT;
        match event.code {
            KeyCode::Char(letter) if held == KeyModifiers::CONTROL => {
                Some(Self::Ctrl(letter.to_ascii_lowercase()))
            }
            code if held.is_empty() => Some(Self::Plain(code)),
            _ => None,
        }
    }

    /// As the help writes it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Ctrl(letter) => format!("Ctrl-{}", letter.to_ascii_uppercase()),
            Self::Plain(KeyCode::Char(' ')) => "Space".into(),
            Self::Plain(KeyCode::Char(letter)) => letter.into(),
            Self::Plain(KeyCode::BackTab) => "Shift-Tab".into(),
            Self::Plain(KeyCode::PageUp) => "PgUp".into(),
            Self::Plain(KeyCode::PageDown) => "PgDn".into(),
            Self::Plain(code) => code.to_string(),
        }
    }
}

/// What a key does here.
#[must_use]
pub fn action(event: &KeyEvent, replay: bool) -> Option<Action> {
    let press = Press::of(event)?;
    KEYS.iter()
        .find(|key| key.when.holds(replay) && key.presses.contains(&press))
        .map(|key| key.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_double() {
        for replay in [false, true] {
            let here = KEYS.iter().filter(|key| key.when.holds(replay));
            let all: Vec<Press> = here.flat_map(|key| key.presses).copied().collect();
            for (at, press) in all.iter().enumerate() {
                assert!(!all[..at].contains(press), "{} is double", press.name());
            }
        }
    }

    #[test]
    fn every_key_has_help_and_is_found() {
        for key in KEYS {
            assert!(!key.help.is_empty());
            for press in key.presses {
                let event = match press {
                    Press::Ctrl(letter) => {
                        KeyEvent::new(KeyCode::Char(*letter), KeyModifiers::CONTROL)
                    }
                    Press::Plain(code) => KeyEvent::new(*code, KeyModifiers::NONE),
                };
                assert_eq!(
                    action(&event, key.when == Replay),
                    Some(key.action),
                    "{}",
                    press.name()
                );
            }
        }
    }

    #[test]
    fn shift_is_in_the_letter_and_alt_is_another_key() {
        let quit = KeyEvent::new(KeyCode::Char('Q'), KeyModifiers::SHIFT);
        assert_eq!(action(&quit, false), Some(Action::QuitAndKeep));
        let alt = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
        assert_eq!(action(&alt, false), None);
    }
}
