//! Server-sent events: what is new, to each client that follows.
//!
//! A frame is made once and shared. A client has a queue of [`QUEUE`] frames; one that does not take them is dropped
//! and counted, so that nobody waits for it and nothing piles up.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::{broadcast, mpsc};
use tokio::time::sleep;

use super::frames;
use super::losses::Losses;
use super::page::render;
use crate::view::View;
use crate::view::publish::Live;

/// Clients that may follow at once.
pub const CLIENTS: usize = 16;
/// Frames that may wait for one.
pub const QUEUE: usize = 4;
/// A view is told once in this time at most.
const PERIOD: Duration = Duration::from_secs(1);

/// What a client follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON for programs.
    Api,
    /// Parts of the page.
    Page,
}

/// See the module.
pub struct Feed {
    clients: Mutex<Vec<Client>>,
    losses: Arc<Losses>,
}

struct Client {
    kind: Kind,
    queue: mpsc::Sender<Bytes>,
}

impl Feed {
    /// Nobody follows yet.
    pub fn new(losses: Arc<Losses>) -> Self {
        Self {
            clients: Mutex::default(),
            losses,
        }
    }

    /// Adds a client, whose first frame is the view of now; none where there are too many.
    pub fn join(
        &self,
        kind: Kind,
        view: &View,
    ) -> Option<impl Stream<Item = Result<Bytes, Infallible>> + use<>> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| !client.queue.is_closed());
        if clients.len() >= CLIENTS {
            self.losses.streams_dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let (queue, frames) = mpsc::channel(QUEUE);
        // A new queue has room.
        let _ = queue.try_send(frame_of(kind, view));
        clients.push(Client { kind, queue });
        Some(unfold(frames, async |mut frames| {
            let frame = frames.recv().await?;
            Some((Ok(frame), frames))
        }))
    }

    /// Tells views and events until the session ends.
    pub async fn run(&self, live: Live) {
        let Live {
            mut view,
            mut events,
        } = live;
        let mut due = Box::pin(sleep(PERIOD));
        let mut is_open = true;
        loop {
            tokio::select! {
                event = events.recv(), if is_open => match event {
                    Ok(event) => {
                        if let Some(frame) = frames::event(&event) {
                            self.tell(Kind::Api, || frame.clone());
                        }
                    }
                    // The views that follow have what was missed.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => is_open = false,
                },
                () = &mut due => {
                    if view.changed().await.is_err() {
                        return;
                    }
                    let now = view.borrow_and_update().clone();
                    for kind in [Kind::Api, Kind::Page] {
                        self.tell(kind, || frame_of(kind, &now));
                    }
                    due = Box::pin(sleep(PERIOD));
                }
            }
        }
    }

    /// Makes a frame if anybody follows, and gives it to all who do.
    fn tell(&self, kind: Kind, frame: impl FnOnce() -> Bytes) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| !client.queue.is_closed());
        if !clients.iter().any(|client| client.kind == kind) {
            return;
        }
        let frame = frame();
        clients.retain(|client| {
            if client.kind != kind || client.queue.try_send(frame.clone()).is_ok() {
                return true;
            }
            self.losses.streams_dropped.fetch_add(1, Ordering::Relaxed);
            false
        });
    }
}

fn frame_of(kind: Kind, view: &View) -> Bytes {
    match kind {
        Kind::Api => frames::verdict(view),
        Kind::Page => frames::frame("parts", &render::parts(view)),
    }
}
