//! HTTP POST of each alert, tried again with growing waits.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::alert::Alert;
use super::tally::Tally;

/// Longest wait for one request.
const LIMIT: Duration = Duration::from_secs(5);
/// Waits between tries.
const WAITS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_mins(1),
];

/// Posts the object of each alert.
pub fn run(url: &str, queue: &Receiver<Arc<Alert>>, tally: &Tally) {
    let config = ureq::Agent::config_builder().timeout_global(Some(LIMIT));
    let agent = ureq::Agent::new_with_config(config.build());
    'alerts: for alert in queue {
        let mut waits = WAITS.iter();
        while let Err(error) = post(&agent, url, &alert.json) {
            let Some(wait) = waits.next() else {
                log::error!("an alert was given up: {url}: {error}");
                tally.note(false);
                continue 'alerts;
            };
            log::warn!("{url}: {error}; again in {} s", wait.as_secs_f64());
            std::thread::sleep(*wait);
        }
        tally.note(true);
    }
}

fn post(agent: &ureq::Agent, url: &str, json: &str) -> Result<(), ureq::Error> {
    let request = agent.post(url).header("content-type", "application/json");
    request.send(json).map(drop)
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
}
