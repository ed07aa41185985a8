//! `sensor watch`: live counters.

use std::time::Duration;

use anyhow::Result;

use super::lines::Lines;
use super::stop::Stop;
use super::{Outcome, live};
use crate::cli::WatchArguments;
use crate::present::output::Lines as Output;

/// Runs the command until a signal or a closed pipe.
///
/// # Errors
/// The interfaces cannot be watched.
pub async fn run(arguments: &WatchArguments) -> Result<Outcome> {
    let mut session = live::start(&arguments.live).await?;
    let _served = live::serve(&arguments.live, &session.live());
    let mut stop = Stop::new()?;
    let interval = Duration::from_secs_f64(arguments.interval);
    let out = Output::new()?;
    let mut lines = Lines::new(arguments.output, arguments.details, interval, out)
        .kept_in(arguments.live.alerts.state.as_deref());
    let ran = session.run(&mut lines, stop.asked()).await;
    session.finish(&mut lines)?;
    lines.finish()?;
    ran.map(|()| Outcome::Fine)
}
