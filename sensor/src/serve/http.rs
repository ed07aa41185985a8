//! Connections: how many, how large a request may be, and how long each may take.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::losses::Losses;
use super::patience::Patience;

/// Connections that are served at once: 16 streams, scrapers, a few browsers.
pub const CONNECTIONS: usize = 64;
/// Connections beyond them that are told so at once. Those beyond these wait in the kernel.
const REFUSALS: usize = 256;
/// Longest wait for the request of a client who is refused.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// Longest head of a request; a longer one is 431.
const HEAD_BYTES: usize = 16 * 1024;
/// Headers of a request.
const HEADERS: usize = 64;
/// Longest time for a head to arrive, and for a connection to rest between two requests.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest time for a client to take an answer that does not fit into the buffers of the system.
const TAKE_TIME: Duration = Duration::from_secs(20);
/// Wait after a connection could not be accepted, as where no file descriptor is left.
const PAUSE: Duration = Duration::from_millis(100);

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
Content-Length: 50\r\nRetry-After: 5\r\nConnection: close\r\n\r\nall connections are in use; try again in a moment\n";

/// Room for connections, shared by all listeners.
pub struct Slots {
    served: Arc<Semaphore>,
    refused: Arc<Semaphore>,
}

impl Slots {
    /// All free.
    pub fn new() -> Self {
        Self {
            served: Arc::new(Semaphore::new(CONNECTIONS)),
            refused: Arc::new(Semaphore::new(REFUSALS)),
        }
    }
}

/// A socket that listens.
pub enum Listener {
    /// Over TCP.
    Tcp(TcpListener),
    /// At a path.
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Small frames must not wait for one another.
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Box::new(stream))
            }
        }
    }
}

/// Accepts for ever.
pub async fn accept(listener: Listener, router: Router, slots: Arc<Slots>, losses: Arc<Losses>) {
    loop {
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                log::debug!("a connection was not accepted: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        if let Ok(slot) = slots.served.clone().try_acquire_owned() {
            let router = router.clone();
            tokio::spawn(async move {
                serve(stream, router).await;
                drop(slot);
            });
            continue;
        }
        losses.connections_refused.fetch_add(1, Ordering::Relaxed);
        // Never closed.
        if let Ok(slot) = slots.refused.clone().acquire_owned().await {
            tokio::spawn(async move {
                refuse(stream).await;
                drop(slot);
            });
        }
    }
}

async fn serve(stream: Box<dyn Stream>, router: Router) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS);
    let stream = TokioIo::new(Patience::new(stream, TAKE_TIME));
    let service = TowerToHyperService::new(router);
    if let Err(error) = builder.serve_connection(stream, service).await {
        // What clients do wrong is theirs.
        log::debug!("a connection ended: {error}");
    }
}

/// Takes a part of the request first: closing a socket with unread data would take the answer away from the client.
async fn refuse(mut stream: Box<dyn Stream>) {
    let mut head = [0; 1024];
    let _ = timeout(REFUSAL_TIME, stream.read(&mut head)).await;
    let answer = async {
        stream.write_all(BUSY).await?;
        stream.shutdown().await
    };
    let _ = timeout(REFUSAL_TIME, answer).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_client_too_many_has_the_length_that_it_states() {
        let text = std::str::from_utf8(BUSY).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
    }
}
