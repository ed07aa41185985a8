//! What is usual of one server, for every quantity that a rule compares.
//!
//! It is learnt from ticks that were judged healthy, a little later: a symptom that begins now must not have been
//! learnt as usual when it is noticed. A share carries its own uncertainty, so it may be compared with
//! from the beginning; a rate may be believed after [`super::Thresholds::learning`].

use std::borrow::Borrow;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::baseline::{Baseline, FAST, SLOW};
use super::history::float;
use super::interval;
use crate::measure::sketch::Prefix;

/// Weight that old readings of a share have at most, in things that were counted: what happened yesterday must not
/// count for ever.
const MOST: f64 = 50_000.0;
/// Buckets of a distribution, a quarter of an octave each, from a microsecond on.
const BUCKETS: usize = 104;
/// Client networks whose usual number of bytes is known.
const NETWORKS: usize = 64;
/// The quietest time is looked for over so long: as long as a collapse has to last.
const QUIET: Duration = Duration::from_secs(4);
/// Zones of which is known how many names below them are asked for.
const ZONES: usize = 512;

/// A share of things, as counts that fade.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    some: f64,
    all: f64,
}

impl Share {
    /// Adds a tick.
    pub fn learn(&mut self, some: u64, all: u64) {
        self.some += float(some.min(all));
        self.all += float(all);
        if self.all > MOST {
            self.some *= MOST / self.all;
            self.all = MOST;
        }
    }

    /// What it is on average; `None` of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.all > 0.0).then(|| self.some / self.all)
    }

    /// It is above this with 99.9 %; 0 where nothing is known.
    #[must_use]
    pub fn lower(&self) -> f64 {
        interval::lower(self.some, self.all)
    }

    /// It is below this with 99.9 %; 1 where nothing is known.
    #[must_use]
    pub fn upper(&self) -> f64 {
        interval::upper(self.some, self.all)
    }

    /// Whether so many of so many may be a rise, from `least` on: it must not be learnt before it is noticed. Where
    /// nothing is known yet, nothing rises.
    #[must_use]
    pub fn may_rise(&self, some: u64, all: u64, least: f64) -> bool {
        interval::lower_likely(some, all) > least
            && interval::is_likely_more([float(some), float(all)], [self.some, self.all])
    }

    /// How many things it is of.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.all
    }
}

/// A distribution of times, as counts that fade.
#[derive(Clone, Debug)]
pub struct Distribution {
    buckets: Box<[f32; BUCKETS]>,
    /// The sum of all.
    count: f32,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            buckets: Box::new([0.0; BUCKETS]),
            count: 0.0,
        }
    }
}

#[expect(
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bucket's number, from 0 to 103"
)]
fn bucket(time: Duration) -> usize {
    let micros = (time.as_nanos() as f64 / 1e3).max(1.0);
    ((micros.log2() * 4.0) as usize).min(BUCKETS - 1)
}

impl Distribution {
    /// Adds a time.
    pub fn learn(&mut self, time: Duration) {
        self.buckets[bucket(time)] += 1.0;
        self.count = self.buckets.iter().sum();
        if f64::from(self.count) > MOST {
            let scale = (MOST / f64::from(self.count)) as f32 / 2.0;
            self.buckets.iter_mut().for_each(|count| *count *= scale);
            self.count = self.buckets.iter().sum();
        }
    }

