//! How something is, since when, and how long it was how.

use std::time::Duration;

use crate::view::state::State;

/// Something that is wrong is over when it was not seen for so long. What becomes worse is worse at once.
const SETTLED: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Clone, Debug)]
pub struct Standing {
    /// How it is.
    pub state: State,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// Times that it came into each state, in the order of [`State::ALL`].
    pub changes: [u64; State::ALL.len()],
    /// Time that it was in each state.
    pub spent: [Duration; State::ALL.len()],
    /// For how long it has been better than that.
    better: Duration,
}

impl Standing {
    /// From now on.
    pub fn new(state: State, at_ms: u64) -> Self {
        let mut changes = [0; State::ALL.len()];
        changes[state.index()] = 1;
        Self {
            state,
            since_ms: at_ms,
            changes,
            spent: [Duration::ZERO; State::ALL.len()],
            better: Duration::ZERO,
        }
    }

    /// A tick has passed, and this is what was found at its end.
    pub fn tick(&mut self, found: State, elapsed: Duration, at_ms: u64) {
        self.spent[self.state.index()] += elapsed;
        if found < self.state && self.state.is_bad() {
            self.better += elapsed;
            if self.better < SETTLED {
                return;
            }
        }
        self.better = Duration::ZERO;
        if found != self.state {
            self.state = found;
            self.since_ms = at_ms;
            self.changes[found.index()] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(250);

    #[test]
    fn it_is_worse_at_once_and_better_after_two_seconds() {
        let mut standing = Standing::new(State::Learning, 0);
        standing.tick(State::Ok, TICK, 250);
        standing.tick(State::Failing, TICK, 500);
        assert_eq!((standing.state, standing.since_ms), (State::Failing, 500));
        // A tick without a failure is no recovery.
        for tick in 3..9 {
            standing.tick(State::Ok, TICK, tick * 250);
        }
        standing.tick(State::Failing, TICK, 2_250);
        assert_eq!((standing.state, standing.since_ms), (State::Failing, 500));
        for tick in 10..17 {
            standing.tick(State::Ok, TICK, tick * 250);
            assert_eq!(standing.state, State::Failing);
        }
        standing.tick(State::Ok, TICK, 4_250);
        assert_eq!((standing.state, standing.since_ms), (State::Ok, 4_250));
        assert_eq!(standing.changes, [2, 1, 0, 0, 0, 1]);
        assert_eq!(standing.spent[State::Failing.index()], TICK * 15);
    }
}
