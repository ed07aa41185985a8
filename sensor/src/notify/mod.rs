//! Tells others what happens to incidents. Each way has a thread and a bounded queue of its own: none can
//! slow the counting, and what a full queue loses is counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::incident::store::Store;

mod alert;
pub mod command;
pub mod file;
pub mod journal;
pub mod webhook;

pub use alert::Alert;

/// Alerts that may wait for a slow receiver.
const QUEUE: usize = 64;
/// Longest wait for the queues at the end.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// Where alerts go.
#[derive(Clone, Debug, Default)]
pub struct Receivers {
    /// Directory of the records.
    pub store: Option<Store>,
    /// File to which JSON lines are added; `-` for standard output.
    pub file: Option<PathBuf>,
    /// Commands, for `sh -c`.
    pub commands: Vec<String>,
    /// Addresses for HTTP POST.
    pub webhooks: Vec<String>,
    /// Where the system's journal listens.
    pub journal: Option<PathBuf>,
}

/// One way.
struct Way {
    name: String,
    queue: SyncSender<Arc<Alert>>,
    worker: JoinHandle<()>,
    lost: u64,
    /// It is told that records were brought up to date, too.
    updates: bool,
}

/// See the module.
#[derive(Default)]
pub struct Alerts {
    ways: Vec<Way>,
    /// Nobody waits any longer.
    over: Arc<AtomicBool>,
}

impl Alerts {
    /// Starts a thread for each receiver.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn new(receivers: Receivers) -> std::io::Result<Self> {
        let mut alerts = Self::default();
        if let Some(store) = receivers.store {
            alerts.add("the directory of incidents".into(), true, move |queue| {
                keep(&store, &queue);
            })?;
        }
        if let Some(path) = receivers.file {
            let name = path.display().to_string();
            alerts.add(name, false, move |queue| file::run(&path, &queue))?;
        }
        for line in receivers.commands {
            let name = format!("the command {line:?}");
            let over = alerts.over.clone();
            alerts.add(name, false, move |queue| command::run(&line, &queue, &over))?;
        }
        for url in receivers.webhooks {
            alerts.add(url.clone(), false, move |queue| webhook::run(&url, &queue))?;
        }
        if let Some(path) = receivers.journal {
            alerts.add("the journal".into(), false, move |queue| {
                journal::run(&path, &queue);
            })?;
        }
        Ok(alerts)
    }

    fn add(
        &mut self,
        name: String,
        updates: bool,
        work: impl FnOnce(Receiver<Arc<Alert>>) + Send + 'static,
    ) -> std::io::Result<()> {
        let (queue, received) = sync_channel(QUEUE);
        let worker = std::thread::Builder::new()
            .name("alerts".into())
            .spawn(move || work(received))?;
        self.ways.push(Way {
            name,
            queue,
            worker,
            lost: 0,
            updates,
        });
        Ok(())
    }

    /// Whether anybody is told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// Queues an alert for each receiver; never waits.
    pub fn send(&mut self, alert: Alert) {
        let alert = Arc::new(alert);
        for way in &mut self.ways {
            if alert.change.is_none() && !way.updates {
                continue;
            }
            if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
                way.queue.try_send(alert.clone())
            {
                way.lost += 1;
                if way.lost.is_power_of_two() {
                    log::error!("{} alerts were lost: {} is too slow", way.lost, way.name);
                }
            }
        }
    }

    /// Alerts that found a queue full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.ways.iter().map(|way| way.lost).sum()
    }

    /// Waits a little for what is queued.
    pub fn finish(self) {
        let end = Instant::now() + LAST_WAIT;
        let mut late = Vec::new();
        for way in self.ways {
            drop(way.queue);
            if !ends_before(&way.worker, end) {
                log::error!("{} has not taken the last alerts", way.name);
                late.push(way.worker);
            }
        }
        // A command that still runs is killed, and must not outlive the sensor.
        self.over.store(true, Ordering::Relaxed);
        let end = Instant::now() + LAST_WAIT / 10;
        for worker in late {
            ends_before(&worker, end);
        }
    }
}

fn ends_before(worker: &JoinHandle<()>, end: Instant) -> bool {
    while !worker.is_finished() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    worker.is_finished()
}

fn keep(store: &Store, queue: &Receiver<Arc<Alert>>) {
    if store.is_shared() {
        log::warn!(
            "others may write in {}: they could change what is kept there (`chmod go-w`)",
            store.directory().display()
        );
    }
    let mut told = false;
    for alert in queue {
        let written = store.write(&alert.record, &alert.packets, &alert.calendar);
        if let Err(error) = written
            && !std::mem::replace(&mut told, true)
        {
            log::error!(
                "incidents cannot be kept: {error}: {}",
                std::error::Error::source(&error).map_or_else(String::new, ToString::to_string)
            );
        }
    }
}
