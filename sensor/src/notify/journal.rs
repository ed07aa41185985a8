//! The system's journal, in its native protocol (systemd, "Native Journal Protocol").

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::alert::Alert;
use super::tally::Tally;
use crate::present::{incident, words};

/// Where it listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// Writes an entry for each alert to a journal that listens there.
pub fn run(journal: &Path, queue: &Receiver<Arc<Alert>>, tally: &Tally) {
    for alert in queue {
        let sent = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.send_to(entry(&alert).as_bytes(), journal)
        });
        tally.note(sent.is_ok());
        if let Err(error) = sent {
            log::error!(
                "cannot write to the journal ({}): {error}",
                journal.display()
            );
        }
    }
}

/// One field a line: none of them has a line break.
fn entry(alert: &Alert) -> String {
    let record = &alert.record;
    let (message, change) = alert.change.map_or_else(Default::default, |change| {
        (incident::change(change, record), change.name())
    });
    // syslog(3): warning or critical.
    let priority = if record.level.name() == "critical" {
        2
    } else {
        4
    };
    [
        ("MESSAGE", message.as_str()),
        ("PRIORITY", &priority.to_string()),
        ("SYSLOG_IDENTIFIER", "sensor"),
        ("SENSOR_CHANGE", change),
        ("SENSOR_INCIDENT", &record.id),
        ("SENSOR_SERVER", record.server.as_deref().unwrap_or("")),
        ("SENSOR_CAUSE", &words::cause::codes(record)),
    ]
    .map(|(field, value)| format!("{field}={}\n", value.replace('\n', " ")))
    .concat()
}
