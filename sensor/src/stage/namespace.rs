//! Anonymous network namespaces.

use std::fs::File;
use std::future::Future;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use super::StageError;

/// A network namespace without a name. It lives as long as this descriptor, a socket or a device
/// in use in it.
pub struct Namespace {
    descriptor: File,
}

impl Namespace {
    /// Makes a namespace with nothing in it but a loopback device that is down.
    ///
    /// # Errors
    /// The kernel refuses: `CAP_SYS_ADMIN` is missing.
    pub fn new() -> Result<Self, StageError> {
        // A namespace belongs to a thread: another thread makes it, so that this one stays.
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(StageError::system("make a network namespace"))?;
            File::open("/proc/thread-self/ns/net")
                .map_err(StageError::system("open a network namespace"))
        });
        let descriptor = made.join().map_err(|_| StageError::Panicked)??;
        Ok(Self { descriptor })
    }

    /// Runs `work` on a thread inside the namespace and waits for it. Sockets that it makes stay
    /// in the namespace.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, StageError> {
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                setns(self.descriptor.as_fd(), CloneFlags::CLONE_NEWNET)
                    .map_err(StageError::system("enter a network namespace"))?;
                Ok(work())
            });
            worker.join().map_err(|_| StageError::Panicked)?
        })
    }

    /// Runs a future to its end on a thread inside the namespace.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn block_on<F, T>(&self, work: impl FnOnce() -> F + Send) -> Result<T, StageError>
    where
        F: Future<Output = T>,
        T: Send,
    {
        self.enter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(StageError::system("start a runtime"))?;
            Ok(runtime.block_on(work()))
        })?
    }

    /// For moving a device here.
    #[must_use]
    pub fn raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}
