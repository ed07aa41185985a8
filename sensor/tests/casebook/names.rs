//! Names that clients ask for.

use std::time::Duration;

use crate::format;
use crate::random::Random;

pub struct Names<'a>(&'a format::Names);

/// Between the lookups of a search list.
const NEXT: Duration = Duration::from_millis(5);

impl<'a> Names<'a> {
    pub fn new(names: &'a format::Names) -> Self {
        Self(names)
    }

    /// Names of one lookup, and how long after its begin each is asked for.
    pub fn next(&mut self, random: &mut Random) -> Vec<(Duration, String)> {
        let one = |name| vec![(Duration::ZERO, name)];
        match self.0 {
            format::Names::Only(name) => one(name.clone()),
            format::Names::List(list) => one(list[random.below(list.len())].clone()),
            format::Names::Pool { pool, zone } => one(format!("www{}.{zone}", low(*pool, random))),
            format::Names::Random { random: zone } => {
                let letters: String = (0..10)
                    .map(|_| char::from(b'a' + random.below(26) as u8))
                    .collect();
                one(format!("{letters}.{zone}"))
            }
            format::Names::Blocklist { blocklist } => {
                let [a, b, c, d, ..] = random.next().to_be_bytes();
                one(format!("{a}.{b}.{c}.{d}.{blocklist}"))
            }
            format::Names::Search { search, stems } => {
                let stem = format!("api{}.example.com", low(*stems, random));
                let with = search.iter().map(|suffix| format!("{stem}.{suffix}"));
                let names = with.chain([stem.clone()]);
                (0..).map(|n| NEXT * n).zip(names).collect()
            }
        }
    }
}

/// A number below, the smaller the likelier.
#[expect(clippy::cast_sign_loss, reason = "a share is not negative")]
fn low(below: u32, random: &mut Random) -> u32 {
    let share = random.share();
    ((share * share * f64::from(below)) as u32).min(below.saturating_sub(1))
}
