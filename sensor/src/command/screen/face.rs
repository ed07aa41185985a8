//! What the session shows while the screen is on: nothing by itself. The screen has its own eyes, the live model.

use std::ops::ControlFlow;

use anyhow::Result;

use super::super::live::anything_left;
use crate::incident::Record;
use crate::session::{Face, Published};

/// See the module. Keeps what is said when it is off again.
#[derive(Default)]
pub struct Behind {
    /// Incidents that were open when the session ended.
    pub unfinished: Vec<Record>,
    /// Hooks that have lost our program, a sentence each.
    pub lost: Vec<String>,
}

impl Face for Behind {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        if self.lost.len() != now.status.lost.len() {
            self.lost.clone_from(&now.status.lost);
        }
        anything_left(now.status)?;
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, record: Record) -> Result<()> {
        self.unfinished.push(record);
        Ok(())
    }
}
