//! Reads the host on a thread of its own: a reading of `/proc` takes milliseconds, and with many sockets far
//! longer, and the thread that counts waits for nothing.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::facts::{HostReader, HostReading};

/// Time from one reading to the next.
const EVERY: Duration = Duration::from_secs(1);

/// The thread. It ends when this is dropped.
pub struct HostWatch {
    ask: SyncSender<()>,
    readings: Receiver<HostReading>,
}

impl HostWatch {
    /// Of these DNS ports, in the network namespace of the thread that calls this.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn new(ports: &[u16]) -> std::io::Result<Self> {
        let reader = HostReader::new(ports);
        let (ask, asked) = sync_channel(1);
        let (send, readings) = sync_channel(1);
        let reading = move || {
            for () in asked {
                // Gone is who asked; the loop ends then, too.
                let _ = send.send(reader.read());
                std::thread::sleep(EVERY);
            }
        };
        std::thread::Builder::new()
            .name("host".into())
            .spawn(reading)?;
        Ok(Self { ask, readings })
    }

    /// Asks for a reading; at most one a second is made. Never waits.
    pub fn ask(&self) {
        // Where it was asked before and has not begun, one reading answers both.
        let _ = self.ask.try_send(());
    }

    /// The reading that was made since this was last called.
    #[must_use]
    pub fn take(&self) -> Option<HostReading> {
        self.readings.try_iter().last()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn who_asks_does_not_wait_and_gets_a_reading_a_second() {
        let watch = HostWatch::new(&[53]).expect("a thread");
        assert!(watch.take().is_none());
        let begun = Instant::now();
        let mut readings = 0;
        while readings < 2 {
            watch.ask();
            readings += usize::from(watch.take().is_some());
            assert!(begun.elapsed() < EVERY * 10, "no reading comes");
            std::thread::yield_now();
        }
        assert!(begun.elapsed() >= EVERY, "two in less than a second");
    }
}
