//! Addresses of a receiver, as they were last known: a DNS failure must not lose the alert that reports it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Longest wait for the system's resolver.
const LIMIT: Duration = Duration::from_secs(5);
/// Hosts that are known: the receiver's own, a proxy, and where they lead.
const HOSTS: usize = 8;
/// Addresses of a host: as many as are tried.
const ADDRESSES: usize = 16;

/// Looks a host and port up.
type LookUp = dyn Fn(&str) -> Result<Vec<SocketAddr>> + Send + Sync;

/// See the module. Clones share what is known.
#[derive(Clone)]
pub struct Addresses {
    look_up: Arc<LookUp>,
    /// By host and port.
    known: Arc<Mutex<BTreeMap<String, Vec<SocketAddr>>>>,
}

impl Addresses {
    /// Nothing is known yet.
    pub fn new(look_up: impl Fn(&str) -> Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self {
            look_up: Arc::new(look_up),
            known: Arc::default(),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<SocketAddr>>> {
        // A map is whole also where a thread has panicked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up where an address of the Web leads.
    pub fn note(&self, url: &str) {
        let host = url.parse().ok().as_ref().and_then(host);
        if let Some(host) = host
            && let Err(error) = self.find(&host)
        {
            log::warn!(
                "the webhook's host {host} cannot be looked up: {error}; alerts for it wait until it can, so a DNS outage that \
                 begins before that is not reported there: give an address, or name it in /etc/hosts"
            );
        }
    }

    /// Looks all up again that is known. What cannot be looked up stays as it was.
    pub fn look_up(&self) {
        let hosts: Vec<String> = self.known().keys().cloned().collect();
        for host in hosts {
            if let Err(error) = self.find(&host) {
                log::info!("{host} cannot be looked up: {error}; its last addresses are kept");
            }
        }
    }

    /// Looks one up, and remembers it.
    fn find(&self, host: &str) -> Result<Vec<SocketAddr>> {
        let mut found = (self.look_up)(host)?;
        if found.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "no address"));
        }
        found.truncate(ADDRESSES);
        let mut known = self.known();
        if known.len() < HOSTS || known.contains_key(host) {
            known.insert(host.into(), found.clone());
        }
        Ok(found)
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses")
            .field("known", &self.known())
            .finish_non_exhaustive()
    }
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        let host = host(uri).ok_or(ureq::Error::HostNotFound)?;
        let known = self.known().get(&host).cloned();
        let found = match known {
            Some(known) => known,
            None => self.find(&host).map_err(|_| ureq::Error::HostNotFound)?,
        };
        let mut addresses = self.empty();
        for address in found {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

fn host(uri: &Uri) -> Option<String> {
    DefaultResolver::host_and_port(uri.scheme()?, uri.authority()?)
}

/// How the host of a receiver is found.
#[derive(Debug)]
pub enum Found {
    /// It is an address.
    Address,
    /// It is a name, with these addresses now.
    Name(String, Vec<IpAddr>),
    /// It is a name that cannot be looked up.
    Missing(String, Error),
}

/// Looks the host of an address of the Web up, as the receiver of alerts does.
#[must_use]
pub fn found(url: &str, look_up: impl Fn(&str) -> Result<Vec<SocketAddr>>) -> Option<Found> {
    let uri: Uri = url.parse().ok()?;
    let name = uri.host()?;
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    if literal.parse::<IpAddr>().is_ok() {
        return Some(Found::Address);
    }
    Some(match look_up(&host(&uri)?) {
        Ok(found) if found.is_empty() => {
            Found::Missing(name.into(), Error::new(ErrorKind::NotFound, "no address"))
        }
        Ok(found) => {
            let addresses: BTreeSet<IpAddr> = found.iter().map(SocketAddr::ip).collect();
            Found::Name(name.into(), addresses.into_iter().collect())
        }
        Err(error) => Found::Missing(name.into(), error),
    })
}

/// By the system's resolver, which may take far longer than anybody can wait.
///
/// # Errors
/// From the system, or it took too long.
pub fn system(host: &str) -> Result<Vec<SocketAddr>> {
    let (send, found) = channel();
    let name = host.to_owned();
    std::thread::Builder::new()
        .name("look-up".into())
        .spawn(move || {
            // Who asked may wait no longer.
            let _ = send.send(name.to_socket_addrs().map(Iterator::collect));
        })?;
    let late = |_| Err(Error::new(ErrorKind::TimedOut, "no answer within 5 s"));
    found.recv_timeout(LIMIT).unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_is_kept_and_what_has_moved_is_followed() {
        let answers: Arc<Mutex<Vec<Result<Vec<SocketAddr>>>>> = Arc::default();
        let next = answers.clone();
        let addresses = Addresses::new(move |_| next.lock().expect("no panic").remove(0));
        let [first, second] = ["192.0.2.1:443", "192.0.2.2:443"].map(|text| {
            let address: SocketAddr = text.parse().expect("an address");
            address
        });
        answers.lock().expect("no panic").extend([
            Ok(vec![first]),
            Err(Error::other("dead")),
            Ok(Vec::new()),
            Ok(vec![second; 40]),
        ]);
        let known = || addresses.known().get("hooks.example.org:443").cloned();
        addresses.note("https://hooks.example.org/dns");
        assert_eq!(known(), Some(vec![first]));
        addresses.look_up();
        assert_eq!(known(), Some(vec![first]), "a dead resolver");
        addresses.look_up();
        assert_eq!(known(), Some(vec![first]), "an empty answer");
        addresses.look_up();
        assert_eq!(known(), Some(vec![second; ADDRESSES]));
    }

    #[test]
    fn a_host_is_an_address_a_name_or_missing() {
        let at = |url: &str, answer: &dyn Fn() -> Result<Vec<SocketAddr>>| {
            found(url, |_| answer()).expect("of the Web")
        };
        let never = || panic!("an address is not looked up");
        assert!(matches!(
            at("http://192.0.2.1:8080/x", &never),
            Found::Address
        ));
        assert!(matches!(
            at("https://[2001:db8::1]/x", &never),
            Found::Address
        ));
        let twice = || Ok(vec![([192, 0, 2, 1], 443).into(); 2]);
        let Found::Name(name, addresses) = at("https://hooks.example.org/dns", &twice) else {
            panic!("a name");
        };
        assert_eq!((name.as_str(), addresses.len()), ("hooks.example.org", 1));
        for dead in [|| Ok(Vec::new()), || Err(Error::other("dead"))] {
            let of = at("https://hooks.example.org/dns", &dead);
            assert!(matches!(of, Found::Missing(..)), "{of:?}");
        }
    }

    #[test]
    fn an_address_needs_no_resolver() {
        let found = system("127.0.0.1:80").expect("no look-up");
        assert_eq!(found, ["127.0.0.1:80".parse().expect("an address")]);
    }
}
