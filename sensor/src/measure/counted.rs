//! Counts and what is counted, in English, so that nowhere `1 queries` is said.

/// With a comma every three digits: `1,204,000`.
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at != 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted: `1 error`, `2 errors`, `1 query`, `2 queries`.
#[must_use]
pub fn counted(many: u64, what: &str) -> String {
    if many == 1 {
        return format!("1 {what}");
    }
    format!("{} {}", count(many), plural(what))
}

/// The same as the subject of a passive: `1 query was`, `2 queries were`.
#[must_use]
pub fn were(many: u64, what: &str) -> String {
    let be = if many == 1 { "was" } else { "were" };
    format!("{} {be}", counted(many, what))
}

/// A part of what is counted: `None of 250 answers`, `3 of 250 answers`, as a sentence begins.
#[must_use]
pub fn part_of(part: u64, all: u64, what: &str) -> String {
    let part = match part {
        0 => "None".into(),
        part => count(part),
    };
    format!("{part} of {}", counted(all, what))
}

/// `query` is `queries`, `relay` is `relays`, `address` is `addresses`.
fn plural(noun: &str) -> String {
    if ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end)) {
        return format!("{noun}es");
    }
    let stem = noun.strip_suffix('y');
    match stem.filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_all_else_is_plural() {
        assert_eq!(count(999), "999");
        assert_eq!(count(1_204_000), "1,204,000");
        assert_eq!(counted(1, "error"), "1 error");
        assert_eq!(counted(0, "error"), "0 errors");
        assert_eq!(counted(1, "retransmitted query"), "1 retransmitted query");
        assert_eq!(
            counted(2_000, "retransmitted query"),
            "2,000 retransmitted queries"
        );
        assert_eq!(counted(2, "relay"), "2 relays");
        assert_eq!(counted(2, "address"), "2 addresses");
        assert_eq!(were(1, "frame"), "1 frame was");
        assert_eq!(were(0, "copy"), "0 copies were");
        assert_eq!(part_of(0, 250, "SYN"), "None of 250 SYNs");
        assert_eq!(part_of(1, 1, "SYN"), "1 of 1 SYN");
    }
}
