//! What the sensor spends, and what it has lost.

use std::collections::VecDeque;

use crate::engine::own_cost::{Meter, Spent};
use crate::engine::status::Status;
use crate::measure::window::Window;
use crate::view::loss::Loss;
use crate::view::model::SensorView;

/// CPU time is told of so many seconds.
const SECONDS: usize = 10;

/// See the module.
pub struct Cost {
    meter: Meter,
    spent: VecDeque<Spent>,
    /// In the order of [`Loss::ALL`].
    lost: [u64; Loss::ALL.len()],
    /// What was told of it.
    told: [u64; Loss::ALL.len()],
}

impl Cost {
    pub fn new() -> Self {
        Self {
            meter: Meter::new(),
            spent: VecDeque::new(),
            lost: [0; Loss::ALL.len()],
            told: [0; Loss::ALL.len()],
        }
    }

    /// Adds what a tick lost; what others have counted since the session began is brought up to date.
    pub fn tick(&mut self, window: &Window, servers_forgotten: u64, alerts_lost: u64) {
        let untracked: u64 = window
            .servers
            .values()
            .map(|server| server.counters.transactions.untracked)
            .sum();
        for (lost, loss) in self.lost.iter_mut().zip(Loss::ALL) {
            match loss {
                Loss::SamplesLost => *lost += window.cost.samples_lost,
                Loss::SamplesCapped => *lost += window.cost.samples_capped,
                Loss::PacketsRefused => *lost += window.refused,
                Loss::QueriesUntracked => *lost += untracked + window.other.transactions.untracked,
                Loss::TicksLate => *lost += u64::from(window.gap),
                // The detector of a capture may have been replaced by a new one.
                Loss::ServersForgotten => *lost = (*lost).max(servers_forgotten),
                Loss::AlertsLost => *lost = alerts_lost,
            }
        }
    }

    /// A second has ended. Gives what was lost in it.
    pub fn second(&mut self) -> Vec<(&'static str, u64)> {
        if self.spent.len() == SECONDS {
            self.spent.pop_front();
        }
        self.spent.push_back(self.meter.spent());
        let mut new = Vec::new();
        for ((lost, told), loss) in self.lost.iter().zip(&mut self.told).zip(Loss::ALL) {
            if lost > told {
                new.push((loss.name(), *lost - *told));
                *told = *lost;
            }
        }
        new
    }

    /// All of it.
    pub fn view(&self, window: &Window, status: &Status) -> SensorView {
        let percents = self.spent.iter().map(|spent| spent.cpu_percent);
        #[expect(clippy::cast_precision_loss, reason = "at most 10")]
        let seconds = self.spent.len().max(1) as f64;
        SensorView {
            engine: status.engine,
            cpu_percent: percents.sum::<f64>() / seconds,
            rss_bytes: self.spent.back().map_or(0, |spent| spent.rss_kib * 1024),
            map_bytes: status.map_bytes as u64,
            one_in: 1 << window.cost.shift,
            samples_one_in: 1_u64
                .checked_shl(window.cost.sample_shift)
                .unwrap_or(u64::MAX),
            server_places: (window.cost.places, status.server_places),
            lost: Loss::ALL
                .iter()
                .map(|loss| loss.name())
                .zip(self.lost)
                .collect(),
            ..SensorView::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_is_told_once_a_second_and_kept_for_ever() {
        let mut cost = Cost::new();
        let mut window = Window::empty();
        window.cost.samples_lost = 3;
        window.refused = 2;
        cost.tick(&window, 7, 0);
        cost.tick(&window, 7, 1);
        let told = cost.second();
        let expected = [
            ("samples_lost", 6),
            ("packets_refused", 4),
            ("servers_forgotten", 7),
            ("alerts_lost", 1),
        ];
        assert_eq!(told, expected);
        assert!(cost.second().is_empty());
        let view = cost.view(&window, &Status::of_capture("film", "host"));
        assert_eq!(view.lost(), 18);
        assert_eq!(view.lost.len(), Loss::ALL.len());
    }
}
