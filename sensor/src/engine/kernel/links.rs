//! Looks once a second, or when asked, on a thread of its own, whether the interfaces are still there and up,
//! and for the addresses of this host: a host may have thousands of interfaces.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use sensor_common::server::ServerKey;

use super::interface::Interface;
use crate::engine::status::LinkState;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// What was seen.
pub struct News {
    /// When the look began.
    pub at: Instant,
    /// Of the interfaces, in their order.
    pub states: Vec<LinkState>,
    /// Of this host.
    pub addresses: Arc<BTreeSet<ServerKey>>,
}

/// The thread. It ends when this is dropped.
pub struct Links {
    news: Receiver<News>,
    /// Asks for a look; closed, it ends the thread.
    asks: Sender<()>,
}

impl Links {
    /// Begins to look for the interfaces with these indexes, in the network namespace of the thread that calls this.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn watch(indexes: Vec<u32>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (send, news) = sync_channel(1);
        let (asks, asked) = channel();
        let looking = move || {
            let mut told = false;
            while asked.recv_timeout(EVERY) != Err(RecvTimeoutError::Disconnected) {
                if let Err(error) = runtime.block_on(look(&indexes, &send))
                    && !std::mem::replace(&mut told, true)
                {
                    log::warn!("whether the interfaces are still up is not known: {error}");
                }
            }
        };
        std::thread::Builder::new()
            .name("links".into())
            .spawn(looking)?;
        Ok(Self { news, asks })
    }

    /// Looks now, and not only when the second is over.
    pub fn look(&self) {
        // Where the thread has died, the interfaces stay as they were.
        let _ = self.asks.send(());
    }

    /// What was seen last, if it was not taken yet.
    pub fn news(&mut self) -> Option<News> {
        self.news.try_iter().last()
    }
}

async fn look(
    indexes: &[u32],
    send: &SyncSender<News>,
) -> Result<(), super::interface::InterfaceError> {
    let at = Instant::now();
    let all = Interface::all().await?;
    let state = |index| {
        let found = all.iter().find(|interface| interface.index == index);
        found.map_or(LinkState::Gone, |interface| interface.state)
    };
    let news = News {
        at,
        states: indexes.iter().copied().map(state).collect(),
        addresses: Arc::new(Interface::addresses()),
    };
    // Where the last news was not taken yet, the next is as good.
    let _ = send.try_send(news);
    Ok(())
}
