//! JSON lines in a file, or on standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::alert::Alert;
use super::tally::Tally;

/// Adds a line for each alert. The file is opened anew for each, so that it can be rotated.
pub fn run(path: &Path, queue: &Receiver<Arc<Alert>>, tally: &Tally) {
    for alert in queue {
        let added = add(path, &alert.json);
        tally.note(added.is_ok());
        if let Err(error) = added {
            log::error!("cannot write an alert to {}: {error}", path.display());
        }
    }
}

fn add(path: &Path, line: &str) -> io::Result<()> {
    if path == Path::new(STANDARD_OUTPUT) {
        return writeln!(io::stdout(), "{line}");
    }
    writeln!(open(path)?, "{line}")
}

/// Stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// Whether the file can be written.
///
/// # Errors
/// It cannot.
pub fn check(path: &Path) -> io::Result<()> {
    if path != Path::new(STANDARD_OUTPUT) {
        open(path)?;
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path)
}
