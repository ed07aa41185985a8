//! What steps name: the server, its port, names, addresses, each in a form that a shell takes as it is.

use super::super::{calendar, number, words};
use crate::detect::Vantage;
use crate::incident::diagnosis::Finding;
use crate::incident::diagnosis::contrast::Property;
use crate::incident::diagnosis::kind::Kind;
use crate::incident::record::{Placed, Record, Stage};

/// Queries that show whether a part fails: of 12 % none is lost in fifty once in 600 times.
const OFTEN: u32 = 50;
/// Below this share of answers one query tells as much as many.
const PART: f64 = 0.1;
/// Clients that one step names.
const NAMED: usize = 3;
/// A share of the queries beside which the others do not count, and clients that are hardly any.
const NEARLY_ALL: f64 = 0.95;
const FEW: usize = 2;
/// Queries a second that a limit leaves at least.
const LEAST_RATE: u64 = 20;

/// See the module.
pub struct Place<'a> {
    record: &'a Record,
    /// The server's address.
    pub server: &'a str,
    /// The DNS port.
    pub port: u16,
}

impl<'a> Place<'a> {
    /// Of an incident.
    #[must_use]
    pub fn of(record: &'a Record) -> Self {
        Self {
            record,
            server: record
                .server
                .as_deref()
                .or_else(|| record.servers.first().map(|party| party.who.as_str()))
                .unwrap_or("SERVER"),
            port: record.ports.first().copied().unwrap_or(53),
        }
    }

    /// The sensor stands on the server's host.
    #[must_use]
    pub fn on_server(&self) -> bool {
        self.record.vantage == Vantage::Server
    }

    /// The sensor stands on a client.
    #[must_use]
    pub fn on_client(&self) -> bool {
        self.record.vantage == Vantage::Client
    }

    /// A query to the server for a name that failed.
    #[must_use]
    pub fn dig(&self, options: &str) -> String {
        self.dig_at(self.server, options)
    }

    /// The same to another server, on the usual port.
    #[must_use]
    pub fn dig_at(&self, server: &str, options: &str) -> String {
        let port = match self.port {
            53 => String::new(),
            port if server == self.server => format!(" -p {port}"),
            _ => String::new(),
        };
        let options = if options.is_empty() {
            String::new()
        } else {
            format!(" {options}")
        };
        format!("dig @{server}{port} {}{options}", self.name())
    }

    /// A name that was asked for and fails.
    #[must_use]
    pub fn name(&self) -> String {
        let failing = &self.record.failing.questions;
        let failing = failing.iter().map(|party| party.who.as_str());
        let asked = self.record.names.iter().map(|party| party.who.as_str());
        failing
            .chain(self.zone())
            .chain(asked)
            .filter(|name| *name != ".")
            .find_map(in_a_shell)
            .unwrap_or_else(|| "example.com".into())
    }

    /// What most of the failing queries ask for, in words.
    #[must_use]
    pub fn question(&self) -> Option<String> {
        self.record
            .failing
            .questions
            .first()
            .map(words::contrast::question)
    }

    /// The same command fifty times, with the count of those without an answer: a single one proves nothing where a part
    /// fails.
    #[must_use]
    pub fn dig_often(&self, options: &str) -> String {
        let dig = self.dig(
            &format!("{options} +tries=1 +time=2")
                .trim_start()
                .replace("  ", " "),
        );
        format!("for i in $(seq {OFTEN}); do {dig} >/dev/null || echo lost; done | grep -c lost")
    }

