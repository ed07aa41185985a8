//! Counters by the names that are documented and stable; those that are 0 are left out.

use std::collections::BTreeMap;

pub(super) type ByName = BTreeMap<String, u64>;

pub(super) fn named<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> String,
    count: impl Fn(T) -> u64,
) -> ByName {
    all.iter()
        .map(|item| (name(*item), count(*item)))
        .filter(|(_, count)| *count != 0)
        .collect()
}

pub(super) fn numbered(counters: &[u64], name: impl Fn(usize) -> String) -> ByName {
    counters
        .iter()
        .enumerate()
        .filter(|(_, count)| **count != 0)
        .map(|(number, count)| (name(number), *count))
        .collect()
}
