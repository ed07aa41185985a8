//! How much each client asks, within half a second: people who come in a crowd ask as people do, and bots do not.

use std::collections::BTreeSet;
use std::time::Duration;

use super::history::float;
use crate::measure::dossier::Dossier;

/// Queries are looked at over this long.
pub const SPAN: Duration = Duration::from_millis(500);
/// Dossiers that it takes.
const ENOUGH: usize = 20;

/// Queries of one client within [`SPAN`] up to `to`, on average. Of a sample, by how many clients are in it more than
/// once; `None` where there are too few queries, or too few that repeat a client to tell.
#[must_use]
pub fn each(recent: &[&Dossier], to: Duration) -> Option<f64> {
    let from = to.saturating_sub(SPAN);
    let is_in = |dossier: &&&Dossier| dossier.begun > from && dossier.begun <= to;
    let asked: Vec<&&Dossier> = recent.iter().filter(is_in).collect();
    let queries: u64 = asked.iter().map(|dossier| u64::from(dossier.weight)).sum();
    if asked.len() < ENOUGH {
        return None;
    }
    let clients: BTreeSet<_> = asked.iter().map(|dossier| dossier.client).collect();
    let clients = population(asked.len(), clients.len())?;
    Some((float(queries) / clients).max(1.0))
}

/// How many there are, where `found` different ones are among `drawn`: of n drawn from N with replacement,
/// N (1 - exp(-n / N)) are different on average.
fn population(drawn: usize, found: usize) -> Option<f64> {
    let (drawn, found) = (float(drawn as u64), float(found as u64));
    if found >= drawn {
        return None;
    }
    let different = |many: f64| many * (1.0 - (-drawn / many).exp());
    let (mut low, mut high) = (found, drawn * drawn);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if different(middle) < found {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(f64::midpoint(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_tells_how_many_there_are() {
        assert_eq!(population(50, 50), None);
        let many = population(500, 184).expect("some repeat");
        assert!((180.0..220.0).contains(&many), "{many}");
        let few = population(500, 20).expect("nearly all repeat");
        assert!((20.0..21.0).contains(&few), "{few}");
    }
}
