//! What the user has chosen to see, and what keys change of it.

use std::net::IpAddr;
use std::sync::Arc;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::filter::Filter;
use super::keys::{self, Action, Step};
use super::look::Look;
use super::rows;
use super::sort::Sort;
use crate::engine::replay::pace::Playing;
use crate::incident::Record;
use crate::view::View;

/// Letters of a filter.
const LONGEST_FILTER: usize = 120;

/// One of six.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// The table of servers.
    #[default]
    Servers,
    /// Incidents, those that go on first.
    Incidents,
    /// Who sends queries.
    Sources,
    /// What is asked for.
    Names,
    /// Question types, rcodes, TCP, ICMP.
    Types,
    /// The sensor itself.
    Sensor,
}

impl Tab {
    /// In their order.
    pub const ALL: [Self; 6] = [
        Self::Servers,
        Self::Incidents,
        Self::Sources,
        Self::Names,
        Self::Types,
        Self::Sensor,
    ];

    /// Its name.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Servers => "Servers",
            Self::Incidents => "Incidents",
            Self::Sources => "Sources",
            Self::Names => "Names",
            Self::Types => "Types/TCP",
            Self::Sensor => "Sensor",
        }
    }

    fn after(self, steps: usize) -> Self {
        let at = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL[(at + steps) % Self::ALL.len()]
    }
}

/// The time that charts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// A minute.
    #[default]
    One,
    /// Five.
    Five,
    /// Fifteen.
    Fifteen,
}

impl Span {
    /// In minutes.
    #[must_use]
    pub fn minutes(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Five => 5,
            Self::Fifteen => 15,
        }
    }
}

/// See the module.
#[derive(Clone)]
pub struct UiState {
    /// What the terminal can show.
    pub look: Look,
    /// What is shown below the charts.
    pub tab: Tab,
    /// Order of the servers.
    pub sort: Sort,
    /// The other way round.
    pub reversed: bool,
    /// What rows must have.
    pub filter: Filter,
    /// The filter that is being typed.
    pub typed: Option<String>,
    /// The selected server; the first where there is none.
    pub server: Option<IpAddr>,
    /// Id of the selected incident.
    pub incident: Option<String>,
    /// What is selected is shown in full.
    pub detail: bool,
    /// The table of keys is shown.
    pub help: bool,
    /// Lines of a text that are above the screen.
    pub scroll: u16,
    /// Of the charts.
    pub span: Span,
    /// The view at which the screen stands still.
    pub paused: Option<Arc<View>>,
    /// Of a capture.
    pub playback: Option<Playing>,
    /// Something that was done or failed, for a while.
    pub message: Option<String>,
}

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
    /// As it begins.
    #[must_use]
    pub fn new(look: Look) -> Self {
        Self {
            look,
            tab: Tab::default(),
            sort: Sort::default(),
            reversed: false,
            filter: Filter::default(),
            typed: None,
            server: None,
            incident: None,
            detail: false,
            help: false,
            scroll: 0,
            span: Span::default(),
            paused: None,
            playback: None,
            message: None,
        }
    }

    /// What is shown of what happens: the view at which the screen stands still, or the live one.
    #[must_use]
    pub fn shown<'v>(&'v self, live: &'v Arc<View>) -> &'v Arc<View> {
        self.paused.as_ref().unwrap_or(live)
    }

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
