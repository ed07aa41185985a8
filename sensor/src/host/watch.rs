//! Reads the host on a thread of its own: a reading of `/proc` takes milliseconds, and the thread that counts waits for
//! nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::cgroups::{self, Cgroups};
use super::counters::{Counters, conntrack_fill};
use super::drops::{Drops, Seen};
use super::events::event::Event;
use super::events::listener::Listener;
use super::facts::HostReading;
use super::moment::Moment;
use super::sockets::Sockets;

/// Time from one reading of the drop program to the next.
const EVERY: Duration = Duration::from_millis(500);
/// Where nothing is asked for, the counters are read at each of so many only.
const AT_REST: u32 = 2;
/// Cgroups come and go slowly, and looking through thousands takes milliseconds.
const CGROUPS_EVERY: Duration = Duration::from_secs(10);
/// Readings that wait to be taken: half a minute of them. The oldest go.
const WAITING: usize = 60;

/// The thread. It ends a moment after this is dropped.
pub struct HostWatch {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    asked: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    moments: Vec<(Instant, Moment)>,
    sockets: Option<Sockets>,
    conntrack: Option<[u64; 2]>,
    cgroups: Option<Cgroups>,
    events: Vec<(Instant, Event)>,
    events_missed: u64,
}

impl HostWatch {
    /// Of these DNS ports and watched interfaces, in the network namespace of the thread that calls this; with what the
    /// drop program counts, where there is one.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn new(ports: &[u16], watched: &[String], drops: Option<Drops>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let reader = Reader {
            ports: ports.to_vec(),
            drops,
            listener: Listener::open(watched)
                .map_err(|error| log::warn!("changes of links and routes are not known: {error}"))
                .ok(),
            before: Counters::read(),
            at: Instant::now(),
            turn: 0,
            cgroups_at: None,
            seen: Seen::default(),
        };
        let weak = Arc::downgrade(&shared);
        std::thread::Builder::new()
            .name("host".into())
            .spawn(move || reader.run(&weak))?;
        Ok(Self { shared })
    }

    /// Asks for the counters and the sockets from now on, until a moment after it was last called. Never waits.
    pub fn ask(&self) {
        self.shared.asked.store(true, Ordering::Relaxed);
    }

    /// What was read since this was last called.
    #[must_use]
    pub fn take(&self) -> Option<HostReading> {
        let mut waiting = self.shared.waiting();
        if waiting.moments.is_empty() {
            return None;
        }
        let Waiting {
            moments,
            sockets,
            conntrack,
            cgroups,
            events,
            events_missed,
        } = std::mem::take(&mut *waiting);
        let moments = moments.into_iter();
        Some(HostReading {
            moments: moments.map(|(at, moment)| (at.elapsed(), moment)).collect(),
            sockets,
            conntrack,
            cgroups,
            events: events
                .into_iter()
                .map(|(at, event)| (at.elapsed(), event))
                .collect(),
            events_missed,
        })
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        // Plain data: whole also where a thread panicked.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reader {
    ports: Vec<u16>,
    drops: Option<Drops>,
    listener: Option<Listener>,
    before: Counters,
    at: Instant,
    turn: u32,
    /// When the cgroups were last looked at.
    cgroups_at: Option<Instant>,
    /// Drops that were read since the last moment.
    seen: Seen,
}

impl Reader {
    fn run(mut self, shared: &Weak<Shared>) {
        loop {
            let events = if let Some(listener) = &mut self.listener {
                listener.wait(EVERY)
            } else {
                std::thread::sleep(EVERY);
                Vec::new()
            };
            let Some(shared) = shared.upgrade() else {
                return;
            };
            if let Some(drops) = &mut self.drops {
                match drops.read() {
                    Ok(seen) => self.seen.add(seen),
                    Err(error) => {
                        log::warn!("dropped packets are not counted any more: {error}");
                        self.drops = None;
                    }
                }
            }
            self.turn += 1;
            let asked = shared.asked.swap(false, Ordering::Relaxed);
            let is_news = !self.seen.is_empty() || !events.is_empty();
            self.tell(&shared, events);
            if asked || is_news || self.turn >= AT_REST {
                self.turn = 0;
                self.push(&shared, asked);
            }
        }
    }

    /// Events that nobody takes go, the newest first: what began it all is older.
    fn tell(&mut self, shared: &Shared, events: Vec<(Instant, Event)>) {
        let mut waiting = shared.waiting();
        for event in events {
            if waiting.events.len() < WAITING {
                waiting.events.push(event);
            } else {
                waiting.events_missed += 1;
            }
        }
        if let Some(listener) = &mut self.listener {
            waiting.events_missed += listener.take_missed();
        }
    }

    fn push(&mut self, shared: &Shared, asked: bool) {
        let (now, counters) = (Instant::now(), Counters::read());
        let seen = std::mem::take(&mut self.seen);
        let moment = Moment {
            length: now.saturating_duration_since(self.at),
            counters: counters - self.before,
            drops: self.drops.as_ref().map(|_| seen.drops),
            unparsed: seen.unparsed,
            paused: seen.paused,
        };
        (self.at, self.before) = (now, counters);
        let sockets = asked.then(|| Sockets::read(&self.ports));
        let conntrack = asked.then(conntrack_fill).flatten();
        let is_due = self
            .cgroups_at
            .is_none_or(|at| now.saturating_duration_since(at) >= CGROUPS_EVERY);
        let cgroups = (asked && is_due).then(cgroups::read);
        if cgroups.is_some() {
            self.cgroups_at = Some(now);
        }
        let mut waiting = shared.waiting();
        if waiting.moments.len() == WAITING {
            waiting.moments.remove(0);
        }
        waiting.moments.push((now, moment));
        waiting.sockets = sockets.or(waiting.sockets.take());
        waiting.conntrack = conntrack.or(waiting.conntrack);
        waiting.cgroups = cgroups.or(waiting.cgroups.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_does_not_wait_and_gets_readings_with_sockets() {
        let watch = HostWatch::new(&[53], &[], None).expect("a thread");
        assert!(watch.take().is_none());
        let begun = Instant::now();
        let mut readings = 0;
        while readings < 2 {
            watch.ask();
            if let Some(reading) = watch.take() {
                assert!(reading.sockets.is_some());
                assert!(
                    reading
                        .moments
                        .iter()
                        .all(|(_, moment)| moment.drops.is_none())
                );
                readings += 1;
            }
            assert!(begun.elapsed() < EVERY * 20, "no reading comes");
            std::thread::yield_now();
        }
        assert!(begun.elapsed() >= EVERY, "two at once");
    }
}
