//! `sensor watch`: live counters.

use std::time::Duration;

use anyhow::Result;

use super::lines::Lines;
use super::screen::face::Behind;
use super::screen::{self, Options, Screen};
use super::stop::Stop;
use super::{Outcome, live};
use crate::cli::WatchArguments;
use crate::engine::kernel::engine::KernelEngine;
use crate::incident::store::Store;
use crate::present::incident;
use crate::present::output::{self, Format, Lines as Output, Reader};
use crate::session::Session;

/// Runs the command until a signal or a closed pipe.
///
/// # Errors
/// The interfaces cannot be watched.
pub async fn run(arguments: &WatchArguments) -> Result<Outcome> {
    let (mut session, _served) = live::start(&arguments.live).await?;
    let mut stop = Stop::new()?;
    if !arguments.plain && arguments.output == Format::Text && screen::is_possible() {
        return on_screen(arguments, &mut session, &mut stop).await;
    }
    let interval = Duration::from_secs_f64(arguments.interval);
    let out = Output::new()?;
    let store = Store::new(arguments.live.alerts.state.as_deref());
    let mut lines = Lines::new(arguments.output, arguments.details, interval, out, store);
    let ran = session.run(&mut lines, stop.asked()).await;
    session.finish(&mut lines)?;
    lines.finish()?;
    ran.map(|()| Outcome::Fine)
}

/// On the full screen, until the user leaves or a signal.
async fn on_screen(
    arguments: &WatchArguments,
    session: &mut Session<KernelEngine>,
    stop: &mut Stop,
) -> Result<Outcome> {
    let state = arguments.live.alerts.state.as_deref();
    let options = Options {
        ascii: arguments.ascii,
        state: state.map(Into::into),
        pace: None,
    };
    let mut screen = Screen::start(session.live().view, options)?;
    let mut behind = Behind::default();
    let until = async {
        tokio::select! {
            () = stop.asked() => {}
            () = screen.left() => {}
        }
    };
    let ran = session.run(&mut behind, until).await;
    // What is said from here on is said on the normal screen.
    let reader = screen.end()?;
    session.finish(&mut behind)?;
    if reader == Reader::Gone {
        return Ok(Outcome::Fine);
    }
    for lost in behind.lost {
        output::note(format_args!("{lost}"));
    }
    let store = Store::new(state);
    for record in behind.unfinished {
        let kept = store.kept(&record.id);
        output::line(&incident::unfinished(&record, kept.as_ref()))?;
    }
    ran.map(|()| Outcome::Fine)
}
