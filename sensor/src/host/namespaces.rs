//! Network namespaces of this host, by a process in each.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// Looking through all processes takes milliseconds.
const EVERY: Duration = Duration::from_secs(10);
/// Holds the namespace of a pod, and is not what runs in it.
const HOLDER: &str = "pause";

/// See the module.
pub struct Namespaces {
    own: Option<u32>,
    /// A process in each that was asked for.
    processes: BTreeMap<u32, String>,
    looked: Option<Instant>,
}

impl Namespaces {
    /// Seen from the namespace of this number.
    #[must_use]
    pub fn new(own: Option<u32>) -> Self {
        Self {
            own,
            processes: BTreeMap::new(),
            looked: None,
        }
    }

    /// What another namespace is called; none where it is this one. A packet of which that is not known (0) is taken
    /// to be of this one: its address says so too.
    pub fn other(&mut self, number: u32) -> Option<String> {
        if number == 0 || self.own == Some(number) {
            return None;
        }
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= EVERY);
        if !self.processes.contains_key(&number) && is_due {
            self.looked = Some(Instant::now());
            self.processes = look();
        }
        Some(match self.processes.get(&number) {
            Some(process) => format!("{number} ({process})"),
            None => number.to_string(),
        })
    }
}

/// The oldest process of each namespace.
fn look() -> BTreeMap<u32, String> {
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    let mut found: BTreeMap<u32, (bool, String)> = BTreeMap::new();
    for pid in pids {
        let Ok(namespace) = fs::metadata(format!("/proc/{pid}/ns/net")) else {
            continue;
        };
        let Ok(name) = fs::read_to_string(format!("/proc/{pid}/comm")) else {
            continue;
        };
        let (name, number) = (name.trim(), namespace.ino() as u32);
        let holds = name == HOLDER;
        let known = found.entry(number).or_insert((true, String::new()));
        if known.1.is_empty() || (known.0 && !holds) {
            *known = (holds, format!("{name}, pid {pid}"));
        }
    }
    let found = found.into_iter();
    found
        .map(|(number, (_, process))| (number, process))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_namespace_is_named_by_a_process_in_it() {
        let own = super::super::drops::program::own_namespace().expect("a number");
        assert_eq!(Namespaces::new(Some(own)).other(own), None);
        assert_eq!(Namespaces::new(Some(own)).other(0), None);
        // Seen from elsewhere, this process is in another.
        let mut elsewhere = Namespaces::new(Some(own ^ 1));
        let name = elsewhere.other(own).expect("another");
        assert!(
            name.starts_with(&own.to_string()) && name.contains("pid "),
            "{name}"
        );
        assert_eq!(elsewhere.other(7), Some("7".to_string()));
    }
}
