//! Names of DNS numbers (IANA, Domain Name System Parameters).

use hickory_proto::rr::RecordType;
use sensor_common::totals::QTYPES;

/// An rcode of the header (RFC 6895, 2.3).
#[must_use]
pub fn rcode(number: usize) -> String {
    match number {
        0 => "NOERROR".into(),
        1 => "FORMERR".into(),
        2 => "SERVFAIL".into(),
        3 => "NXDOMAIN".into(),
        4 => "NOTIMP".into(),
        5 => "REFUSED".into(),
        6 => "YXDOMAIN".into(),
        7 => "YXRRSET".into(),
        8 => "NXRRSET".into(),
        9 => "NOTAUTH".into(),
        10 => "NOTZONE".into(),
        11 => "DSOTYPENI".into(),
        other => format!("RCODE{other}"),
    }
}

/// An opcode (RFC 6895, 2.2).
#[must_use]
pub fn opcode(number: usize) -> String {
    match number {
        0 => "QUERY".into(),
        1 => "IQUERY".into(),
        2 => "STATUS".into(),
        4 => "NOTIFY".into(),
        5 => "UPDATE".into(),
        6 => "DSO".into(),
        other => format!("OPCODE{other}"),
    }
}

/// A question type by its counter; the last counter is that of all others.
#[must_use]
pub fn qtype(slot: usize) -> String {
    if slot == QTYPES - 1 {
        return "other".into();
    }
    let number = u16::try_from(slot).unwrap_or(u16::MAX);
    match RecordType::from(number) {
        // RFC 3597, 5.
        RecordType::Unknown(number) => format!("TYPE{number}"),
        known => known.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_names() {
        assert_eq!(rcode(3), "NXDOMAIN");
        assert_eq!(rcode(14), "RCODE14");
        assert_eq!(opcode(5), "UPDATE");
        assert_eq!(qtype(1), "A");
        assert_eq!(qtype(255), "ANY");
        assert_eq!(qtype(65), "HTTPS");
        assert_eq!(qtype(200), "TYPE200");
        assert_eq!(qtype(QTYPES - 1), "other");
    }
}
