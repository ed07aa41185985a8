//! The full screen: every size and every state as a snapshot with its styles, and what keys do.
//!
//! `INSTA_UPDATE=always cargo test -p sensor --test screen` writes the snapshots anew; read the difference.

#[path = "../reports/records.rs"]
mod records;
#[path = "../reports/stories/mod.rs"]
mod stories;

mod pressed;
mod views;

use std::sync::Arc;
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use sensor::engine::replay::pace::Playing;
use sensor::present::screen::draw;
use sensor::present::screen::look::Look;
use sensor::present::screen::ui::{Tab, UiState};
use sensor::view::View;

const COLOURED: Look = Look {
    colour: true,
    unicode: true,
};
const PLAIN: Look = Look {
    colour: false,
    unicode: false,
};

fn drawn(view: View, ui: &UiState, columns: u16, rows: u16) -> Buffer {
    let area = Rect::new(0, 0, columns, rows);
    let mut buffer = Buffer::empty(area);
    draw(&Arc::new(view), ui, area, &mut buffer);
    buffer
}

/// The rows without styles.
fn text(buffer: &Buffer) -> Vec<String> {
    let columns = usize::from(buffer.area.width).max(1);
    let rows = buffer.content.chunks(columns);
    rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect())
        .collect()
}

macro_rules! snapshot {
    ($name:expr, $view:expr, $ui:expr, $columns:expr, $rows:expr) => {
        insta::assert_debug_snapshot!($name, drawn($view, &$ui, $columns, $rows))
    };
}

#[test]
fn each_size_has_its_layout() {
    for (columns, rows) in [(120, 30), (80, 24), (60, 14), (40, 6)] {
        let ui = UiState::new(COLOURED);
        let name = format!("size_{columns}x{rows}");
        snapshot!(name, views::outage(), ui, columns, rows);
    }
}

#[test]
fn no_size_is_too_small_or_too_large() {
    for columns in (0..130).chain([500]) {
        for rows in (0..32).chain([200]) {
            for tab in Tab::ALL {
                for detail in [false, true] {
                    let ui = UiState {
                        tab,
                        detail,
                        ..UiState::new(COLOURED)
                    };
                    drawn_once(&ui, columns, rows);
                }
            }
        }
    }
}

fn drawn_once(ui: &UiState, columns: u16, rows: u16) {
    thread_local! {
        static VIEW: Arc<View> = Arc::new(views::widest());
    }
    let area = Rect::new(0, 0, columns, rows);
    let mut buffer = Buffer::empty(area);
    VIEW.with(|view| draw(view, ui, area, &mut buffer));
}

#[test]
fn each_state_has_its_sentence() {
    for (name, view) in [
        ("ok", views::ok()),
        ("learning", views::learning()),
        ("one_way", views::one_way()),
        ("degraded", views::degraded()),
        ("unknown_cause", views::unknown()),
        ("flooded", views::flooded()),
        ("nothing", views::nothing()),
    ] {
        let ui = UiState::new(COLOURED);
        snapshot!(format!("state_{name}"), view, ui, 80, 24);
    }
}

#[test]
fn each_tab_has_its_content() {
    for tab in Tab::ALL {
        let ui = UiState {
            tab,
            ..UiState::new(COLOURED)
        };
        let name = format!("tab_{}", tab.title().to_lowercase().replace('/', "_"));
        snapshot!(name, views::estimates(), ui, 80, 24);
    }
}

#[test]
fn an_incident_and_a_server_are_told_in_full() {
    for (name, tab) in [("incident", Tab::Incidents), ("server", Tab::Servers)] {
        let ui = UiState {
            tab,
            detail: true,
            ..UiState::new(COLOURED)
        };
        snapshot!(format!("detail_{name}"), views::outage(), ui, 100, 48);
    }
}

#[test]
fn the_widest_address_takes_columns_away_and_is_whole() {
    for (columns, rows) in [(120, 30), (80, 24), (60, 14)] {
        let ui = UiState::new(COLOURED);
        let buffer = drawn(views::widest(), &ui, columns, rows);
        let table = text(&buffer);
        assert!(
            table[3..].iter().any(|row| row.contains(views::WIDEST)),
            "{table:#?}"
        );
        insta::assert_debug_snapshot!(format!("widest_{columns}x{rows}"), buffer);
    }
}

