//! Where `sensor status` asks a running sensor: a unix socket that gives one object a connection.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream as Stream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::present::status::StatusObject;
use crate::view::View;

/// Longest wait for one who asks and does not read; others wait meanwhile, in the kernel's own queue.
const PATIENCE: Duration = Duration::from_millis(200);
/// A pause after each answer: any number of those who ask takes a few per cent of a core at most.
const PAUSE: Duration = Duration::from_millis(2);
/// How the names of sockets end.
const SUFFIX: &str = "sock";
/// Between the interfaces in such a name.
const BETWEEN: &str = "+";

/// See the module. Dropping it ends the service and removes the socket.
pub struct StatusSocket {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl StatusSocket {
    /// Serves the latest view, from the runtime that this is called in. Sockets of sensors that were killed are removed.
    ///
    /// # Errors
    /// From the system.
    pub fn serve(
        directory: &Path,
        interfaces: &[String],
        view: watch::Receiver<Arc<View>>,
    ) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory)?;
        for path in sockets(directory)? {
            if is_dead(&path) {
                // Another sensor that starts may have removed it.
                let _ = fs::remove_file(path);
            }
        }
        let name = format!(
            "{}-{}.{SUFFIX}",
            interfaces.join(BETWEEN),
            std::process::id()
        );
        let path = directory.join(name);
        let listener = UnixListener::bind(&path)?;
        // The line names servers and clients' networks: for root, and the group that the directory is given to.
        give_to_group_of(directory, &path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660))?;
        let task = tokio::spawn(answer_all(listener, view));
        Ok(Self { path, task })
    }
}

/// Gives a socket to the group of its directory, where that is another.
fn give_to_group_of(directory: &Path, path: &Path) {
    let group = |path: &Path| fs::metadata(path).map(|data| data.gid());
    let given = group(directory).and_then(|wanted| {
        if group(path)? == wanted {
            return Ok(());
        }
        chown(path, None, Some(wanted))
    });
    if let Err(error) = given {
        log::warn!(
            "the group of {} may not ask this sensor: its socket cannot be given to that group: {error}",
            directory.display()
        );
    }
}

impl Drop for StatusSocket {
    fn drop(&mut self) {
        self.task.abort();
        // It may have been removed with its directory.
        let _ = fs::remove_file(&self.path);
    }
}

async fn answer_all(listener: UnixListener, view: watch::Receiver<Arc<View>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => answer(stream, &view).await,
            // Too many files are open: there may be room later.
            Err(error) => log::warn!("cannot answer `sensor status`: {error}"),
        }
        sleep(PAUSE).await;
    }
}

async fn answer(mut stream: UnixStream, view: &watch::Receiver<Arc<View>>) {
    let object = StatusObject::new(&view.borrow());
    // Strings and numbers always have a form in JSON.
    let mut line = serde_json::to_string(&object).unwrap_or_default();
    line.push('\n');
    // Who does not read, or has gone, has no answer.
    let _ = timeout(PATIENCE, stream.write_all(line.as_bytes())).await;
}

/// All sockets of a directory.
///
/// # Errors
/// It cannot be read.
pub fn sockets(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut sockets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == SUFFIX) {
            sockets.push(path);
        }
    }
    sockets.sort();
    Ok(sockets)
}

/// Whether a sensor of this interface has made the socket, by its name.
#[must_use]
pub fn watches(path: &Path, interface: &str) -> bool {
    let name = path.file_stem().and_then(|name| name.to_str());
    let interfaces = name.and_then(|name| name.rsplit_once('-'));
    interfaces.is_some_and(|(interfaces, _)| interfaces.split(BETWEEN).any(|one| one == interface))
}

/// Whether nobody listens there any more.
fn is_dead(path: &Path) -> bool {
    let connected = Stream::connect(path);
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}
