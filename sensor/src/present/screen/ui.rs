//! What the user has chosen to see.

use std::net::IpAddr;
use std::sync::Arc;

use super::filter::Filter;
use super::look::Look;
use super::sort::Sort;
use crate::engine::replay::pace::Playing;
use crate::view::View;

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

    /// So many tabs on, round about.
    #[must_use]
    pub fn after(self, steps: usize) -> Self {
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
}