    /// The time that a share of all did not exceed, in seconds: the upper end of its bucket. `None` where fewer than
    /// 20 times are known.
    #[must_use]
    pub fn quantile(&self, share: f32) -> Option<f64> {
        let all = self.count;
        if all < 20.0 {
            return None;
        }
        let mut seen = 0.0;
        let at = self.buckets.iter().position(|count| {
            seen += count;
            seen >= all * share
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a bucket's number")]
        let exponent = (at + 1) as f64 / 4.0;
        Some(exponent.exp2() / 1e6)
    }
}

/// The lowest that a rate has been over any few seconds; it is forgotten as slowly as what is usual is learnt.
#[derive(Clone, Debug, Default)]
pub struct Lowest {
    rate: Option<f64>,
    /// The ticks of the last [`QUIET`] and a little more, the oldest first: rate and length.
    lately: VecDeque<(f64, Duration)>,
    elapsed: Duration,
    count: f64,
}

impl Lowest {
    fn learn(&mut self, rate: f64, elapsed: Duration) {
        self.lately.push_back((rate, elapsed));
        self.elapsed += elapsed;
        self.count += rate * elapsed.as_secs_f64();
        while let Some((rate, length)) = self
            .lately
            .pop_front_if(|(_, length)| self.elapsed.saturating_sub(*length) >= QUIET)
        {
            self.elapsed -= length;
            self.count -= rate * length.as_secs_f64();
        }
        let Some((oldest, _)) = self.lately.front() else {
            return;
        };
        if self.elapsed < QUIET {
            return;
        }
        // Only the end of the oldest is within.
        let outside = self.elapsed.saturating_sub(QUIET).as_secs_f64() * oldest;
        let seconds = QUIET.as_secs_f64();
        let rate = (self.count - outside).max(0.0) / seconds;
        let fades = elapsed.as_secs_f64() / SLOW.as_secs_f64();
        self.rate = Some(self.rate.map_or(rate, |lowest| {
            // By its logarithm: a night's rate must not be gone with a minute of the day.
            let least = lowest.max(1.0 / seconds);
            rate.min(least * (fades * (rate / least).max(1.0).ln()).exp())
        }));
    }

    /// A second; `None` before that is known.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Usual {
    /// Queries a second, over seconds.
    pub rate_fast: Baseline,
    /// Queries a second, over an hour.
    pub rate: Baseline,
    /// The lowest rate of queries, over a few seconds.
    pub quietest: Lowest,
    /// NOERROR answers a second.
    pub noerror: Baseline,
    /// Different clients in the dossiers of about ten seconds.
    pub clients: Baseline,
    /// Queries of one client within [`super::crowd::SPAN`].
    pub each: Baseline,
    /// SYNs a second.
    pub syns: Baseline,
    /// Messages a second that are no DNS.
    pub garbage: Baseline,
    /// Answers a second that nobody asked for.
    pub unmatched: Baseline,
    /// Queries that failed.
    pub failed: Share,
    /// Answers, by rcode.
    pub rcodes: [Share; 16],
    /// Answers that deny what was answered before: names that come and go.
    pub denied: Share,
    /// Answers with AA, of those that say what there is.
    pub authoritative: Share,
    /// Answers with TC.
    pub truncated: Share,
    /// SYNs without SYN-ACK.
    pub syns_failed: Share,
    /// Answers about which an ICMP error "too big" or "reassembly" came.
    pub answers_lost: Share,
    /// Answered queries whose first copy was lost.
    pub copies_lost: Share,
    /// Answered queries that are asked again.
    pub asked_again: Share,
    /// Those of them with a large answer.
    pub large_asked_again: Share,
    /// Answers about which "port unreachable" came: their clients had gone.
    pub answers_unwanted: Share,
    /// The server's own time for an answer.
    pub latency: Distribution,
    /// Bytes of answers a second, by client network.
    pub bytes: BTreeMap<Prefix, Baseline>,
    /// Queries a second for names below a zone.
    pub zones: BTreeMap<String, Baseline>,
    /// Those of them that are not answered, or denied.
    pub zones_failing: BTreeMap<String, Baseline>,
    /// For how long it has learnt.
    pub learnt: Duration,
}

impl Usual {
    /// Adds what client networks got, and that others got nothing.
    pub fn learn_bytes(&mut self, counts: &BTreeMap<Prefix, u64>, elapsed: Duration) {
        learn_each::<Prefix, _>(&mut self.bytes, NETWORKS, counts, elapsed);
    }

    /// Adds what was asked below zones, and what of it failed, and that nothing was below others.
    pub fn learn_zones(&mut self, counts: &BTreeMap<&str, [u64; 2]>, elapsed: Duration) {
        let of = |at: usize| -> BTreeMap<&str, u64> {
            let counts = counts.iter().map(|(zone, counts)| (*zone, counts[at]));
            counts.filter(|(_, count)| *count != 0).collect()
        };
        learn_each::<str, _>(&mut self.zones, ZONES, &of(0), elapsed);
        learn_each::<str, _>(&mut self.zones_failing, ZONES, &of(1), elapsed);
    }

    /// The share of what is asked below a zone that is usually not answered, or denied.
    #[must_use]
    pub fn fails_below(&self, zone: &str) -> f64 {
        let mean = |of: &BTreeMap<String, Baseline>| of.get(zone).map_or(0.0, Baseline::mean);
        (mean(&self.zones_failing) / mean(&self.zones).max(f64::MIN_POSITIVE)).min(1.0)
    }

    /// Adds a tick of queries.
    pub fn learn_rate(&mut self, rate: f64, elapsed: Duration, unusual: bool) {
        self.rate_fast.learn(rate, elapsed, FAST, unusual);
        self.rate.learn(rate, elapsed, SLOW, unusual);
        self.quietest.learn(rate, elapsed);
    }
}

/// Adds what was counted of each, as rates: nothing of those that are known and were not counted.
fn learn_each<Key, Borrowed>(
    usual: &mut BTreeMap<Key::Owned, Baseline>,
    most: usize,
    counts: &BTreeMap<Borrowed, u64>,
    elapsed: Duration,
) where
    Key: Ord + ToOwned<Owned: Ord> + ?Sized,
    Borrowed: Ord + Borrow<Key>,
{
    let seconds = elapsed.as_secs_f64().max(0.001);
    let learn = |usual: &mut Baseline, count: u64| {
        usual.learn(float(count) / seconds, elapsed, SLOW, false);
    };
    for (known, usual) in usual.iter_mut() {
        learn(usual, counts.get(known.borrow()).copied().unwrap_or(0));
    }
    for (key, count) in counts {
        let key: &Key = key.borrow();
        if usual.len() < most && !usual.contains_key(key) {
            learn(usual.entry(key.to_owned()).or_default(), *count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_may_be_anything() {
        let mut share = Share::default();
        assert!(share.upper() > 0.999 && share.mean().is_none());
        share.learn(0, 2_000);
        assert!(share.upper() < 0.006);
        share.learn(1_000_000, 1_000_000);
        assert!(share.mean().is_some_and(|mean| mean > 0.95) && share.count() <= MOST);
    }

    #[test]
    fn quantiles_are_within_a_quarter_of_an_octave() {
        let mut latency = Distribution::default();
        for n in 0..1_000 {
            let ms = if n % 100 < 97 { 2 } else { 500 };
            latency.learn(Duration::from_millis(ms));
        }
        let near = |share, ms: f64| {
            let found = latency.quantile(share).expect("enough") * 1e3;
            assert!(found >= ms && found <= ms * 1.2, "{found} for {ms}");
        };
        near(0.5, 2.0);
        near(0.95, 2.0);
        near(0.99, 500.0);
    }
}
