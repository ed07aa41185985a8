//! Tells others what happens to incidents. Each way has a thread and a bounded queue of its own: none can
//! slow the counting, and what a full queue loses is counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::incident::store::{Left, Store};
use crate::measure::counted::were;

mod alert;
pub mod command;
pub mod file;
pub mod journal;
pub mod keep;
mod tally;
pub mod webhook;

pub use alert::Alert;
use keep::Keeper;
pub use tally::Count;
use tally::Tally;

/// Alerts that may wait for a slow receiver.
const QUEUE: usize = 64;
/// Longest wait for the queues at the end.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// Where alerts go.
#[derive(Debug, Default)]
pub struct Receivers {
    /// Directory of the records.
    pub store: Option<Store>,
    /// What an earlier sensor left open in it.
    pub left: Vec<Left>,
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
    /// Of which kind it is, and what became of its alerts; the directory of incidents gets none.
    kind: Option<(&'static str, Arc<Tally>)>,
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
            let name = "the directory of incidents".into();
            let keeper = Keeper::new(store, receivers.left);
            alerts.add(name, None, move |queue| keeper.run(&queue))?;
        }
        if let Some(path) = receivers.file {
            let name = path.display().to_string();
            alerts.tell(name, "file", move |queue, tally| {
                file::run(&path, &queue, tally);
            })?;
        }
        for line in receivers.commands {
            let name = format!("the command {line:?}");
            let over = alerts.over.clone();
            alerts.tell(name, "command", move |queue, tally| {
                command::run(&line, &queue, &over, tally);
            })?;
        }
        for url in receivers.webhooks {
            alerts.tell(url.clone(), "webhook", move |queue, tally| {
                webhook::run(&url, &queue, tally);
            })?;
        }
        if let Some(path) = receivers.journal {
            alerts.tell("the journal".into(), "journal", move |queue, tally| {
                journal::run(&path, &queue, tally);
            })?;
        }
        Ok(alerts)
    }

    /// Adds a way that is told of changes.
    fn tell(
        &mut self,
        name: String,
        kind: &'static str,
        work: impl FnOnce(Receiver<Arc<Alert>>, &Tally) + Send + 'static,
    ) -> std::io::Result<()> {
        let tally = Arc::new(Tally::default());
        let counted = tally.clone();
        self.add(name, Some((kind, tally)), move |queue| {
            work(queue, &counted);
        })
    }

    fn add(
        &mut self,
        name: String,
        kind: Option<(&'static str, Arc<Tally>)>,
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
            kind,
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
            // Only the directory keeps what was merely brought up to date.
            if alert.change.is_none() && way.kind.is_some() {
                continue;
            }
            if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
                way.queue.try_send(alert.clone())
            {
                way.lost += 1;
                if way.lost.is_power_of_two() {
                    let lost = were(way.lost, "alert");
                    log::error!("{lost} lost: {} is too slow", way.name);
                }
            }
        }
    }

    /// Alerts that found a queue full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.ways.iter().map(|way| way.lost).sum()
    }

    /// What became of alerts, by the kind of their receiver. Those that wait are in neither count.
    #[must_use]
    pub fn counts(&self) -> Vec<Count> {
        let mut counts: Vec<Count> = Vec::new();
        for way in &self.ways {
            let Some((kind, tally)) = &way.kind else {
                continue;
            };
            let (sent, failed) = tally.counts();
            let failed = failed + way.lost;
            match counts.iter_mut().find(|count| count.way == *kind) {
                Some(count) => {
                    count.sent += sent;
                    count.failed += failed;
                }
                None => counts.push(Count {
                    way: kind,
                    sent,
                    failed,
                }),
            }
        }
        counts
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
