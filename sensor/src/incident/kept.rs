//! Where an incident is kept, for those who may look there.

use std::path::PathBuf;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The directory, where it is not the usual one.
    pub state: Option<PathBuf>,
    /// The file with its sampled packets, where there are any.
    pub packets: Option<PathBuf>,
}

impl Kept {
    /// What a command line needs behind the id: ` --state DIR`, or nothing.
    #[must_use]
    pub fn option(&self) -> String {
        let state = self.state.as_ref();
        state.map_or_else(String::new, |state| format!(" --state {}", state.display()))
    }
}
