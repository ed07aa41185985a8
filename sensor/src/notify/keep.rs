//! Keeps incidents on disk, and ends those that an earlier sensor left open and this one does not find again.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::alert::Alert;
use crate::incident::past::ended_unseen;
use crate::incident::store::{Left, Store, StoreError};

/// What was left open is over unless it is found again within so long.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// A record of the last moment may still be on its way to the disk.
const MARGIN: Duration = Duration::from_secs(5);

/// A directory of incidents that is written.
pub struct Keeper {
    store: Store,
    /// Incidents that go on: as long as the files are open, other sensors leave these records alone.
    open: BTreeMap<String, File>,
    left: Vec<Left>,
    /// Packets of incidents that were taken up, as an earlier sensor has written them.
    packets: BTreeMap<String, Vec<u8>>,
}

impl Keeper {
    /// With what an earlier sensor left open.
    #[must_use]
    pub fn new(store: Store, left: Vec<Left>) -> Self {
        Self {
            store,
            open: BTreeMap::new(),
            left,
            packets: BTreeMap::new(),
        }
    }

    /// Writes what is queued, until the session ends.
    pub(super) fn run(mut self, queue: &Receiver<Arc<Alert>>) {
        if self.store.is_shared() {
            log::warn!(
                "others may write in {}: they could change what is kept there (`chmod go-w`)",
                self.store.directory().display()
            );
        }
        let settle_at = Instant::now() + PATIENCE + MARGIN;
        let mut told = false;
        loop {
            let next = if self.left.is_empty() {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                queue.recv_timeout(settle_at.saturating_duration_since(Instant::now()))
            };
            let written = match next {
                Ok(alert) => self.keep(&alert),
                Err(RecvTimeoutError::Timeout) => self.settle(now_ms()),
                Err(RecvTimeoutError::Disconnected) => return,
            };
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

    /// Writes an incident as it is now.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn keep(&mut self, alert: &Alert) -> Result<(), StoreError> {
        let (record, store) = (&alert.record, &self.store);
        let earlier = (!record.unwatched.is_empty()).then(|| {
            let packets = self.packets.entry(record.id.clone());
            &*packets.or_insert_with(|| store.packets(&record.id))
        });
        let earlier = earlier.map_or(&[][..], Vec::as_slice);
        let file = store.write(record, earlier, &alert.packets, &alert.calendar)?;
        if record.stage.goes_on() {
            self.open.insert(record.id.clone(), file);
        } else {
            self.open.remove(&record.id);
        }
        self.left.retain(|left| left.record.id != record.id);
        Ok(())
    }

    /// Ends what was left open and was not taken up.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn settle(&mut self, now_ms: u64) -> Result<(), StoreError> {
        for left in std::mem::take(&mut self.left) {
            self.store
                .write_record(&ended_unseen(left.record, now_ms))?;
        }
        Ok(())
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
