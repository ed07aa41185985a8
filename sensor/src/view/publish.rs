//! Hands views and events to those who show them.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use super::build::{Builder, Input};
use super::event::Event;
use super::model::View;
use crate::incident::Record;

/// Events that wait for a receiver; one that is slower loses the oldest, and is told how many.
const EVENTS: usize = 256;

/// What a face holds: the latest view, and events from the time of asking on. Both end with the session.
pub struct Live {
    /// The latest view; [`View::empty()`] before the first tick.
    pub view: watch::Receiver<Arc<View>>,
    /// See [`Event`].
    pub events: broadcast::Receiver<Event>,
}

impl Clone for Live {
    fn clone(&self) -> Self {
        Self {
            view: self.view.clone(),
            events: self.events.resubscribe(),
        }
    }
}

/// Builds a view at each tick, and sends it.
pub struct Publisher {
    builder: Builder,
    view: watch::Sender<Arc<View>>,
    events: broadcast::Sender<Event>,
}

impl Default for Publisher {
    fn default() -> Self {
        Self::new()
    }
}

impl Publisher {
    /// Nothing was published yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            builder: Builder::new(),
            view: watch::Sender::new(Arc::new(View::empty())),
            events: broadcast::Sender::new(EVENTS),
        }
    }

    /// For one more face.
    #[must_use]
    pub fn live(&self) -> Live {
        Live {
            view: self.view.subscribe(),
            events: self.events.subscribe(),
        }
    }

    /// See [`Builder::begin`].
    pub fn begin(&mut self) {
        self.builder.begin();
    }

    /// See [`Builder::unfinished`].
    pub fn unfinished(&mut self, record: &Record) {
        let event = self.builder.unfinished(record.clone());
        // Nobody may listen any more.
        let _ = self.events.send(event);
    }

    /// Takes a tick. Events are sent after the view that has them.
    pub fn publish(&mut self, input: &Input<'_>) {
        let (view, events) = self.builder.tick(input);
        self.view.send_replace(Arc::new(view));
        for event in events {
            let _ = self.events.send(event);
        }
    }
}
