//! `sensor run`: the same session without a screen, for a service.

use std::io::stderr;
use std::ops::ControlFlow;

use anyhow::Result;

use super::live::{anything_left, changed_links};
use super::stop::Stop;
use super::{Outcome, live};
use crate::cli::RunArguments;
use crate::engine::status::Watched;
use crate::incident::Record;
use crate::incident::store::Store;
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
    let (mut session, _served) = live::start(&arguments.live).await?;
    let mut log = Log::new(Store::new(arguments.live.alerts.state.as_deref()))?;
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
    /// Where incidents are kept.
    store: Store,
}

impl Log {
    fn new(store: Store) -> std::io::Result<Self> {
        Ok(Self {
            // On a thread of its own: a journal that is slow must not hold up what counts.
            out: Output::to(stderr())?,
            watched: Vec::new(),
            lost: 0,
            store,
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
        let kept = self.store.kept(&record.id);
        self.out
            .line(incident::unfinished(&record, kept.as_ref()))?;
        Ok(())
    }
}
