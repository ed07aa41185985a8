//! What steps name: the server, its port, names, addresses, each in a form that a shell takes as it is.

use super::super::calendar;
use crate::detect::Vantage;
use crate::incident::diagnosis::Finding;
use crate::incident::diagnosis::contrast::Property;
use crate::incident::diagnosis::kind::Kind;
use crate::incident::record::Record;

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
            server: record.server.as_deref().unwrap_or("SERVER"),
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
        let zone = self.zone().map(ToString::to_string);
        let asked = self.record.names.iter().map(|party| party.who.clone());
        zone.into_iter()
            .chain(asked)
            .find_map(|name| in_a_shell(&name))
            .unwrap_or_else(|| "example.com".into())
    }

    /// The zone that fails, or is attacked.
    #[must_use]
    pub fn zone(&self) -> Option<&'a str> {
        self.record
            .findings
            .iter()
            .find_map(|finding| match finding {
                Finding::RandomNames { zone, .. } => Some(zone.as_str()),
                Finding::Contrast(contrast) if contrast.property == Property::NameBelow => {
                    Some(contrast.value.as_str())
                }
                _ => None,
            })
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
        if self.on_server() {
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
