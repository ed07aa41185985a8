//! How far a long replay is: a bar on standard error with the rate.

use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// A file that is smaller is read before a bar could be seen.
const LARGE: u64 = 32 << 20;
/// What the bar shows.
const TEMPLATE: &str =
    "{bar:32} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";

/// See the module. It is gone when this is dropped.
pub struct Progress {
    bar: ProgressBar,
    read: Arc<AtomicU64>,
}

impl Progress {
    /// Of a file of which so many bytes were read; nothing where it is small, where its length is not known, or where
    /// standard error is no terminal.
    pub fn of(path: &Path, read: Arc<AtomicU64>) -> Option<Self> {
        let file = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
        if file.len() < LARGE || !stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::new(file.len());
        // The template is a constant: where it were wrong, the bar of the crate would show.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Some(Self { bar, read })
    }

    /// Shows how far it is now.
    pub fn show(&self) {
        self.bar.set_position(self.read.load(Ordering::Relaxed));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn a_small_file_and_a_pipe_have_no_bar() {
        for path in [
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            "/dev/stdin",
            "-",
        ] {
            assert!(
                Progress::of(Path::new(path), Arc::default()).is_none(),
                "{path}"
            );
        }
    }
}
