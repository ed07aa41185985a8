//! A capture that is still written: when it is read on, and when that ends.

use std::pin::Pin;
use std::time::Duration;

/// Between two looks whether there is more.
const PAUSE: Duration = Duration::from_millis(100);
/// After so many in vain nothing is about to come that is earlier than what was read.
const QUIET: u32 = 10;

/// See the module.
pub struct Follow {
    /// What ends it; none once that has come.
    until: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Looks in vain.
    pauses: u32,
}

/// Whether there may be more.
pub(super) enum Grown {
    Perhaps,
    NotForLong,
    NeverAgain,
}

impl Follow {
    /// Until something happens: a signal.
    pub fn until(end: impl Future<Output = ()> + 'static) -> Self {
        Self {
            until: Some(Box::pin(end)),
            pauses: 0,
        }
    }

    /// Whether it has ended; this lets others run, who would tell of it.
    pub(super) async fn is_over(&mut self) -> bool {
        self.pauses = 0;
        self.ends_before(tokio::task::yield_now()).await
    }

    /// Waits a little for more.
    pub(super) async fn wait(&mut self) -> Grown {
        if self.ends_before(tokio::time::sleep(PAUSE)).await {
            return Grown::NeverAgain;
        }
        self.pauses += 1;
        if self.pauses < QUIET {
            Grown::Perhaps
        } else {
            Grown::NotForLong
        }
    }

    async fn ends_before(&mut self, other: impl Future<Output = ()>) -> bool {
        let Some(until) = &mut self.until else {
            return true;
        };
        tokio::select! {
            biased;
            () = until => {}
            () = other => return false,
        }
        self.until = None;
        true
    }
}
