//! `sensor replay FILE --screen`: a capture on the full screen, in its own time.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use sensor_common::settings::Settings;
use tokio::sync::watch;

use super::screen::{self, Options, Screen};
use super::stop::Stop;
use super::usage::Usage;
use crate::engine::replay::capture::Capture;
use crate::engine::replay::host_engine::HostEngine;
use crate::engine::replay::pace::Pace;
use crate::engine::replay::player::Replay;
use crate::engine::settings::timeout;
use crate::incident::Record;
use crate::monitor::MonitorOptions;
use crate::session::{Face, Published, Session};
use crate::view::View;

/// Plays a capture until the user leaves.
///
/// # Errors
/// There is no terminal, or the capture cannot be read.
pub async fn run(
    file: &Path,
    name: &str,
    settings: &Settings,
    options: MonitorOptions,
    ascii: bool,
) -> Result<()> {
    ensure!(
        file.as_os_str() != "-",
        Usage(
            "--screen goes back by reading again, and standard input cannot be read again: write it to a file first"
        )
    );
    ensure!(
        screen::is_possible(),
        "--screen needs a terminal, and TERM must not be dumb"
    );
    let mut capture = Some(Capture::open(file)?);
    let pace = Arc::new(Pace::default());
    let (show, shown) = watch::channel(Arc::new(View::empty()));
    let mut stop = Stop::new()?;
    let mut screen = Screen::start(
        shown,
        Options {
            ascii,
            state: None,
            pace: Some(pace.clone()),
        },
    )?;
    let mut damage = None;
    loop {
        let capture = match capture.take() {
            Some(capture) => capture,
            None => Capture::open(file)?,
        };
        let counting = HostEngine::new(name, Box::new(*settings));
        let engine = Replay::new(capture, counting, name, timeout(settings)).paced(pace.clone());
        let mut session = Session::new(engine, settings, options.clone());
        let mut face = Handed {
            from: session.live().view,
            to: &show,
        };
        let mut is_left = false;
        let until = async {
            tokio::select! {
                () = stop.asked() => is_left = true,
                () = screen.left() => is_left = true,
                () = pace.rewound() => {}
            }
        };
        session.run(&mut face, until).await?;
        damage = session.into_parts().0.summary().damaged.or(damage);
        if is_left {
            break;
        }
        if !pace.take_rewound() {
            pace.set_over();
            tokio::select! {
                () = stop.asked() => break,
                () = screen.left() => break,
                () = pace.rewound() => {}
            }
            pace.take_rewound();
        }
    }
    screen.end()?;
    damage.map_or(Ok(()), |damage| Err(damage.into()))
}

/// Hands the views of one session after the other to the one screen.
struct Handed<'h> {
    from: watch::Receiver<Arc<View>>,
    to: &'h watch::Sender<Arc<View>>,
}

impl Face for Handed<'_> {
    fn show(&mut self, _: &Published<'_>) -> Result<ControlFlow<()>> {
        self.to.send_replace(self.from.borrow().clone());
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, _: Record) -> Result<()> {
        Ok(())
    }
}
