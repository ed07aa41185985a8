//! What is typed behind `/`: words that must all fit.
//!
//! `server:192.0.2` is a part of an address, `state:fail` the beginning of a state, `net:192.0.2.0/24` a network;
//! any other word is looked for in all that the row says.

use std::net::IpAddr;

use crate::measure::address;
use crate::measure::sketch::Prefix;
use crate::view::State;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Server(String),
    State(String),
    Network(Prefix),
    Free(String),
}

/// See the module. Without a word everything fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
}

/// What a row has, for a filter to hold against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row<'r> {
    /// A server, or a source.
    pub address: Option<IpAddr>,
    /// Of a server or an incident.
    pub state: Option<State>,
    /// All that the row says.
    pub text: &'r str,
}

impl Filter {
    /// Reads what was typed.
    ///
    /// # Errors
    /// A network that is none, or a state that does not exist, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let terms = text.split_whitespace().map(term);
        Ok(Self {
            text: text.trim().into(),
            terms: terms.collect::<Result<_, _>>()?,
        })
    }

    /// As it was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether all fits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a row fits.
    #[must_use]
    pub fn fits(&self, row: Row<'_>) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Server(part) => row
                .address
                .is_some_and(|address| address.to_string().contains(part)),
            Term::State(begin) => row
                .state
                .is_some_and(|state| state.name().starts_with(begin.as_str())),
            Term::Network(network) => row
                .address
                .is_some_and(|address| network.contains(&address::key(address))),
            Term::Free(word) => {
                row.text.to_lowercase().contains(word)
                    || row
                        .address
                        .is_some_and(|address| address.to_string().contains(word))
            }
        })
    }
}

fn term(word: &str) -> Result<Term, String> {
    let (name, value) = word.split_once(':').unwrap_or(("", word));
    Ok(match name {
        // Half typed, it does not hide everything yet.
        "server" | "state" | "net" if value.is_empty() => Term::Free(String::new()),
        "server" => Term::Server(value.to_lowercase()),
        "state" => {
            let value = value.to_lowercase();
            if !State::ALL
                .iter()
                .any(|state| state.name().starts_with(&value))
            {
                let known: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
                return Err(format!("no state {value:?}: {}", known.join(", ")));
            }
            Term::State(value)
        }
        "net" => Term::Network(address::network(value)?),
        // An IPv6 address has colons, too.
        _ => Term::Free(word.to_lowercase()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(filter: &str, address: &str, state: State, text: &str) -> bool {
        let row = Row {
            address: Some(address.parse().expect("an address")),
            state: Some(state),
            text,
        };
        Filter::parse(filter).expect("a filter").fits(row)
    }

    #[test]
    fn every_word_must_fit() {
        let row = |filter| fits(filter, "192.0.2.53", State::Failing, "port unreachable");
        assert!(row(""));
        assert!(row("server:192.0.2 state:fail net:192.0.2.0/24 UNREACH"));
        assert!(row("2.53"));
        assert!(!row("state:fail servfail"));
        assert!(!row("server:192.0.2.54"));
        assert!(!row("net:198.51.100.0/24"));
        assert!(!row("state:ok"));
    }

    #[test]
    fn addresses_of_ipv6_are_words() {
        assert!(fits("2001:db8::53", "2001:db8::53", State::Ok, ""));
        assert!(fits("net:2001:db8::/32", "2001:db8::53", State::Ok, ""));
        assert!(!fits("net:2001:db9::/32", "2001:db8::53", State::Ok, ""));
    }

    #[test]
    fn what_is_no_network_or_state_is_said() {
        assert!(Filter::parse("net:192.0.2.0/33").is_err());
        assert!(Filter::parse("net:here").is_err());
        assert!(Filter::parse("state:sad").is_err_and(|error| error.contains("failing")));
        // Half typed.
        assert!(Filter::parse("state: net:").is_ok());
    }
}
