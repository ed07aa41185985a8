//! HTTP POST of each alert, to addresses that were looked up while DNS was well.
//!
//! While a receiver takes alerts, each is posted in its order. Where it does not, the newest state of each incident is
//! kept, and tried for as long as the incident is open, the newest first: what it was before tells nothing more.

mod addresses;
mod pending;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::DefaultConnector;

use super::alert::Alert;
use super::tally::Tally;
pub use addresses::Found;
use addresses::{Addresses, found, system};
use pending::{Pending, State};

/// Longest wait for one request.
const LIMIT: Duration = Duration::from_secs(5);
/// Waits between tries; the last one from then on.
const WAITS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_mins(1),
];
/// The receiver's name is looked up so often.
const LOOK_UP: Duration = Duration::from_mins(5);

/// Posts the object of each alert.
pub fn run(url: &str, queue: &Receiver<Arc<Alert>>, tally: &Tally) {
    Hook::new(url, Addresses::new(system)).run(queue, tally);
}

/// One receiver.
struct Hook<'u> {
    url: &'u str,
    agent: ureq::Agent,
    addresses: Addresses,
    pending: Pending,
    /// Tries in a row that failed.
    failures: usize,
    /// When to try again.
    due: Option<Instant>,
}

impl<'u> Hook<'u> {
    fn new(url: &'u str, addresses: Addresses) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(LIMIT));
        let connector = DefaultConnector::default();
        Self {
            url,
            agent: ureq::Agent::with_parts(config.build(), connector, addresses.clone()),
            addresses,
            pending: Pending::default(),
            failures: 0,
            due: None,
        }
    }

    fn run(mut self, queue: &Receiver<Arc<Alert>>, tally: &Tally) {
        self.addresses.note(self.url);
        let mut look_up = Instant::now() + LOOK_UP;
        loop {
            let next = self.due.map_or(look_up, |due| due.min(look_up));
            match queue.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(alert) => self.take(&alert, tally),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            if self.due.is_some_and(|due| due <= now) {
                // It may have moved. Where its name cannot be looked up, it has not.
                self.addresses.look_up();
                self.try_pending(tally);
            }
            if look_up <= now {
                // While something is wrong, what was known before is better than an answer of now.
                if !self.pending.has_open() {
                    self.addresses.look_up();
                }
                look_up = now + LOOK_UP;
            }
        }
        self.try_pending(tally);
    }

    fn take(&mut self, alert: &Alert, tally: &Tally) {
        let state = State::of(alert);
        if self.pending.is_empty() && self.post(&state.json, tally) {
            self.pending.note(&state);
            return;
        }
        for _ in 0..self.pending.add(state) {
            tally.note(false);
        }
        // However long the receiver has been away: what is new is tried soon.
        let soon = Instant::now() + WAITS[0];
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    /// Tries what is pending until one fails.
    fn try_pending(&mut self, tally: &Tally) {
        self.due = None;
        while let Some(state) = self.pending.newest() {
            if self.post(&state.json, tally) {
                self.pending.taken();
                continue;
            }
            if self.pending.failed(WAITS.len()) {
                log::error!("an alert was given up: {}", self.url);
                tally.note(false);
            }
            break;
        }
    }

    /// Posts one; plans the next try where it was not taken.
    fn post(&mut self, json: &str, tally: &Tally) -> bool {
        let request = self
            .agent
            .post(self.url)
            .header("content-type", "application/json");
        match request.send(json) {
            Ok(_) => {
                self.failures = 0;
                tally.note(true);
                true
            }
            Err(error) => {
                let wait = WAITS[self.failures.min(WAITS.len() - 1)];
                self.failures += 1;
                self.due = Some(Instant::now() + wait);
                log::warn!("{}: {error}; again in {} s", self.url, wait.as_secs_f64());
                false
            }
        }
    }
}

/// How the host of a receiver is found now, by the system's resolver.
///
/// # Errors
/// It can never be posted to.
pub fn look_up(url: &str) -> Result<Found, Unusable> {
    check(url)?;
    found(url, system).ok_or(Unusable::NotWeb)
}

/// Why an address can never be posted to.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is no address of the Web.
    #[error(transparent)]
    Format(#[from] ureq::http::uri::InvalidUri),
    /// Another protocol, or no host.
    #[error("an address begins with http:// or https:// and a host")]
    NotWeb,
}

/// Whether an address may be posted to; not whether anybody is there.
///
/// # Errors
/// It can never be.
pub fn check(url: &str) -> Result<(), Unusable> {
    let uri: ureq::http::Uri = url.parse()?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    if web && uri.host().is_some() {
        Ok(())
    } else {
        Err(Unusable::NotWeb)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn addresses_of_the_web_are_usable_and_others_are_not() {
        for good in [
            "http://127.0.0.1:8080/hook",
            "https://hooks.example.org/a?b=c",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "notaurl",
            "ftp://example.org/",
            "http://",
            "",
            "/path",
            "http:/x y",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    /// Takes one request and gives its `Host`.
    fn one_request(listener: &TcpListener) -> String {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut request = vec![0; 4096];
        let mut read = 0;
        while !request[..read].ends_with(b"{}") {
            read += stream.read(&mut request[read..]).expect("it goes on");
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).expect("answered");
        let text = String::from_utf8_lossy(&request[..read]).to_lowercase();
        let host = text.lines().find_map(|line| line.strip_prefix("host: "));
        host.expect("a host").into()
    }

    #[test]
    fn an_alert_arrives_where_its_receivers_name_can_no_longer_be_looked_up() {
        static DEAD: AtomicBool = AtomicBool::new(false);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let lookup = move |_: &str| -> std::io::Result<Vec<SocketAddr>> {
            if DEAD.load(Ordering::Relaxed) {
                return Err(Error::other("no resolver answers"));
            }
            Ok(vec![address])
        };
        let addresses = Addresses::new(lookup);
        let url = format!("http://hooks.example.org:{}/dns", address.port());
        // As at the start of the sensor.
        addresses.note(&url);
        DEAD.store(true, Ordering::Relaxed);
        addresses.look_up();
        let server = std::thread::spawn(move || one_request(&listener));
        let tally = Tally::default();
        assert!(Hook::new(&url, addresses).post("{}", &tally));
        assert_eq!(tally.counts(), (1, 0));
        let host = server.join().expect("a request");
        assert_eq!(host, format!("hooks.example.org:{}", address.port()));
    }
}
