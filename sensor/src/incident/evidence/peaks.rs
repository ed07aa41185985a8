//! How much was asked at the worst, by how many, and for how many names.

use std::time::Duration;

use super::super::record::{Party, Range};
use crate::detect::baseline::Settling;
use crate::detect::{Detector, ServerState};
use crate::measure::address::prefix;

/// Heavy sources that are told.
const HEAVIEST: usize = 5;

/// See the module.
#[derive(Default)]
pub struct Peaks {
    /// Queries a second; answers a second, of the whole network.
    pub rate: Range,
    /// Different sources a second, on the whole network.
    pub distinct_sources: Range,
    /// Different names a second, on the whole network.
    pub distinct_names: Range,
    /// The heaviest sources of the network when the rate was worst.
    pub sources: Vec<Party>,
}

impl Peaks {
    /// Notes what the last second had, of a server or of the whole network.
    pub fn note(&mut self, server: Option<&ServerState>, detector: &Detector) {
        let network = detector.network();
        let learning = detector.thresholds().learning;
        let usual = |settling: &Settling| settling.after(learning);
        self.distinct_sources
            .note(usual(&network.usual_sources), network.distinct_sources);
        self.distinct_names
            .note(usual(&network.usual_names), network.distinct_names);
        let Some(state) = server else {
            let lately = network.history.over(Duration::from_secs(1));
            let rate = lately.rate(lately.counters.responses);
            self.rate.note(None, rate);
            return;
        };
        let lately = state.history.over(Duration::from_secs(1));
        let rate = lately.rate(lately.counters.queries);
        if rate >= self.rate.worst
            && let Some((sources, _)) = &network.sources
        {
            let heaviest = sources.addresses.iter().take(HEAVIEST);
            self.sources = heaviest
                .map(|heavy| Party {
                    who: prefix(&heavy.source),
                    count: heavy.at_least,
                    what: None,
                })
                .collect();
        }
        self.rate.note(state.usual.rate.after(learning), rate);
    }
}
