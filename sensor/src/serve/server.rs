//! The thread that serves.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;

use super::access::Access;
use super::http::{self, Listener, Slots};
use super::listen::{Bound, Listen};
use super::routes;
use super::shared::Shared;
use super::token::{Token, TokenError};
use crate::view::publish::Live;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// File with the token that clients over TCP must know; none is allowed where nobody beyond this host can connect.
    pub token: Option<PathBuf>,
    /// Names of this host that may stand in the Host header, beside `localhost` and the address itself.
    pub names: Vec<String>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Anybody could read it.
    #[error(
        "--listen {0} can be reached from other hosts, and needs a token: --listen-token FILE \
         (make one: (umask 077; head -c 32 /dev/urandom | base64 >FILE)); or listen at 127.0.0.1 or unix:PATH"
    )]
    NeedsToken(Listen),
    /// The file with the token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The address.
    #[error("cannot listen at {listen}")]
    Listen {
        /// Where.
        listen: Listen,
        /// From the system.
        source: io::Error,
    },
    /// The thread or its runtime.
    #[error("cannot start to serve")]
    Start(#[source] io::Error),
}

/// Sockets that listen, and on which nothing is served yet.
pub struct Sockets {
    addresses: Vec<Listen>,
    bound: Vec<(Bound, Access)>,
}

impl Sockets {
    /// Listens. Who connects waits until [`Server::start`].
    ///
    /// # Errors
    /// An address cannot be had, or would be open to others without a token.
    pub fn bind(options: &ServeOptions) -> Result<Self, ServeError> {
        let open = options.listen.iter().find(|listen| !listen.is_local());
        let token = options.token.as_deref().map(Token::read).transpose()?;
        if let (Some(open), None) = (open, &token) {
            return Err(ServeError::NeedsToken(open.clone()));
        }
        let mut addresses = Vec::new();
        let mut sockets = Vec::new();
        for listen in &options.listen {
            let error = |source| ServeError::Listen {
                listen: listen.clone(),
                source,
            };
            let bound = Bound::new(listen).map_err(error)?;
            let address = bound.address().map_err(error)?;
            let access = match &address {
                Listen::Tcp(address) => Access::at(*address, &options.names, token.clone()),
                Listen::Unix(_) => Access::by_file_mode(),
            };
            addresses.push(address);
            sockets.push((bound, access));
        }
        Ok(Self {
            addresses,
            bound: sockets,
        })
    }
}

/// Serves until it is dropped.
pub struct Server {
    addresses: Vec<Listen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the newest view on a thread of its own.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(sockets: Sockets, live: Live) -> Result<Self, ServeError> {
        let Sockets { addresses, bound } = sockets;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Start)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("serve".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(bound, live) => {}
                        // Dropped, or asked: both end it.
                        _ = stopped => {}
                    }
                });
            })
            .map_err(ServeError::Start)?;
        Ok(Self {
            addresses,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens, with the ports that were free.
    #[must_use]
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It waits for nobody: connections end with their runtime.
            let _ = thread.join();
        }
    }
}

async fn serve(sockets: Vec<(Bound, Access)>, live: Live) {
    let shared = Arc::new(Shared::new(live.view.clone()));
    let slots = Arc::new(Slots::new());
    let mut tasks = tokio::task::JoinSet::new();
    // Held until the end: it removes the files of unix sockets.
    let mut paths = Vec::new();
    for (bound, access) in sockets {
        let listener = match bound {
            Bound::Tcp(listener) => TcpListener::from_std(listener).map(Listener::Tcp),
            Bound::Unix(listener, path) => {
                paths.push(path);
                UnixListener::from_std(listener).map(Listener::Unix)
            }
        };
        match listener {
            Ok(listener) => {
                let router = routes::router(shared.clone(), access);
                let losses = shared.losses.clone();
                tasks.spawn(http::accept(listener, router, slots.clone(), losses));
            }
            Err(error) => log::error!("cannot serve: {error}"),
        }
    }
    shared.feed.run(live).await;
    // The session has ended; what it saw last is served until the command ends.
    while tasks.join_next().await.is_some() {}
}
