//! The question of a DNS query, and its EDNS options (RFC 1035 4.1.2, RFC 6891 6.1).

use std::fmt::Write;
use std::sync::Arc;

/// Bytes of a DNS header.
const HEADER: usize = 12;
/// Longest name (RFC 1035, 2.3.4).
const NAME: usize = 255;
/// TYPE of the OPT record.
const OPT: u16 = 41;
/// DO, in the upper half of the OPT record's TTL (RFC 3225).
const DNSSEC_OK: u16 = 0x8000;

/// What a query asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// In lower case, without the final dot; `.` is the root. Bytes other than letters, digits, `-` and `_`
    /// are written as `\ddd` (RFC 1035, 5.1).
    pub name: Arc<str>,
    /// QTYPE.
    pub qtype: u16,
}

/// The OPT record of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// Largest answer over UDP that the client takes, in bytes.
    pub size: u16,
    /// The client wants DNSSEC records.
    pub dnssec_ok: bool,
}

impl Question {
    /// The name's last `labels` labels; `None` where it has fewer, or as many.
    #[must_use]
    pub fn zone(&self, labels: usize) -> Option<&str> {
        if &*self.name == "." {
            return None;
        }
        let mut at = self.name.len();
        for _ in 0..labels {
            at = self.name[..at].rfind('.')?;
        }
        Some(&self.name[at + 1..])
    }

    /// Its first label.
    #[must_use]
    pub fn first_label(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// Reads the first question of a message, and the OPT record where it is the only one behind it.
#[must_use]
pub fn read(message: &[u8]) -> (Option<Question>, Option<Edns>) {
    let Some((question, end)) = first(message) else {
        return (None, None);
    };
    (Some(question), opt(message, end))
}

fn first(message: &[u8]) -> Option<(Question, usize)> {
    if be16(message, 4)? == 0 {
        return None;
    }
    let mut name = String::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        // Pointers have no place in a question; other kinds of labels are obsolete.
        if length > 63 || at + length - HEADER > NAME {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        for byte in message.get(at..at + length)? {
            match byte.to_ascii_lowercase() {
                plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => name.push(char::from(plain)),
                other => {
                    let _ = write!(name, "\\{other:03}");
                }
            }
        }
        at += length;
    }
    if name.is_empty() {
        name.push('.');
    }
    let qtype = be16(message, at)?;
    let question = Question {
        name: name.into(),
        qtype,
    };
    Some((question, at + 4))
}

fn opt(message: &[u8], at: usize) -> Option<Edns> {
    let counts = [be16(message, 4)?, be16(message, 6)?, be16(message, 8)?];
    if counts != [1, 0, 0] || be16(message, 10)? == 0 {
        return None;
    }
    // The name of an OPT record is the root.
    if *message.get(at)? != 0 || be16(message, at + 1)? != OPT {
        return None;
    }
    Some(Edns {
        size: be16(message, at + 3)?,
        dnssec_ok: be16(message, at + 7)? & DNSSEC_OK != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(additional: &[u8]) -> Vec<u8> {
        let many = u8::from(!additional.is_empty());
        let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, many];
        message.extend(b"\x03wWw\x07example\x04a.b \x00\x00\x1c\x00\x01");
        message.extend(additional);
        message
    }

    #[test]
    fn a_question_is_read_in_lower_case_and_a_label_cannot_pretend_to_be_more() {
        let (question, edns) = read(&query(b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"));
        let question = question.expect("one");
        assert_eq!(&*question.name, "www.example.a\\046b\\032");
        assert_eq!(question.qtype, 28);
        assert_eq!(question.zone(1), Some("a\\046b\\032"));
        assert_eq!(question.zone(2), Some("example.a\\046b\\032"));
        assert_eq!(question.zone(3), None);
        assert_eq!(question.first_label(), "www");
        let edns = edns.expect("OPT");
        assert_eq!((edns.size, edns.dnssec_ok), (1232, true));
        assert_eq!(read(&query(b"")).1, None);
    }

    #[test]
    fn what_ends_early_has_no_question_and_no_options() {
        let whole = query(b"\0\0\x29\x04\xd0\0\0\x80\0\0\0");
        let end_of_question = query(b"").len();
        for length in 0..whole.len() {
            let (question, edns) = read(&whole[..length]);
            assert_eq!(
                question.is_some(),
                length >= end_of_question - 2,
                "{length}"
            );
            assert!(edns.is_none() || length >= whole.len() - 2, "{length}");
        }
    }
}
