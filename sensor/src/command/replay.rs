//! `sensor replay`: a capture through the same counting.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sensor_common::settings::Settings;

use super::progress::Progress;
use super::stop::Stop;
use super::usage::Usage;
use super::{Outcome, detection, play, replay_notes};
use crate::cli::{EngineChoice, ReplayArguments, RulesArguments};
use crate::detect::Place;
use crate::engine::kernel::test_run::TestRunEngine;
use crate::engine::replay::clock::DISORDER;
use crate::engine::replay::counting::Counting;
use crate::engine::replay::follow::Follow;
use crate::engine::replay::host_engine::HostEngine;
use crate::engine::replay::input::Input;
use crate::engine::replay::player::{RESTARTS, Replay};
use crate::engine::settings::{for_ports, set_timeout, timeout};
use crate::incident::{Change, Record};
use crate::measure::address::key;
use crate::measure::counted::counted;
use crate::measure::interval::Interval;
use crate::measure::samples::Names;
use crate::measure::window::Window;
use crate::monitor::{Monitor, MonitorOptions};
use crate::present::incident::{self, IncidentObject};
use crate::present::objects::{NamesObject, ServerObject, SourcesObject};
use crate::present::output::{self, Format};
use crate::present::summary::summary;
use crate::present::totals::{About, TotalsObject};
use crate::present::{details, report};
use crate::session::{Face, Published, Session};

/// Between two looks whether a file that is followed has its header.
const UNTIL_HEADER: Duration = Duration::from_millis(100);

/// Runs the command.
///
/// # Errors
/// The capture cannot be read to its end, or the kernel engine cannot run. What was counted until
/// then is shown.
pub async fn run(arguments: &ReplayArguments) -> Result<Outcome> {
    let mut settings = for_ports(&arguments.ports)?;
    set_timeout(&mut settings, arguments.timeout);
    let (first, others) = arguments
        .files
        .split_first()
        .context("a capture is needed")?;
    let name = replay_notes::names(&arguments.files);
    let has_input = arguments.files.iter().any(|file| file.as_os_str() == "-");
    ensure!(
        others.is_empty() || !has_input,
        Usage("standard input is read alone, not with other captures")
    );
    if arguments.screen {
        ensure!(
            others.is_empty(),
            Usage("--screen plays one capture; `mergecap -w OUT FILE...` makes one of several")
        );
        let options = options(arguments, &name)?;
        play::run(first, &name, &settings, options, arguments.ascii).await?;
        return Ok(Outcome::Fine);
    }
    let (input, follow) = if arguments.follow {
        ensure!(
            others.is_empty() && !has_input,
            Usage("--follow reads one file; a pipe is read to its end without --follow")
        );
        let mut stop = Stop::new()?;
        let Some(input) = opened(first, &mut stop).await? else {
            return Ok(Outcome::Fine);
        };
        (
            input,
            Some(Follow::until(async move { stop.asked().await })),
        )
    } else {
        let mut input = Input::open(first, others)?;
        input.limit(
            |first| replay_notes::since_1970(arguments.from, first),
            |first| replay_notes::since_1970(arguments.until, first),
        );
        (input, None)
    };
    match arguments.engine {
        // The host engine needs no privileges, and counts the same.
        EngineChoice::Auto | EngineChoice::Host => {
            let counting = HostEngine::new(&name, settings.clone());
            Box::pin(replay(arguments, &settings, input, follow, counting, name)).await
        }
        EngineChoice::Kernel => {
            let counting = TestRunEngine::new(&name, settings.clone())?;
            Box::pin(replay(arguments, &settings, input, follow, counting, name)).await
        }
    }
}

fn options(arguments: &ReplayArguments, name: &str) -> Result<MonitorOptions> {
    let given = !arguments.hosts.is_empty();
    let about = detection::about_capture(&arguments.ports, name.to_owned(), given);
    detection::options(&arguments.detection, place(&arguments.hosts), about)
}

/// Where a capture was made, as far as the command line says so.
fn place(hosts: &[IpAddr]) -> Place {
    Place {
        addresses: hosts.iter().copied().map(key).collect(),
        ..Place::default()
    }
}

