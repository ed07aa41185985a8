//! What an engine says of one packet.

use std::fmt;

use sensor_common::class::{Class, IcmpType, Malformed};
use sensor_common::totals::Totals;

/// See the module.
#[derive(PartialEq)]
pub enum Verdict {
    /// All counters that it moved.
    Counted(Box<Counted>),
    /// The kernel takes no such frame in a test run.
    Refused(String),
}

/// What one packet adds to the totals.
pub struct Counted {
    pub class: Class,
    pub malformed: Option<Malformed>,
    /// Of a response.
    pub rcode: Option<usize>,
    /// Type and code of an ICMP error.
    pub icmp: Option<(IcmpType, usize)>,
    totals: Totals,
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        bytemuck::bytes_of(&self.totals) == bytemuck::bytes_of(&other.totals)
    }
}

impl Verdict {
    /// By what was counted since the packet before.
    pub fn of(totals: &Totals) -> Self {
        let mut totals = *totals;
        // How the kernel came by the bytes.
        totals.copied = 0;
        let first = |counts: &[u64]| counts.iter().position(|count| *count != 0);
        let icmp = totals
            .icmp_error
            .iter()
            .enumerate()
            .find_map(|(at, codes)| {
                let code = codes.iter().position(|quoted| first(quoted).is_some())?;
                Some((*IcmpType::ALL.get(at)?, code))
            });
        let class = first(&totals.classes).and_then(|at| Class::ALL.get(at));
        Self::Counted(Box::new(Counted {
            class: class.copied().unwrap_or(Class::NotDns),
            malformed: first(&totals.malformed).and_then(|at| Malformed::ALL.get(at).copied()),
            rcode: first(&totals.rcode),
            icmp,
            totals,
        }))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Counted(counted) = self else {
            return out.write_str("refused");
        };
        out.write_str(counted.class.name())?;
        if let Some(why) = counted.malformed {
            write!(out, " ({})", why.name())?;
        }
        if let Some(rcode) = counted.rcode {
            write!(out, " (rcode {rcode})")?;
        }
        if let Some((kind, code)) = counted.icmp {
            write!(out, " ({} {code})", kind.name())?;
        }
        Ok(())
    }
}
