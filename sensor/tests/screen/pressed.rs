//! What keys do.

use std::sync::Arc;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use sensor::engine::replay::pace::Playing;
use sensor::present::screen::press::Effect;
use sensor::present::screen::ui::{Span, Tab, UiState};

use crate::{COLOURED, drawn, text, views};

struct Screen {
    ui: UiState,
    view: Arc<sensor::view::View>,
}

impl Screen {
    fn new(view: sensor::view::View) -> Self {
        Self {
            ui: UiState::new(COLOURED),
            view: Arc::new(view),
        }
    }

    fn code(&mut self, code: KeyCode) -> Option<Effect> {
        let event = KeyEvent::new(code, KeyModifiers::NONE);
        self.ui.press(&event, &self.view, 10)
    }

    fn keys(&mut self, letters: &str) -> Option<Effect> {
        letters
            .chars()
            .filter_map(|letter| self.code(KeyCode::Char(letter)))
            .last()
    }

    fn rows(&self) -> Vec<String> {
        text(&drawn((*self.view).clone(), &self.ui, 80, 24))
    }

    fn shows(&self, part: &str) -> bool {
        self.rows().iter().any(|row| row.contains(part))
    }
}

#[test]
fn the_selection_follows_its_server_through_every_order() {
    let mut screen = Screen::new(views::full());
    screen.keys("jj");
    let selected = screen.ui.server.expect("one");
    for _ in 0..6 {
        screen.keys("s");
        assert_eq!(screen.ui.server, Some(selected));
        assert!(screen.shows(&selected.to_string()));
    }
    screen.keys("S");
    assert!(screen.shows(&selected.to_string()));
}

#[test]
fn movements_end_at_the_ends() {
    let mut screen = Screen::new(views::full());
    screen.keys("k");
    let first = screen.ui.server;
    screen.keys("G");
    let last = screen.ui.server;
    screen.code(KeyCode::PageDown);
    assert_eq!(screen.ui.server, last);
    assert_ne!(first, last);
    screen.code(KeyCode::PageUp);
    assert_ne!(screen.ui.server, last);
    screen.keys("g");
    assert_eq!(screen.ui.server, first);
}

#[test]
fn a_filter_is_typed_and_dropped() {
    let mut screen = Screen::new(views::full());
    screen.keys("/state:failq");
    assert!(screen.shows("/state:failq"), "{:#?}", screen.rows());
    // No state begins so; what was typed before still holds.
    assert!(screen.shows("no state"));
    screen.code(KeyCode::Backspace);
    screen.code(KeyCode::Enter);
    assert!(screen.shows("filter: state:fail"));
    assert!(screen.shows(views::FAILING));
    let table = screen.rows()[5..].join("\n");
    assert!(!table.contains("192.0.2.54"), "{table}");
    screen.code(KeyCode::Esc);
    assert!(screen.ui.filter.is_empty());
    let table = screen.rows()[5..].join("\n");
    assert!(table.contains("192.0.2.54"), "{table}");
}

#[test]
fn ctrl_c_ends_it_also_while_a_filter_is_typed() {
    let mut screen = Screen::new(views::ok());
    screen.keys("/q");
    let event = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    let effect = screen.ui.press(&event, &screen.view, 10);
    assert!(matches!(effect, Some(Effect::Quit)));
}

#[test]
fn a_paused_screen_stands_still_and_says_for_how_long() {
    let mut screen = Screen::new(views::outage());
    screen.keys("p");
    let mut later = views::ok();
    later.at_ms += 12_000;
    screen.view = Arc::new(later);
    assert!(screen.shows("paused 12s ago, counting goes on"));
    assert!(screen.shows("DNS FAILS"));
    screen.keys(" ");
    assert!(!screen.shows("DNS FAILS") && !screen.shows("paused"));
}

#[test]
fn enter_opens_what_is_selected_and_esc_leaves_it() {
    let mut screen = Screen::new(views::outage());
    screen.code(KeyCode::Enter);
    assert!(screen.shows("last minute"), "{:#?}", screen.rows());
    screen.code(KeyCode::Esc);
    assert!(!screen.shows("last minute"));
    screen.keys("2");
    screen.code(KeyCode::Enter);
    assert!(screen.shows("Timeline"));
    // From any other tab Enter leads to the worst incident.
    screen.keys("6");
    screen.code(KeyCode::Enter);
    assert_eq!(screen.ui.tab, Tab::Incidents);
    assert!(screen.shows("Timeline"));
}

#[test]
fn a_report_is_of_the_incident_that_is_shown() {
    let mut screen = Screen::new(views::outage());
    for tab in ["1", "2", "3"] {
        screen.keys(tab);
        let Some(Effect::Report(record)) = screen.keys("r") else {
            panic!("no report on tab {tab}");
        };
        assert_eq!(record.id, screen.view.incidents[0].id);
    }
    let mut screen = Screen::new(views::ok());
    assert!(screen.keys("r").is_none());
    assert!(screen.shows("no incident to report"));
}

#[test]
fn the_span_has_three_steps() {
    let mut screen = Screen::new(views::ok());
    screen.keys("-");
    assert_eq!(screen.ui.span, Span::One);
    screen.keys("+++");
    assert_eq!(screen.ui.span, Span::Fifteen);
    assert!(screen.shows("5m trend"));
}

#[test]
fn tabs_go_round() {
    let mut screen = Screen::new(views::ok());
    screen.code(KeyCode::BackTab);
    assert_eq!(screen.ui.tab, Tab::Sensor);
    screen.code(KeyCode::Tab);
    assert_eq!(screen.ui.tab, Tab::Servers);
    screen.code(KeyCode::Right);
    assert_eq!(screen.ui.tab, Tab::Incidents);
}

#[test]
fn keys_of_a_capture_play_it() {
    let mut screen = Screen::new(views::ok());
    screen.ui.playback = Some(Playing {
        at: Duration::from_secs(12),
        speed: 1.0,
        stopped: false,
        over: false,
    });
    assert!(screen.shows("playing x1 at 12s"));
    assert!(matches!(screen.keys(" "), Some(Effect::Play)));
    assert!(matches!(screen.keys("+"), Some(Effect::Speed(speed)) if speed > 1.0));
    let back = screen.code(KeyCode::Left);
    assert!(matches!(back, Some(Effect::Seek(-10))));
    assert_eq!(screen.ui.span, Span::One);
}
