//! The full screen's impure half: a thread that draws the latest view twice a second and answers keys. Nothing it
//! does, and no terminal that does not read, delays counting.

pub mod face;
pub mod log;
mod painter;
mod terminal;

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::engine::replay::pace::Pace;
use crate::incident::store::Store;
use crate::present::output::Reader;
use crate::present::screen::look::Look;
use crate::view::View;
use painter::{Painter, Signals};
use terminal::Terminal;

/// Longest wait for the thread at the end: a terminal that does not read keeps nobody.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// Of the screen.
pub struct Options {
    /// ASCII alone, whatever the locale.
    pub ascii: bool,
    /// Where reports are written, if not to the usual directory.
    pub state: Option<PathBuf>,
    /// Of a capture.
    pub pace: Option<Arc<Pace>>,
}

/// The screen, while it is on.
pub struct Screen {
    thread: Option<JoinHandle<io::Result<()>>>,
    signals: Arc<Signals>,
    left: oneshot::Receiver<()>,
}

/// Whether there is a terminal that can show the screen.
#[must_use]
pub fn is_possible() -> bool {
    let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let keys = || io::stdin().is_terminal() || File::open("/dev/tty").is_ok();
    !dumb && io::stdout().is_terminal() && keys()
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// From the system.
    pub fn start(view: watch::Receiver<Arc<View>>, options: Options) -> Result<Self> {
        let terminal = Terminal::take().context("the terminal cannot show a full screen")?;
        let signals = Arc::new(Signals::default());
        let (leave, left) = oneshot::channel();
        let mut painter = Painter::new(view, look(options.ascii), signals.clone(), options.pace);
        let store = Store::new(options.state.as_deref());
        let thread = std::thread::Builder::new()
            .name("screen".into())
            .spawn(move || {
                let result = painter.run(terminal, &store);
                // However it ends, the session is told.
                drop(leave);
                result
            });
        Ok(Self {
            thread: Some(thread.context("cannot start a thread")?),
            signals,
            left,
        })
    }

    /// Waits until the user leaves, or the terminal fails.
    pub async fn left(&mut self) {
        let Ok(mut goes_on) = signal(SignalKind::from_raw(libc::SIGCONT)) else {
            let _ = (&mut self.left).await;
            return;
        };
        loop {
            tokio::select! {
                _ = &mut self.left => return,
                // Somebody else has stopped the process; the shell had the terminal meanwhile.
                _ = goes_on.recv() => self.signals.redraw.store(true, Ordering::Relaxed),
            }
        }
    }

    /// Gives the terminal back. Where it does not read, nothing more may be written to it: that would wait, too.
    ///
    /// # Errors
    /// It failed.
    pub fn end(mut self) -> Result<Reader> {
        self.stop().context("the terminal failed")
    }

    fn stop(&mut self) -> io::Result<Reader> {
        let Some(thread) = self.thread.take() else {
            return Ok(Reader::There);
        };
        self.signals.stop.store(true, Ordering::Relaxed);
        let end = Instant::now() + LAST_WAIT;
        while !thread.is_finished() {
            if Instant::now() > end {
                terminal::cook();
                return Ok(Reader::Gone);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // Where it panicked, the hook has said so.
        let ended = thread.join().unwrap_or(Ok(()));
        ended.map(|()| Reader::There)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // An error is on its way already.
        let _ = self.stop();
    }
}

/// What the terminal can show, by the environment.
fn look(ascii: bool) -> Look {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    // The order of setlocale(3).
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"));
    Look {
        colour: set("NO_COLOR").is_none(),
        unicode: !ascii && locale.is_some_and(|locale| is_utf8(&locale)),
    }
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_name_their_character_set() {
        assert!(is_utf8("C.UTF-8") && is_utf8("de_DE.utf8"));
        assert!(!is_utf8("C") && !is_utf8("de_DE.ISO-8859-1"));
    }
}
