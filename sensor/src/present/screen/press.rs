//! What keys change of what is shown.

use std::sync::Arc;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::filter::Filter;
use super::keys::{self, Action, Step};
use super::rows;
use super::ui::{Span, Tab, UiState};
use crate::incident::Record;
use crate::view::View;

/// Letters of a filter.
const LONGEST_FILTER: usize = 120;

/// What a key wants done outside the screen.
#[derive(Clone, Debug)]
pub enum Effect {
    /// End.
    Quit,
    /// End, and leave the screen in the scrollback.
    QuitAndKeep,
    /// Stop the process.
    Suspend,
    /// Draw all anew.
    Redraw,
    /// Write this report.
    Report(Arc<Record>),
    /// Stop the capture, or play on.
    Play,
    /// Play it so many times as fast.
    Speed(f64),
    /// Go to so many seconds from here.
    Seek(i64),
}

impl UiState {
    /// A key was pressed. `page`: rows of a screen.
    pub fn press(&mut self, event: &KeyEvent, live: &Arc<View>, page: u16) -> Option<Effect> {
        if self.typed.is_some() && event.modifiers - KeyModifiers::SHIFT == KeyModifiers::NONE {
            self.type_on(event.code);
            return None;
        }
        let action = keys::action(event, self.playback.is_some())?;
        self.message = None;
        self.act(action, live, page)
    }

    fn type_on(&mut self, code: KeyCode) {
        let Some(text) = &mut self.typed else { return };
        match code {
            KeyCode::Char(letter) if text.chars().count() < LONGEST_FILTER => text.push(letter),
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Enter => {
                self.typed = None;
                return;
            }
            KeyCode::Esc => {
                self.typed = None;
                self.filter = Filter::default();
                return;
            }
            _ => {}
        }
        // What cannot be read yet changes nothing; the line says why.
        if let Ok(filter) = Filter::parse(text) {
            self.filter = filter;
        }
    }

    fn act(&mut self, action: Action, live: &Arc<View>, page: u16) -> Option<Effect> {
        match action {
            Action::Quit => return Some(Effect::Quit),
            Action::QuitAndKeep => return Some(Effect::QuitAndKeep),
            Action::Suspend => return Some(Effect::Suspend),
            Action::Redraw => return Some(Effect::Redraw),
            Action::Help => {
                self.help = !self.help;
                self.scroll = 0;
            }
            Action::Move(step) => self.step(step, live, page),
            Action::NextTab => self.show(self.tab.after(1)),
            Action::PreviousTab => self.show(self.tab.after(Tab::ALL.len() - 1)),
            Action::Show(tab) => self.show(tab),
            Action::Detail => self.open(live),
            Action::Back => self.back(),
            Action::Filter => self.typed = Some(self.filter.text().into()),
            Action::Sort => self.sort = self.sort.next(),
            Action::Reverse => self.reversed = !self.reversed,
            Action::Pause => {
                self.paused = match self.paused {
                    None => Some(live.clone()),
                    Some(_) => None,
                }
            }
            Action::Longer => {
                self.span = match self.span {
                    Span::One => Span::Five,
                    Span::Five | Span::Fifteen => Span::Fifteen,
                }
            }
            Action::Shorter => {
                self.span = match self.span {
                    Span::Fifteen => Span::Five,
                    Span::Five | Span::One => Span::One,
                }
            }
            Action::Report => match rows::reported(self.shown(live), self) {
                Some(record) => return Some(Effect::Report(record)),
                None => self.message = Some("no incident to report".into()),
            },
            Action::Play => return Some(Effect::Play),
            Action::Faster => return Some(Effect::Speed(2.0)),
            Action::Slower => return Some(Effect::Speed(0.5)),
            Action::Forward => return Some(Effect::Seek(10)),
            Action::Backward => return Some(Effect::Seek(-10)),
        }
        None
    }

    fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.detail = false;
        self.help = false;
        self.scroll = 0;
    }

    fn back(&mut self) {
        if self.help {
            self.help = false;
        } else if self.detail {
            self.detail = false;
        } else {
            self.filter = Filter::default();
        }
        self.scroll = 0;
    }

    /// A server without a selection is the first; elsewhere the worst incident, which rows 2 and 3 are about.
    fn open(&mut self, live: &Arc<View>) {
        let view = self.shown(live).clone();
        match self.tab {
            Tab::Servers => {
                let server = rows::selected_server(&view, self);
                self.server = server.map(|server| server.address);
                self.detail = self.server.is_some();
            }
            Tab::Incidents => {
                let record = rows::selected_incident(&view, self);
                self.incident = record.map(|record| record.id.clone());
                self.detail = self.incident.is_some();
            }
            _ if !view.incidents.is_empty() => {
                self.tab = Tab::Incidents;
                self.incident = None;
                self.detail = true;
            }
            _ => {}
        }
        self.help = false;
        self.scroll = 0;
    }

    fn step(&mut self, step: Step, live: &Arc<View>, page: u16) {
        let view = self.shown(live).clone();
        let page = usize::from(page.max(2));
        let moved = |at: usize, most: usize| {
            let to = match step {
                Step::Up => at.saturating_sub(1),
                Step::Down => at + 1,
                Step::PageUp => at.saturating_sub(page),
                Step::PageDown => at + page,
                Step::HalfUp => at.saturating_sub(page / 2),
                Step::HalfDown => at + page / 2,
                Step::First => 0,
                Step::Last => most,
            };
            to.min(most)
        };
        if self.help || self.detail || !matches!(self.tab, Tab::Servers | Tab::Incidents) {
            // The end is found when it is drawn.
            let to = moved(usize::from(self.scroll), usize::from(u16::MAX));
            self.scroll = u16::try_from(to).unwrap_or(u16::MAX);
            return;
        }
        if self.tab == Tab::Servers {
            let servers = rows::servers(&view, self);
            let most = servers.len().saturating_sub(1);
            let to = moved(rows::position_of_server(&servers, self), most);
            self.server = servers.get(to).map(|server| server.address);
        } else {
            let incidents = rows::incidents(&view, self);
            let most = incidents.len().saturating_sub(1);
            let to = moved(rows::position_of_incident(&incidents, self), most);
            self.incident = incidents.get(to).map(|record| record.id.clone());
        }
    }
}