#[test]
fn without_colours_and_beyond_ascii_nothing_is_lost() {
    let ui = UiState::new(PLAIN);
    let buffer = drawn(views::outage(), &ui, 80, 24);
    for cell in &buffer.content {
        assert!(cell.symbol().is_ascii());
        assert_eq!(cell.fg, ratatui::style::Color::Reset);
        assert_eq!(cell.bg, ratatui::style::Color::Reset);
    }
    insta::assert_debug_snapshot!("plain", buffer);
}

#[test]
fn sixteen_colours_for_signals_and_the_terminals_own_background() {
    for tab in Tab::ALL {
        let ui = UiState {
            tab,
            ..UiState::new(COLOURED)
        };
        for cell in &drawn(views::estimates(), &ui, 120, 30).content {
            assert_eq!(cell.bg, ratatui::style::Color::Reset);
            assert!(!matches!(
                cell.fg,
                ratatui::style::Color::Rgb(..) | ratatui::style::Color::Indexed(_)
            ));
        }
    }
}

#[test]
fn help_names_every_key() {
    let live = UiState {
        help: true,
        ..UiState::new(COLOURED)
    };
    snapshot!("help", views::ok(), live, 80, 60);
    let replay = UiState {
        playback: Some(Playing {
            at: Duration::from_secs(12),
            speed: 2.0,
            stopped: false,
            over: false,
        }),
        ..live
    };
    let rows = text(&drawn(views::ok(), &replay, 80, 60)).join("\n");
    assert!(rows.contains("play twice as fast") && !rows.contains("longer charts"));
}

#[test]
fn losses_are_on_row_1_at_every_width() {
    for columns in [50, 60, 80, 120] {
        let ui = UiState::new(COLOURED);
        let rows = text(&drawn(views::estimates(), &ui, columns, 24));
        assert!(rows[0].contains("lost 1,204"), "{}", rows[0]);
        assert!(rows[0].contains("HOOK LOST"), "{}", rows[0]);
    }
    let ui = UiState::new(COLOURED);
    let rows = text(&drawn(views::estimates(), &ui, 40, 6)).join("\n");
    assert!(rows.contains("lost 1,204"), "{rows}");
}

#[test]
fn a_server_that_does_not_answer_has_no_latency_and_estimates_are_marked() {
    let ui = UiState::new(COLOURED);
    let row = |view: View| {
        let rows = text(&drawn(view, &ui, 80, 24));
        rows.into_iter()
            .skip(5)
            .find(|row| row.contains(views::FAILING))
            .expect("the server")
    };
    let exact = row(views::outage());
    let columns: Vec<&str> = exact.split_whitespace().collect();
    assert_eq!(
        columns[..9],
        [
            "✗",
            "192.0.2.53",
            "FAILING",
            "53",
            "0",
            "-",
            "-",
            "port",
            "unreachable"
        ]
    );
    assert!(row(views::estimates()).contains(" ~0 "));
}

/// What drawing costs: printed, and bounded with much room, since other work runs beside the tests.
#[test]
fn drawing_256_servers_takes_a_fraction_of_the_time_between_two_frames() {
    const FRAMES: u32 = 50;
    let view = Arc::new(views::full());
    assert_eq!(view.servers.len(), 256);
    let ui = UiState::new(COLOURED);
    let area = Rect::new(0, 0, 120, 30);
    let backend = CrosstermBackend::new(Vec::new());
    let viewport = Viewport::Fixed(area);
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).expect("one");
    let begun = std::time::Instant::now();
    for frame in 0..u64::from(FRAMES) {
        // Each is another: times and charts move.
        let mut later = (*view).clone();
        later.at_ms += frame * 500;
        let later = Arc::new(later);
        let drawn = terminal.draw(|frame| {
            draw(&later, &ui, area, frame.buffer_mut());
        });
        drawn.expect("drawn");
    }
    let each = begun.elapsed() / FRAMES;
    println!("a frame of 120x30 with 256 servers: {each:?}");
    assert!(each < Duration::from_millis(50), "{each:?}");
}
