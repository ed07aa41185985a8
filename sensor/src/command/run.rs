//! `sensor run`: the same session without a screen, for a service.

use std::io::stderr;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Result;

use super::live::{anything_left, changed_links};
use super::stop::Stop;
use super::{Outcome, live};
use crate::cli::RunArguments;
use crate::engine::status::Watched;
use crate::incident::Record;
use crate::present::incident;
use crate::present::output::Lines as Output;
use crate::session::{Face, Published};

/// Runs the command until a signal.
///
/// # Errors
/// The interfaces cannot be watched, or none is left.
pub async fn run(arguments: &RunArguments) -> Result<Outcome> {
    // Before anything is attached: a signal must not end the process in between.
    let mut stop = Stop::new()?;
    let mut session = live::start(&arguments.live).await?;
    let _served = live::serve(&arguments.live, &session.live())?;
    let mut log = Log::new(arguments.live.alerts.state.clone())?;
    let ran = session.run(&mut log, stop.asked()).await;
    session.finish(&mut log)?;
    log.out.finish()?;
    ran.map(|()| Outcome::Fine)
}

/// Incidents and links that change, a line each.
struct Log {
    out: Output,
    watched: Vec<Watched>,
    /// Lost hooks that were told.
    lost: usize,
    /// Directory of the incidents, if not the usual one.
    state: Option<PathBuf>,
}

impl Log {
    fn new(state: Option<PathBuf>) -> std::io::Result<Self> {
        Ok(Self {
            // On a thread of its own: a journal that is slow must not hold up what counts.
            out: Output::to(stderr())?,
            watched: Vec::new(),
            lost: 0,
            state,
        })
    }
}

impl Face for Log {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        for (change, record) in now.changes {
            self.out.line(incident::change(*change, record))?;
        }
        for shadow in now.shadows {
            self.out.line(incident::shadow(shadow))?;
        }
        for lost in now.status.lost.iter().skip(self.lost) {
            self.out.line(lost.clone())?;
        }
        self.lost = now.status.lost.len();
        for line in changed_links(&self.watched, &now.status.interfaces) {
            self.out.line(line)?;
        }
        self.watched.clone_from(&now.status.interfaces);
        anything_left(now.status)?;
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, record: Record) -> Result<()> {
        self.out
            .line(incident::unfinished(&record, self.state.as_deref()))?;
        Ok(())
    }
}
