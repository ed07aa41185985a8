//! How a server, or the network, is: one of six.

/// In the order in which they matter, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Queries are answered as usual.
    Ok,
    /// Too early to tell.
    Learning,
    /// Only one direction of its traffic passes here, or nothing does.
    OneWay,
    /// Something is wrong, and most queries are answered.
    Degraded,
    /// Far more traffic than it is made for, and queries are answered still.
    Flooded,
    /// Queries fail.
    Failing,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::Learning,
        Self::OneWay,
        Self::Degraded,
        Self::Flooded,
        Self::Failing,
    ];

    /// The code used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Learning => "learning",
            Self::OneWay => "one_way",
            Self::Degraded => "degraded",
            Self::Flooded => "flooded",
            Self::Failing => "failing",
        }
    }
}