async fn replay<C: Counting>(
    arguments: &ReplayArguments,
    settings: &Settings,
    input: Input<'_>,
    follow: Option<Follow>,
    counting: C,
    name: String,
) -> Result<Outcome> {
    let options = options(arguments, &name)?;
    let progress = input
        .progress()
        .filter(|_| follow.is_none())
        .and_then(|read| Progress::of(arguments.files.first()?, read));
    let changes = follow.is_some().then_some(arguments.output);
    let mut engine = Replay::new(input, counting, &name, timeout(settings));
    if let Some(follow) = follow {
        engine = engine.following(follow);
    }
    let mut session = Session::new(engine, settings, options);
    let mut whole = Whole {
        progress,
        changes,
        ..Whole::new()
    };
    session.run(&mut whole, std::future::pending()).await?;
    session.finish(&mut whole)?;
    // What follows must not be written into the bar.
    whole.progress = None;
    let summary = session.into_parts().0.summary();
    let source = name.clone();
    let about = About {
        engine: C::NAME,
        source: Some(name),
        at_ms: u64::try_from(summary.length().as_millis()).ok(),
        cut: Some(summary.cut),
        copies: (summary.copies != 0).then_some(summary.copies),
        complete: Some(summary.is_complete()),
        ..About::default()
    };
    let window = whole.interval.end();
    let mut incidents = whole.ended;
    incidents.sort_by_key(|record| record.detected_ms);
    let verdict = replay_notes::nothing_found(&window, summary.is_complete());
    if arguments.report {
        show_reports(&incidents, &verdict, arguments.output)?;
    } else {
        show(&window, &whole.names, &incidents, about, arguments.output)?;
        if let Some(waiting) = replay_notes::waiting(&window)
            && arguments.output == Format::Text
        {
            output::line(&waiting)?;
        }
        if incidents.is_empty() && arguments.output == Format::Text {
            output::line(&verdict)?;
        }
    }
    if let Some(skipped) = replay_notes::skipped(&summary.skipped) {
        output::note(format_args!("{source}: {skipped}"));
    }
    if let Some(copies) = replay_notes::copies(summary.copies) {
        output::note(format_args!("{source}: {copies}"));
    }
    if let Some(disorder) = replay_notes::disorder(summary.disorder) {
        output::note(format_args!("{source}: {disorder}"));
    }
    if summary.gave_up {
        output::note(format_args!(
            "the clock in {source} goes back {}, by more than {} s: detection is off from the {}th on, and counts are \
             right; put it in order with `reordercap IN OUT`",
            counted(summary.restarts, "time"),
            DISORDER.as_secs(),
            RESTARTS + 1
        ));
    } else if summary.restarts != 0 {
        output::note(format_args!(
            "the clock in {source} goes back {}, by more than {} s: what was usual before is forgotten there, \
             and incidents that went on are unfinished",
            counted(summary.restarts, "time"),
            DISORDER.as_secs()
        ));
    }
    if let Some(error) = summary.refused {
        return Err(error.into());
    }
    if let Some(error) = summary.damaged {
        return Err(error.into());
    }
    if arguments.fail_on_incident && !incidents.is_empty() {
        return Ok(Outcome::Incident);
    }
    Ok(Outcome::Fine)
}

/// The capture that is followed, once there is one; `None` where a signal comes before.
async fn opened(path: &Path, stop: &mut Stop) -> Result<Option<Input<'static>>> {
    loop {
        if let Some(input) = Input::follow(path)? {
            return Ok(Some(input));
        }
        tokio::select! {
            () = stop.asked() => return Ok(None),
            () = tokio::time::sleep(UNTIL_HEADER) => {}
        }
    }
}

/// What the rules know at the end of a capture.
///
/// # Errors
/// The capture cannot be read.
pub async fn monitor(path: &Path, arguments: &RulesArguments) -> Result<Monitor> {
    let settings = for_ports(&arguments.ports)?;
    let name = replay_notes::names(&[path.to_owned()]);
    let given = !arguments.hosts.is_empty();
    let about = detection::about_capture(&arguments.ports, name.clone(), given);
    let options = detection::options(&arguments.detection, place(&arguments.hosts), about)?;
    let counting = HostEngine::new(&name, settings.clone());
    let engine = Replay::new(Input::open(path, &[])?, counting, &name, timeout(&settings));
    let mut session = Session::new(engine, &settings, options);
    session
        .run(&mut Whole::new(), std::future::pending())
        .await?;
    let (engine, monitor) = session.into_parts();
    if let Some(error) = engine.summary().damaged {
        return Err(error.into());
    }
    monitor.context("the capture has no packet with a time")
}

/// The whole of a capture.
struct Whole {
    interval: Interval,
    names: Names,
    /// Incidents as they were when they ended.
    ended: Vec<Record>,
    progress: Option<Progress>,
    /// How changes are written as they come, where a file is followed.
    changes: Option<Format>,
}

impl Whole {
    fn new() -> Self {
        Self {
            interval: Interval::of(u32::MAX),
            names: Names::default(),
            ended: Vec::new(),
            progress: None,
            changes: None,
        }
    }
}

impl Face for Whole {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        for sample in now.samples {
            self.names.add(sample);
        }
        if let Some(progress) = &self.progress {
            progress.show();
        }
        self.interval.add(now.reading);
        if let Some(format) = self.changes {
            for (change, record) in now.changes {
                match format {
                    Format::Json => output::json(&IncidentObject::new(record, Some(*change)))?,
                    Format::Text => output::line(&incident::change(*change, record))?,
                };
            }
        }
        let over = |change: &Change| matches!(change, Change::Closed | Change::Stale);
        let ended = now.changes.iter().filter(|(change, _)| over(change));
        self.ended.extend(ended.map(|(_, record)| record.clone()));
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, record: Record) -> Result<()> {
        self.ended.push(record);
        Ok(())
    }
}

fn show_reports(incidents: &[Record], verdict: &str, format: Format) -> Result<()> {
    for record in incidents {
        match format {
            Format::Json => output::json(&IncidentObject::new(record, None))?,
            Format::Text => output::line(&report::markdown(record, None))?,
        };
    }
    if incidents.is_empty() && format == Format::Text {
        output::line(verdict)?;
    }
    Ok(())
}

fn show(
    window: &Window,
    names: &Names,
    incidents: &[Record],
    about: About,
    format: Format,
) -> Result<()> {
    let totals = window.totals();
    match format {
        Format::Json => {
            for (key, server) in &window.servers {
                output::json(&ServerObject::new(key, server))?;
            }
            output::json(&SourcesObject::new(&window.sources))?;
            output::json(&NamesObject::new(names, window.names))?;
            for record in incidents {
                output::json(&IncidentObject::new(record, None))?;
            }
            let about = About {
                evicted_servers: Some(window.evicted),
                ..about
            };
            output::json(&TotalsObject::new(&totals, about))?;
        }
        Format::Text => {
            let cut = about.cut.unwrap_or(0);
            output::line(&summary(&totals, &window.busiest(), cut))?;
            let lines = [
                details::sources(&window.sources),
                details::names(names, window.names),
            ];
            for line in lines.into_iter().flatten() {
                output::line(&line)?;
            }
            for record in incidents {
                output::line(&incident::told(record))?;
            }
        }
    }
    Ok(())
}
