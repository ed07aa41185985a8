//! Who may ask: by the Host header, against DNS rebinding, and by the token.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::token::Token;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no Host header, or more than one, or it makes no sense.
    NoHost,
    /// The Host header names somebody else.
    WrongHost,
    /// The token is missing or wrong.
    NoToken,
}

/// What a listener demands.
#[derive(Clone)]
pub struct Access {
    /// Where it listens; none is a unix socket, which no browser reaches: its mode decides.
    address: Option<SocketAddr>,
    /// Names beside `localhost` that may stand in the Host header.
    names: Vec<String>,
    token: Option<Token>,
}

impl Access {
    /// Of a unix socket.
    #[must_use]
    pub fn by_file_mode() -> Self {
        Self {
            address: None,
            names: Vec::new(),
            token: None,
        }
    }

    /// Of an address.
    #[must_use]
    pub fn at(address: SocketAddr, names: &[String], token: Option<Token>) -> Self {
        Self {
            address: Some(address),
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            token,
        }
    }

    /// Whether a request may pass.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(address) = self.address else {
            return Ok(());
        };
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Refusal::NoHost);
        };
        let host: Authority = host
            .to_str()
            .ok()
            .and_then(|host| host.parse().ok())
            .ok_or(Refusal::NoHost)?;
        let named = [Some(&host), uri.authority()];
        if !named
            .into_iter()
            .flatten()
            .all(|name| self.is_ours(name.host(), address))
        {
            return Err(Refusal::WrongHost);
        }
        match &self.token {
            Some(token) if !offered(headers).is_some_and(|offered| token.is(&offered)) => {
                Err(Refusal::NoToken)
            }
            _ => Ok(()),
        }
    }

    /// A name that an attacker controls can be made to resolve to any address, so names must be known. An address
    /// in the Host header cannot be made up, and where all addresses are listened at, any is fine.
    fn is_ours(&self, host: &str, address: SocketAddr) -> bool {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = literal.parse::<IpAddr>() {
            let ours = address.ip().to_canonical();
            let ip = ip.to_canonical();
            return ours.is_unspecified() || ip == ours || (ours.is_loopback() && ip.is_loopback());
        }
        let host = host.to_ascii_lowercase();
        host == "localhost" || self.names.contains(&host)
    }
}

/// The token of a request: `Bearer TOKEN`, or the password of `Basic`, which is what browsers can send.
fn offered(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, value) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().into());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = BASE64_STANDARD.decode(value.trim()).ok()?;
    let colon = text.iter().position(|byte| *byte == b':')?;
    Some(text[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const TOKEN: &str = "k3yQ9vZ1xW7uT5sR2pN8mA";

    fn asked(access: &Access, host: &str, authorization: Option<&str>) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).expect("a header"));
        if let Some(value) = authorization {
            let value = HeaderValue::from_str(value).expect("a header");
            headers.insert(AUTHORIZATION, value);
        }
        access.check(&Uri::from_static("/"), &headers)
    }

    fn at(address: &str, token: Option<&str>) -> Access {
        let token = token.map(|token| Token::new(token).expect("good"));
        let names = ["sensor.example".to_owned()];
        Access::at(address.parse().expect("an address"), &names, token)
    }

    #[test]
    fn only_names_of_the_sensor_may_stand_in_the_host_header() {
        let loopback = at("127.0.0.1:9053", None);
        for host in [
            "127.0.0.1:9053",
            "localhost",
            "LOCALHOST:80",
            "[::1]:9053",
            "sensor.example:9053",
        ] {
            assert_eq!(asked(&loopback, host, None), Ok(()), "{host}");
        }
        for host in [
            "rebound.example",
            "localhost.example",
            "192.0.2.1",
            "127.0.0.1.example:9053",
        ] {
            assert_eq!(
                asked(&loopback, host, None),
                Err(Refusal::WrongHost),
                "{host}"
            );
        }
        assert_eq!(asked(&loopback, "a b", None), Err(Refusal::NoHost));
        let none = loopback.check(&Uri::from_static("/"), &HeaderMap::new());
        assert_eq!(none, Err(Refusal::NoHost));
        // Absolute form: both names count.
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let elsewhere = Uri::from_static("http://rebound.example/");
        assert_eq!(
            loopback.check(&elsewhere, &headers),
            Err(Refusal::WrongHost)
        );
        let any = at("0.0.0.0:9053", Some(TOKEN));
        assert_eq!(asked(&any, "192.0.2.1:9053", None), Err(Refusal::NoToken));
        assert_eq!(
            asked(&any, "rebound.example", None),
            Err(Refusal::WrongHost)
        );
    }

    #[test]
    fn the_token_is_a_bearer_or_the_password_of_basic() {
        let access = at("192.0.2.1:9053", Some(TOKEN));
        let with = |value: &str| asked(&access, "192.0.2.1:9053", Some(value));
        assert_eq!(with(&format!("Bearer {TOKEN}")), Ok(()));
        // sensor:k3yQ9vZ1xW7uT5sR2pN8mA
        assert_eq!(
            with("Basic c2Vuc29yOmszeVE5dloxeFc3dVQ1c1IycE44bUE="),
            Ok(())
        );
        for wrong in [
            "Bearer",
            "Bearer k3yQ9vZ1xW7uT5sR2pN8mB",
            "Basic c2Vuc29yOmszeVE5dloxeFc3dVQ1c1IycE44bUI=",
            "Basic ****",
            TOKEN,
        ] {
            assert_eq!(with(wrong), Err(Refusal::NoToken), "{wrong}");
        }
        assert_eq!(asked(&Access::by_file_mode(), "x", None), Ok(()));
    }
}
