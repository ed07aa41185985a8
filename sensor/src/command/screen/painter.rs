//! The thread of the screen: keys at once, a frame twice a second.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tokio::sync::watch;

use super::log;
use super::terminal::Terminal;
use crate::engine::replay::pace::Pace;
use crate::incident::Record;
use crate::incident::store::Store;
use crate::present::report;
use crate::present::screen::draw;
use crate::present::screen::look::Look;
use crate::present::screen::press::Effect;
use crate::present::screen::ui::UiState;
use crate::view::View;

/// Between two frames, where no key is pressed.
const FRAME: Duration = Duration::from_millis(500);
/// A signal is answered in so long.
const SIGNAL: Duration = Duration::from_millis(50);
/// A message stays for so long.
const MESSAGE: Duration = Duration::from_secs(10);

/// What the session wants of the thread.
#[derive(Default)]
pub struct Signals {
    /// End.
    pub stop: AtomicBool,
    /// Draw all anew.
    pub redraw: AtomicBool,
}

/// See the module.
pub struct Painter {
    view: watch::Receiver<Arc<View>>,
    ui: UiState,
    signals: Arc<Signals>,
    pace: Option<Arc<Pace>>,
    /// When the message was new.
    told: Instant,
}

/// How it goes on after a key.
enum Next {
    Draw,
    Quit,
    QuitAndKeep,
}

impl Painter {
    /// Nothing is drawn yet.
    pub fn new(
        view: watch::Receiver<Arc<View>>,
        look: Look,
        signals: Arc<Signals>,
        pace: Option<Arc<Pace>>,
    ) -> Self {
        Self {
            view,
            ui: UiState::new(look),
            signals,
            pace,
            told: Instant::now(),
        }
    }

    /// Until the user leaves, or the session ends.
    ///
    /// # Errors
    /// The terminal fails.
    pub fn run(&mut self, mut terminal: Terminal, store: &Store) -> io::Result<()> {
        self.frame(&mut terminal)?;
        let mut drawn = Instant::now();
        let mut is_first = true;
        loop {
            if self.signals.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if self.signals.redraw.swap(false, Ordering::Relaxed) {
                terminal.redraw()?;
                self.frame(&mut terminal)?;
            }
            let mut pressed = false;
            let wait = FRAME.saturating_sub(drawn.elapsed()).min(SIGNAL);
            let mut is_there = event::poll(wait)?;
            while is_there {
                pressed = true;
                match self.answer(&event::read()?, &mut terminal, store)? {
                    Next::Draw => {}
                    Next::Quit => return Ok(()),
                    Next::QuitAndKeep => return terminal.leave_the_last_frame(),
                }
                is_there = event::poll(Duration::ZERO)?;
            }
            // The first view does not wait for its frame.
            let begins = is_first && self.view.borrow().at_ms != 0;
            if pressed || begins || drawn.elapsed() >= FRAME {
                is_first &= !begins;
                self.frame(&mut terminal)?;
                drawn = Instant::now();
            }
        }
    }

    fn frame(&mut self, terminal: &mut Terminal) -> io::Result<()> {
        let live = self.view.borrow_and_update().clone();
        if let Some(line) = log::news() {
            self.tell(line);
        } else if self.told.elapsed() >= MESSAGE {
            self.ui.message = None;
        }
        self.ui.playback = self.pace.as_ref().map(|pace| pace.playing());
        let ui = &mut self.ui;
        terminal.draw(|frame| {
            let area = frame.area();
            let most = draw(&live, ui, area, frame.buffer_mut());
            ui.scroll = ui.scroll.min(most);
        })
    }

    fn tell(&mut self, message: String) {
        self.ui.message = Some(message);
        self.told = Instant::now();
    }

    fn answer(
        &mut self,
        event: &Event,
        terminal: &mut Terminal,
        store: &Store,
    ) -> io::Result<Next> {
        let Event::Key(key) = event else {
            return Ok(Next::Draw);
        };
        if key.kind == KeyEventKind::Release {
            return Ok(Next::Draw);
        }
        let live = self.view.borrow().clone();
        // Without the rows above and below the table.
        let page = terminal.rows().saturating_sub(8);
        let Some(effect) = self.ui.press(key, &live, page) else {
            self.told = Instant::now();
            return Ok(Next::Draw);
        };
        match effect {
            Effect::Quit => return Ok(Next::Quit),
            Effect::QuitAndKeep => return Ok(Next::QuitAndKeep),
            Effect::Suspend => terminal.suspend()?,
            Effect::Redraw => terminal.redraw()?,
            Effect::Report(record) => {
                let message = write_report(store, &record);
                self.tell(message);
            }
            Effect::Play => self.with_pace(Pace::toggle),
            Effect::Speed(times) => self.with_pace(|pace| pace.faster(times)),
            Effect::Seek(seconds) => self.with_pace(|pace| pace.seek(seconds)),
        }
        Ok(Next::Draw)
    }

    fn with_pace(&self, change: impl FnOnce(&Pace)) {
        if let Some(pace) = &self.pace {
            change(pace);
        }
    }
}

/// Writes it beside the record, and says where; or why not.
fn write_report(store: &Store, record: &Record) -> String {
    let kept = store.kept(&record.id);
    let text = report::markdown(record, kept.as_ref());
    match store.write_report(&record.id, &text) {
        Ok(path) => format!("report written to {}", path.display()),
        Err(error) => format!("no report: {:#}", anyhow::Error::from(error)),
    }
}
