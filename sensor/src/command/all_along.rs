//! What failed all along in a capture in which nothing changed: where it began in the middle of an outage, nothing
//! healthy is known to compare with, and a reader may know better.

use sensor_common::server::ServerKey;

use crate::detect::history::share;
use crate::measure::address::ip;
use crate::measure::counted::{count, counted};
use crate::measure::window::{ServerWindow, Window};
use crate::present::names;
use crate::present::number::percent;

/// Fewer queries or answers of a server than these tell nothing of it.
const LEAST: u64 = 20;
/// Share of a server's queries without an answer that is worth a look.
const FAILED: f64 = 0.05;
/// Share of an rcode that tells of trouble.
const REFUSED: f64 = 0.05;
/// Share of names that do not exist: of home and mail servers half and more are usual.
const DENIED: f64 = 0.8;
/// Servers that are named.
const NAMED: usize = 3;
const NXDOMAIN: usize = 3;

/// A sentence of servers of which a part fails; `None` where there is none.
#[must_use]
pub(super) fn failing(window: &Window) -> Option<String> {
    let mut all: Vec<_> = window
        .servers
        .iter()
        .filter_map(|(key, server)| of(key, server))
        .collect();
    all.sort_by(|(one, _), (other, _)| other.cmp(one));
    let many = all.len();
    let named: Vec<String> = all.into_iter().take(NAMED).map(|(_, text)| text).collect();
    if named.is_empty() {
        return None;
    }
    let more = match many - named.len() {
        0 => String::new(),
        more => format!("; and {} more", counted(more as u64, "server")),
    };
    Some(format!(
        "Whether this is usual, or an outage older than the capture, cannot be told from it: {}{more}.",
        named.join("; ")
    ))
}

/// How many fail, and what is said of it.
fn of(key: &ServerKey, server: &ServerWindow) -> Option<(u64, String)> {
    let transactions = &server.counters.transactions;
    let failed = server.unanswered + transactions.errored;
    let ended = failed + transactions.answered + transactions.late;
    let mut most = 0;
    let mut parts = Vec::new();
    if ended >= LEAST && share(failed, ended) >= FAILED {
        most = failed;
        parts.push(format!(
            "{} ({}) had no answer",
            of_all(failed, ended, "query"),
            percent(share(failed, ended))
        ));
    }
    let rcodes = &server.counters.answers_by_rcode;
    let answers: u64 = rcodes.iter().sum();
    for (number, many) in rcodes.iter().enumerate().skip(1) {
        let least = if number == NXDOMAIN { DENIED } else { REFUSED };
        if answers >= LEAST && share(*many, answers) >= least {
            most = most.max(*many);
            parts.push(format!(
                "{} ({}) were {}",
                of_all(*many, answers, "answer"),
                percent(share(*many, answers)),
                names::rcode(number)
            ));
        }
    }
    let text = format!("of {} {}", ip(key), parts.join(", "));
    (!parts.is_empty()).then_some((most, text))
}

fn of_all(part: u64, all: u64, what: &str) -> String {
    format!("{} of {}", count(part), counted(all, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(answered: u64, unanswered: u64, denied: u64) -> Window {
        let mut server = ServerWindow::empty();
        server.counters.transactions.answered = answered;
        server.counters.answers_by_rcode[0] = answered - denied;
        server.counters.answers_by_rcode[NXDOMAIN] = denied;
        server.unanswered = unanswered;
        let mut window = Window::empty();
        let key = crate::measure::address::key([192, 0, 2, 53].into());
        window.servers.insert(key, server);
        window
    }

    #[test]
    fn what_fails_from_beginning_to_end_is_worth_a_look() {
        assert_eq!(failing(&window(1_000, 10, 500)), None);
        assert_eq!(failing(&window(10, 5, 10)), None, "too few to tell");
        assert_eq!(
            failing(&window(3_000, 1_000, 3_000)).as_deref(),
            Some(
                "Whether this is usual, or an outage older than the capture, cannot be told from it: of 192.0.2.53 1,000 \
                 of 4,000 queries (25 %) had no answer, 3,000 of 3,000 answers (100 %) were NXDOMAIN."
            )
        );
    }
}
