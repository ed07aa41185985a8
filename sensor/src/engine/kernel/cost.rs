//! What attached programs cost, by the kernel's own clock.

use std::collections::BTreeMap;
use std::time::Duration;

use aya::programs::loaded_programs;
use aya::sys::{Stats, enable_stats};
use sensor_common::names::{PROGRAM_EGRESS, PROGRAM_INGRESS, PROGRAM_XDP};

/// Before what is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// One program over a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// The kernel's number for it.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Packets in that while.
    pub packets: u64,
    /// Time that it ran.
    pub time: Duration,
    /// That while.
    pub over: Duration,
}

impl ProgramCost {
    /// Measures the programs of all running sensors. While it does, the kernel takes the time of every
    /// BPF program of this host.
    ///
    /// # Errors
    /// The kernel does not permit it.
    pub async fn measure(time: Duration) -> anyhow::Result<Vec<Self>> {
        // Counting ends when the descriptor is closed.
        let stats = enable_stats(Stats::RunTime)?;
        let costs = Self::between(readings, WARM_UP, time).await;
        drop(stats);
        costs
    }

    /// Of two readings, so much time apart. The kernel rewrites its code to take the time: the packets right behind that
    /// find cold caches, and are left out.
    async fn between(
        mut readings: impl FnMut() -> anyhow::Result<BTreeMap<u32, Self>>,
        warm_up: Duration,
        time: Duration,
    ) -> anyhow::Result<Vec<Self>> {
        // What reads them is warm too, and the span is no longer than it says.
        readings()?;
        tokio::time::sleep(warm_up).await;
        let before = readings()?;
        tokio::time::sleep(time).await;
        let after = readings()?;
        let costs = after.into_iter().filter_map(|(id, after)| {
            let before = before.get(&id)?;
            Some(Self {
                id,
                packets: after.packets - before.packets,
                time: after.time.saturating_sub(before.time),
                over: time,
                name: after.name,
            })
        });
        Ok(costs.collect())
    }

    /// Of one core.
    #[must_use]
    pub fn percent(&self) -> f64 {
        100.0 * self.time.as_secs_f64() / self.over.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Nanoseconds a packet, with what measuring costs. `None` where there were no packets.
    #[must_use]
    pub fn ns(&self) -> Option<u64> {
        let ns = u64::try_from(self.time.as_nanos()).unwrap_or(u64::MAX);
        ns.checked_div(self.packets)
    }
}

fn readings() -> anyhow::Result<BTreeMap<u32, ProgramCost>> {
    let mut readings = BTreeMap::new();
    for program in loaded_programs() {
        let program = program?;
        let Some(name @ (PROGRAM_XDP | PROGRAM_INGRESS | PROGRAM_EGRESS)) = program.name_as_str()
        else {
            continue;
        };
        let reading = ProgramCost {
            id: program.id(),
            name: name.into(),
            packets: program.run_count(),
            time: program.run_time(),
            over: Duration::ZERO,
        };
        readings.insert(program.id(), reading);
    }
    Ok(readings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn packets_that_find_cold_caches_are_left_out() {
        // As they come: nothing yet, ten slow packets, and a thousand of 50 ns.
        let counted = [(0, 0), (10, 10_000), (1_010, 60_000)];
        let mut counted = counted.into_iter();
        let readings = || {
            let (packets, ns) = counted.next().expect("three readings");
            let reading = ProgramCost {
                id: 7,
                name: PROGRAM_XDP.into(),
                packets,
                time: Duration::from_nanos(ns),
                over: Duration::ZERO,
            };
            Ok(BTreeMap::from([(7, reading)]))
        };
        let millisecond = Duration::from_millis(1);
        let costs = ProgramCost::between(readings, millisecond, millisecond);
        let costs = costs.await.expect("read");
        assert_eq!((costs[0].packets, costs[0].ns()), (1_000, Some(50)));
    }
}
