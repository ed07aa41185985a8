//! What the session shows while the screen is on: nothing by itself. The screen has its own eyes, the live model.

use std::ops::ControlFlow;

use anyhow::Result;

use super::super::lines::anything_left;
use crate::incident::Record;
use crate::session::{Face, Published};

/// See the module. Keeps incidents that go on at the end.
#[derive(Default)]
pub struct Behind {
    /// Incidents that were open when the session ended.
    pub unfinished: Vec<Record>,
}

impl Face for Behind {
    fn show(&mut self, now: &Published<'_>) -> Result<ControlFlow<()>> {
        anything_left(now.status)?;
        Ok(ControlFlow::Continue(()))
    }

    fn unfinished(&mut self, record: Record) -> Result<()> {
        self.unfinished.push(record);
        Ok(())
    }
}
