//! Looks once a second, on a thread of its own, whether the interfaces are still there and up, and for the
//! addresses of this host: a host may have thousands of interfaces.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use sensor_common::server::ServerKey;

use super::attach::Mark;
use super::interface::Interface;
use crate::engine::status::LinkState;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// What was seen.
pub struct News {
    /// Of the interfaces, in their order.
    pub states: Vec<LinkState>,
    /// Of this host.
    pub addresses: Arc<BTreeSet<ServerKey>>,
}

/// The thread. It ends when this is dropped.
pub struct Links {
    news: Receiver<News>,
    _end: Sender<()>,
}

impl Links {
    /// Begins to look, in the network namespace of the thread that calls this.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn watch(marks: Vec<Mark>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (send, news) = sync_channel(1);
        let (end, ended) = channel();
        let looking = move || {
            let mut told = false;
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = runtime.block_on(look(&marks, &send))
                    && !std::mem::replace(&mut told, true)
                {
                    log::warn!("whether the interfaces are still up is not known: {error}");
                }
            }
        };
        std::thread::Builder::new()
            .name("links".into())
            .spawn(looking)?;
        Ok(Self { news, _end: end })
    }

    /// What was seen last, if it was not taken yet.
    pub fn news(&mut self) -> Option<News> {
        self.news.try_iter().last()
    }
}

async fn look(
    marks: &[Mark],
    send: &SyncSender<News>,
) -> Result<(), super::interface::InterfaceError> {
    let all = Interface::all().await?;
    let news = News {
        states: marks.iter().map(|mark| mark.state(&all)).collect(),
        addresses: Arc::new(Interface::addresses()),
    };
    // Where the last news was not taken yet, the next is as good.
    let _ = send.try_send(news);
    Ok(())
}
