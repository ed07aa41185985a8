//! A pause that is over: nothing was answered for a moment, and all is again.
//!
//! An address that moves to a standby, or a tree that is computed anew, takes a second or two. It is over before the
//! first query has had its time-out. What was asked meanwhile is then no part that fails now, and a cache that is cold
//! behind it is none that is slow by itself.

use std::time::Duration;

use crate::measure::dossier::Dossier;

/// An answer to a first copy takes no longer, unless nearly all do.
const PATIENCE: Duration = Duration::from_millis(300);
/// And what is not answered at all is lost after so long.
const WAITS: Duration = Duration::from_secs(1);
/// Queries of the pause, and those behind it, all of which are answered.
const LOST: usize = 5;
const FINE: usize = 20;
/// Answered ones in a row before which nothing was wrong.
const BEFORE: usize = 3;

/// What became of the first copy of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Answered,
    /// Slowly: the server has it.
    Late,
    /// Not answered yet: late, or lost.
    Open,
    Lost,
}

/// When the newest pause began and ended, by the time of asking, if it was no longer than `most`. Nearly all answers take
/// less than `slowest`.
#[must_use]
pub fn ended(
    recent: &[&Dossier],
    now: Duration,
    slowest: Duration,
    most: Duration,
) -> Option<(Duration, Duration)> {
    let patience = PATIENCE.max(2 * slowest);
    let first = |dossier: &&Dossier| {
        let asked = dossier.asked().filter(|asked| *asked + patience <= now)?;
        // Where a later copy was answered, the first one was not.
        let what = match (dossier.wait(), dossier.latency()) {
            (Some(wait), _) if wait <= patience => First::Answered,
            (Some(wait), Some(own)) if wait <= own => First::Late,
            // It may be on its way yet, from a cold cache.
            (None, _) if asked + WAITS.max(patience) > now => First::Open,
            _ => First::Lost,
        };
        Some((asked, what))
    };
    let mut first: Vec<(Duration, First)> = recent.iter().filter_map(first).collect();
    let is_lost = |(_, what): &(Duration, First)| *what == First::Lost;
    if !first.iter().any(is_lost) {
        return None;
    }
    first.sort_by_key(|(asked, _)| *asked);
    let end = first.iter().rposition(is_lost)?;
    // What is open right behind the last one that is lost is of the pause as well; what follows is not.
    let is_open = |(_, what): &&(Duration, First)| *what == First::Open;
    let tail = first[end + 1..].iter().take_while(is_open).count();
    let end = end + tail;
    let behind = &first[end + 1..];
    let open = behind.iter().filter(is_open).count();
    if behind.len() < FINE || open * 10 > behind.len() {
        return None;
    }
    let (mut begun, mut lost, mut in_a_row) = (first[end].0, 0, 0);
    for (asked, what) in first[..=end].iter().rev() {
        if matches!(what, First::Lost | First::Open) {
            in_a_row = 0;
            lost += 1;
            begun = *asked;
        } else {
            in_a_row += 1;
            if in_a_row == BEFORE {
                break;
            }
        }
    }
    let to = first[end].0;
    let of = first
        .iter()
        .filter(|(asked, _)| (begun..=to).contains(asked));
    let nearly_all = lost * 5 >= of.count() * 4;
    (lost >= LOST && nearly_all && to.saturating_sub(begun) <= most).then_some((begun, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::dossier::Dossiers;
    use crate::measure::made::{answer, query};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Queries ten milliseconds apart, each answered at once or never.
    fn found(is_lost: impl Fn(u64) -> bool) -> Option<(Duration, Duration)> {
        let mut dossiers = Dossiers::default();
        for n in 0..400_u16 {
            let asked = query(ms(10 * u64::from(n)), 1, 53, n);
            dossiers.add(&asked);
            if !is_lost(10 * u64::from(n)) {
                dossiers.add(&answer(&asked, Duration::ZERO, 0));
            }
        }
        let recent: Vec<&Dossier> = dossiers.since(Duration::ZERO).collect();
        ended(&recent, ms(4_000), ms(4), ms(2_000))
    }

    #[test]
    fn a_second_without_an_answer_is_one() {
        let pause = found(|at| (1_000..2_200).contains(&at));
        assert_eq!(pause, Some((ms(1_000), ms(2_190))));
    }

    #[test]
    fn what_goes_on_or_lasts_or_is_a_part_is_none() {
        assert_eq!(found(|at| at >= 1_000), None);
        assert_eq!(found(|at| (1_000..3_300).contains(&at)), None);
        assert_eq!(
            found(|at| (1_000..2_200).contains(&at) && at % 20 == 0),
            None
        );
        assert_eq!(found(|at| at >= 1_000 && at % 30 != 0), None);
        assert_eq!(found(|_| false), None);
    }
}
