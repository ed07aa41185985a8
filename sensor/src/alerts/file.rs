//! JSON lines in a file, or on standard output.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::Alert;

/// Adds a line for each alert. The file is opened anew for each, so that it can be rotated.
pub fn run(path: &Path, queue: &Receiver<Arc<Alert>>) {
    for alert in queue {
        if let Err(error) = add(path, &alert.json) {
            log::error!("cannot write an alert to {}: {error}", path.display());
        }
    }
}

fn add(path: &Path, line: &str) -> io::Result<()> {
    if path == Path::new("-") {
        return writeln!(io::stdout(), "{line}");
    }
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).mode(0o600).open(path)?;
    writeln!(file, "{line}")
}
