//! What happens to an incident.

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It began.
    Opened,
    /// It became critical.
    Worsened,
    /// It has another symptom.
    Symptom,
    /// Another cause is likely now.
    Cause,
    /// It is critical no more.
    Eased,
    /// It is over.
    Closed,
    /// There is no more traffic.
    Stale,
}

impl Change {
    /// The name used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worsened => "worsened",
            Self::Symptom => "symptom",
            Self::Cause => "cause",
            Self::Eased => "eased",
            Self::Closed => "closed",
            Self::Stale => "stale",
        }
    }
}