    /// Some queries fail and some are answered.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        let during = &self.record.during;
        let answered = crate::detect::history::share(during.answered, during.decided());
        (PART..1.0).contains(&answered)
    }

    /// The zone that fails, or is attacked; else that of all names that fail.
    #[must_use]
    pub fn zone(&self) -> Option<&'a str> {
        let told = self.find(|finding| match finding {
            Finding::RandomNames { zone, .. } => Some(zone.as_str()),
            Finding::Contrast(contrast) if contrast.property == Property::NameBelow => {
                Some(contrast.value.as_str())
            }
            _ => None,
        });
        told.or(self.record.failing.zone.as_deref())
    }

    /// The server keeps the zones that it answers from.
    #[must_use]
    pub fn is_authoritative(&self) -> bool {
        self.has(&[Kind::Authoritative])
    }

    /// The error answer that the incident is about.
    #[must_use]
    pub fn rcode(&self) -> Option<&'a str> {
        self.find(|finding| match finding {
            Finding::Servfail { .. } => Some("SERVFAIL"),
            Finding::Refused { .. } => Some("REFUSED"),
            Finding::NameError { .. } => Some("NXDOMAIN"),
            Finding::NotUnderstood { rcode, .. } | Finding::OtherRcode { rcode, .. } => {
                Some(rcode.as_str())
            }
            _ => None,
        })
    }

    /// Clients whose queries fail, the first of them by name, and how many more.
    #[must_use]
    pub fn failing_clients(&self) -> Option<String> {
        if let Some(clients) = self.clients() {
            return Some(clients.into());
        }
        let failing = &self.record.failing;
        let named: Vec<&str> = failing
            .clients
            .iter()
            .take(NAMED)
            .map(|party| party.who.as_str())
            .collect();
        let more = match failing.addresses.saturating_sub(named.len()) {
            _ if named.is_empty() => return None,
            0 => String::new(),
            more => format!(" and {} more", number::count(more as u64)),
        };
        Some(format!("{}{more}", named.join(", ")))
    }

    /// A client whose queries, or answers, are lost.
    #[must_use]
    pub fn failing_client(&self) -> Option<&'a str> {
        let failing = &self.record.failing.clients;
        let known = &self.record.clients.heaviest;
        failing
            .first()
            .or_else(|| known.first())
            .map(|party| party.who.as_str())
    }

    /// There is one client alone, or hardly another: without it nothing would be served.
    #[must_use]
    pub fn has_one_client(&self) -> bool {
        self.record.clients.addresses <= 1
            || self
                .find(|finding| match finding {
                    Finding::OneSource { share, .. } | Finding::OwnHostAsks { share, .. } => {
                        Some(*share >= NEARLY_ALL)
                    }
                    _ => None,
                })
                .unwrap_or(false)
                && self.record.clients.addresses <= FEW
    }

    /// Queries a second that are usual, or that a limit may leave.
    #[must_use]
    pub fn usual_rate(&self) -> u64 {
        #[expect(clippy::cast_sign_loss, reason = "a rate is not negative")]
        let usual = self
            .record
            .clients
            .rate
            .usual
            .map_or(0, |usual| usual.ceil() as u64);
        usual.max(LEAST_RATE)
    }

    /// Responses a second that it gives at most, where that may be what fails.
    #[must_use]
    pub fn limit(&self) -> Option<String> {
        words::limit(self.record).map(number::plain)
    }

    /// The bytes that the narrow link takes.
    #[must_use]
    pub fn path_mtu(&self) -> Option<u32> {
        self.record.path_mtu
    }

    /// The host that the sensor runs on, or that captured.
    #[must_use]
    pub fn this_host(&self) -> &'static str {
        words::this_host(self.record)
    }

    /// Who sent ICMP errors about answers.
    #[must_use]
    pub fn response_icmp_sender(&self) -> Option<&'a str> {
        let sampled = self.record.response_icmp_senders.first();
        sampled.map(|party| party.who.as_str()).or_else(|| {
            self.find(|finding| match finding {
                Finding::AnswersUnreachable { from, .. }
                | Finding::AnswersProhibited { from, .. } => Some(from.as_str()),
                _ => None,
            })
        })
    }

    /// The resolver that reaches nobody.
    #[must_use]
    pub fn resolver(&self) -> Option<&'a str> {
        self.find(|finding| match finding {
            Finding::NoServerAnswers { resolver, .. } => Some(resolver.as_str()),
            _ => None,
        })
    }

    /// That it can wait: only where it is the one cause, and no resolver is cut off beside it.
    #[must_use]
    pub fn no_outage(&self, why: &str) -> Option<String> {
        let is_all = self.record.first_cause.len() == 1 && self.resolver().is_none();
        is_all.then(|| format!("No outage: {why} It can wait for the morning."))
    }

    /// Answers leave the server and do not arrive.
    #[must_use]
    pub fn loses_answers(&self) -> bool {
        self.has(&[
            Kind::AskedAgain,
            Kind::AnswersUnreachable,
            Kind::AnswersProhibited,
        ])
    }

    /// When all copies come after the same time, that.
    #[must_use]
    pub fn copies_after(&self) -> Option<String> {
        self.record.sent_again.interval_ms.map(number::span)
    }

    /// The zone in a form that a shell takes as it is.
    #[must_use]
    pub fn zone_in_a_shell(&self) -> Option<String> {
        in_a_shell(self.zone()?)
    }

    /// The first address that a finding gives.
    pub fn find<T>(&self, pick: impl FnMut(&'a Finding) -> Option<T>) -> Option<T> {
        self.record.findings.iter().find_map(pick)
    }

    /// This host's kernel names the filter, and a step of its own says which: the general one would say less.
    #[must_use]
    pub fn filter_is_named(&self) -> bool {
        self.has(&[Kind::DroppedByFilter, Kind::RejectedByFilter])
    }

    /// The same of connection tracking.
    #[must_use]
    pub fn tracking_is_named(&self) -> bool {
        self.has(&[Kind::ConntrackDropped])
    }

    fn has(&self, kinds: &[Kind]) -> bool {
        let mut findings = self.record.findings.iter();
        findings.any(|finding| kinds.contains(&finding.kind()))
    }

    /// Who sent the ICMP errors, where that was sampled.
    #[must_use]
    pub fn icmp_sender(&self) -> Option<&'a str> {
        self.record
            .icmp_senders
            .first()
            .map(|party| party.who.as_str())
    }

    /// The heaviest source.
    #[must_use]
    pub fn heaviest(&self) -> Option<&'a str> {
        let one = self.find(|finding| match finding {
            Finding::OneSource { source, .. } => Some(source.as_str()),
            _ => None,
        });
        let clients = &self.record.clients;
        one.or_else(|| clients.sources.first().map(|party| party.who.as_str()))
            .or_else(|| clients.heaviest.first().map(|party| party.who.as_str()))
    }

    /// Client networks that alone fail.
    #[must_use]
    pub fn clients(&self) -> Option<&'a str> {
        let affects = self.record.affects.as_ref()?;
        (affects.property == Property::ClientNetwork).then_some(affects.value.as_str())
    }

    /// When it began, for `journalctl --since`.
    #[must_use]
    pub fn since(&self) -> String {
        calendar::date(self.record.onset_ms)
    }

    /// Where to look when it is over.
    #[must_use]
    pub fn looking_back(&self) -> Option<String> {
        let record = self.record;
        matches!(record.stage, Stage::Closed | Stage::EndNotSeen).then(|| {
            format!(
                "It is over: tests show only whether it is well now. Why it was not, logs and deployments between {} and {} UTC \
                 may say.",
                self.since(),
                calendar::until(record.onset_ms, record.last_symptom_ms)
            )
        })
    }

    /// A capture of the server's DNS and of ICMP.
    #[must_use]
    pub fn tcpdump(&self) -> String {
        format!(
            "tcpdump -ni any 'host {} and (port {} or icmp or icmp6)'",
            self.server, self.port
        )
    }

    /// Where commands for the server's host are to be run.
    #[must_use]
    pub fn there(&self) -> String {
        if self.on_server() && self.record.placed == Placed::Live {
            "On this host".into()
        } else {
            format!("On {}", self.server)
        }
    }
}

/// A name as one word of a shell: what a stranger has asked for must not become a command or an option.
fn in_a_shell(name: &str) -> Option<String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    let fits = !name.is_empty() && !name.starts_with(['-', '+', '@']);
    if !fits
        || !name
            .chars()
            .all(|letter| is_plain(letter) || letter == '\\')
    {
        return None;
    }
    Some(if name.contains('\\') {
        format!("'{name}'")
    } else {
        name.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_a_command_or_an_option() {
        assert_eq!(
            in_a_shell("www.example.org").as_deref(),
            Some("www.example.org")
        );
        assert_eq!(
            in_a_shell("a\\032b.example").as_deref(),
            Some("'a\\032b.example'")
        );
        for bad in [
            "",
            "-f",
            "+tcp",
            "@192.0.2.1",
            "a;reboot",
            "$(reboot)",
            "a'b",
            "a b",
            "`a`",
        ] {
            assert_eq!(in_a_shell(bad), None, "{bad}");
        }
    }
}
