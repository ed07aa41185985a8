//! Names from sampled packets, in bounded memory.

use std::collections::HashMap;
use std::fmt::Write;

use hickory_proto::op::{Header, Query};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use sensor_common::class::SampleKind;
use sensor_common::sample::Sample;

/// Names, and as many suffixes, that are counted at once.
const CAPACITY: usize = 512;

/// The question of a sampled query.
///
/// `None` for responses, errors that quote too little, garbage, and what does not decode.
#[must_use]
pub fn question(sample: &Sample) -> Option<Query> {
    if sample.dns_offset == 0 || sample.kind != SampleKind::Transaction as u32 {
        return None;
    }
    let captured = sample.bytes.get(..sample.captured as usize)?;
    let message = captured.get(sample.dns_offset as usize..)?;
    let mut decoder = BinDecoder::new(message);
    let header = Header::read(&mut decoder).ok()?;
    if header.query_count() == 0 || header.message_type() != hickory_proto::op::MessageType::Query {
        return None;
    }
    Query::read(&mut decoder).ok()
}

/// What sampled queries ask for. Estimates: a name's share of the samples is about its share of the
/// queries.
#[derive(Default)]
pub struct Names {
    /// Whole names, in lower case.
    pub names: Heaviest,
    /// Their last labels: what somebody has registered, as far as labels tell it.
    pub suffixes: Heaviest,
    /// Samples that had a question.
    pub questions: u64,
    /// All samples.
    pub samples: u64,
}

impl Names {
    /// Adds a sample.
    pub fn add(&mut self, sample: &Sample) {
        self.samples += 1;
        if let Some(question) = question(sample) {
            self.questions += 1;
            let name = question.name().to_lowercase();
            let labels: Vec<String> = name.iter().map(escaped).collect();
            self.names.add(&dotted(&labels));
            self.suffixes.add(&dotted(suffix(&labels)));
        }
    }
}

/// A label in which everything but letters, digits, hyphen and underscore is `\\DDD` (RFC 4343, 2.1), so
/// that no name can pretend to be more than one.
fn escaped(label: &[u8]) -> String {
    let mut text = String::new();
    for byte in label {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            text.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\{byte:03}");
        }
    }
    text
}

fn dotted(labels: &[String]) -> String {
    if labels.is_empty() {
        ".".into()
    } else {
        labels.join(".")
    }
}

/// The last two labels, or three where the last two are as short as those of co.uk and com.au.
fn suffix(labels: &[String]) -> &[String] {
    let many = match labels {
        [.., second, last] if last.len() == 2 && second.len() <= 3 => 3,
        _ => 2,
    };
    &labels[labels.len().saturating_sub(many)..]
}

/// The most frequent of any number of strings (Space-Saving, Metwally et al. 2005): what is heavier
/// than one in 512 is surely among them.
#[derive(Default)]
pub struct Heaviest {
    counts: HashMap<String, Count>,
}

/// How often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// No more than this.
    pub at_most: u64,
    /// Of that, what may be others'.
    pub error: u64,
}

impl Heaviest {
    fn add(&mut self, item: &str) {
        if let Some(count) = self.counts.get_mut(item) {
            count.at_most += 1;
            return;
        }
        let mut error = 0;
        if self.counts.len() == CAPACITY {
            let least = self.counts.iter().min_by_key(|(_, count)| count.at_most);
            if let Some((name, count)) = least.map(|(name, count)| (name.clone(), *count)) {
                self.counts.remove(&name);
                error = count.at_most;
            }
        }
        let at_most = error + 1;
        self.counts.insert(item.into(), Count { at_most, error });
    }

    /// The most frequent first.
    #[must_use]
    pub fn top(&self, many: usize) -> Vec<(&str, Count)> {
        let counts = self.counts.iter();
        let mut top: Vec<_> = counts
            .map(|(name, count)| (name.as_str(), *count))
            .collect();
        top.sort_by(|(name, a), (other, b)| (b.at_most, *name).cmp(&(a.at_most, *other)));
        top.truncate(many);
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_names_survive_any_number_of_light_ones() {
        let mut heaviest = Heaviest::default();
        for number in 0..20_000 {
            heaviest.add(&format!("{number}.example"));
            if number % 50 == 0 {
                heaviest.add("heavy.example");
            }
        }
        assert!(heaviest.counts.len() <= CAPACITY);
        let (name, count) = heaviest.top(1)[0];
        assert_eq!(name, "heavy.example");
        assert!(count.at_most >= 400 && count.at_most - count.error <= 400);
    }

    #[test]
    fn a_label_cannot_pretend_to_be_more() {
        assert_eq!(escaped(b"_dns-1"), "_dns-1");
        assert_eq!(escaped(b"a b,c\x1b."), "a\\032b\\044c\\027\\046");
    }

    #[test]
    fn suffixes_are_what_is_registered() {
        let of = |name: &str| {
            let labels: Vec<String> = name.split('.').map(Into::into).collect();
            suffix(&labels).join(".")
        };
        assert_eq!(of("a.b.example.org"), "example.org");
        assert_eq!(of("www.example.co.uk"), "example.co.uk");
        assert_eq!(of("org"), "org");
    }
}
