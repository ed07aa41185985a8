//! The terminal: taken over, and given back whatever happens.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::sync::Once;

use nix::sys::signal::{Signal, raise};
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// A frame is written at once.
const FRAME: usize = 64 << 10;

/// Not behind the lock of standard output: a terminal that does not read would keep everybody else from it.
type Out = BufWriter<File>;

/// The terminal, as long as this lives.
pub struct Terminal {
    inner: ratatui::Terminal<CrosstermBackend<Out>>,
    is_taken: bool,
    last: Option<Buffer>,
}

impl Terminal {
    /// Takes it over. A panic of any thread gives it back before its message is written.
    ///
    /// # Errors
    /// From the system.
    pub fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                super::log::release();
                before(panic);
            }));
        });
        super::log::hold();
        let mut terminal = Self {
            inner: blank()?,
            is_taken: true,
            last: None,
        };
        enter().inspect_err(|_| terminal.leave())?;
        Ok(terminal)
    }

    /// Draws a frame. What is written is the difference to the last one.
    ///
    /// # Errors
    /// From the system.
    pub fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        let drawn = self.inner.draw(draw)?;
        self.last = Some(drawn.buffer.clone());
        Ok(())
    }

    /// Rows of the screen.
    #[must_use]
    pub fn rows(&self) -> u16 {
        self.inner.size().map_or(24, |size| size.height)
    }

    /// The next frame is drawn on a blank screen.
    ///
    /// Not `Terminal::clear()` of ratatui: it asks the terminal where the cursor is, and waits 2 s for one that does not
    /// answer.
    ///
    /// # Errors
    /// From the system.
    pub fn redraw(&mut self) -> io::Result<()> {
        enter()?;
        self.inner = blank()?;
        Ok(())
    }

    /// Gives it back to the shell, which gets the process stopped, and takes it again when it goes on.
    ///
    /// # Errors
    /// From the system.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        // To this thread, so that it has stopped when this returns. Where no shell would ever wake it the kernel
        // ignores the signal.
        raise(Signal::SIGTSTP)?;
        self.redraw()
    }

    /// Writes the last frame below the prompt, and ends.
    ///
    /// # Errors
    /// From the system.
    pub fn leave_the_last_frame(mut self) -> io::Result<()> {
        self.leave();
        let Some(buffer) = self.last.take() else {
            return Ok(());
        };
        let mut out = io::stdout().lock();
        out.write_all(text(&buffer).as_bytes())?;
        out.flush()
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.is_taken) {
            give_back();
            super::log::release();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A terminal of which nothing is known to be on its screen.
fn blank() -> io::Result<ratatui::Terminal<CrosstermBackend<Out>>> {
    let out = BufWriter::with_capacity(FRAME, out()?);
    ratatui::Terminal::new(CrosstermBackend::new(out))
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(out()?, EnterAlternateScreen, Clear(ClearType::All), Hide)
}

fn give_back() {
    // Where it is gone nothing can be given back.
    let _ = out().and_then(|mut out| execute!(out, Show, LeaveAlternateScreen));
    cook();
}

/// Gives back what can be given back to a terminal that does not read: how it treats keys.
pub fn cook() {
    let _ = disable_raw_mode();
}

fn out() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Its rows without the blanks at their ends, and without the blank rows between the table and the tabs.
fn text(buffer: &Buffer) -> String {
    let columns = usize::from(buffer.area.width).max(1);
    let mut text = String::new();
    let mut blank = false;
    for row in buffer.content.chunks(columns) {
        let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        let row = row.trim_end();
        if !(row.is_empty() && blank) {
            text.push_str(row);
            text.push('\n');
        }
        blank = row.is_empty();
    }
    text
}
