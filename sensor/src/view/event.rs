//! What happens between two views.

use std::sync::Arc;

use crate::incident::tracker::Shadow;
use crate::incident::{Change, Record};

/// Something that happened. The view that follows has it too; an event is for those who must not miss it.
#[derive(Clone)]
pub enum Event {
    /// Something happened to an incident; with its record as it is now.
    Incident(Change, Arc<Record>),
    /// An incident was open where time ended: the session was ended, or the clock of a capture was set back.
    Unfinished(Arc<Record>),
    /// A rule fires, and opens no incident: it is in shadow mode.
    Shadow(Arc<Shadow>),
    /// An interface is not as it was; with its name, and how it is, in words.
    Link {
        /// Its name.
        interface: String,
        /// A code of [`super::InterfaceView::link`].
        link: &'static str,
    },
    /// A hook has lost our program; the sentence that says so.
    HookLost(String),
    /// Something was lost, so often since the last event of this code.
    Lost {
        /// A code of [`super::Loss`].
        what: &'static str,
        /// How often.
        count: u64,
    },
}
