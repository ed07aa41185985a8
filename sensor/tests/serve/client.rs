//! Requests as bytes: what a careful client sends, and what no careful client would.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use sensor::serve::listen::Listen;
use sensor::serve::{ServeOptions, Server, Sockets};
use sensor::view::publish::Live;
use sensor::view::{Event, View};
use tokio::sync::{broadcast, watch};

/// A server, and what a session would hold of it.
pub struct Served {
    pub address: SocketAddr,
    pub view: watch::Sender<Arc<View>>,
    pub events: broadcast::Sender<Event>,
    _server: Server,
}

/// What a session would publish.
pub fn session(view: View) -> (watch::Sender<Arc<View>>, broadcast::Sender<Event>, Live) {
    let (sender, view) = watch::channel(Arc::new(view));
    let (events, listener) = broadcast::channel(16);
    let live = Live {
        view,
        events: listener,
    };
    (sender, events, live)
}

/// Serves a view at a free port of loopback.
pub fn serve(view: View) -> Served {
    serve_with(view, ServeOptions::default())
}

pub fn serve_with(view: View, mut options: ServeOptions) -> Served {
    if options.listen.is_empty() {
        options.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    }
    let (view, events, live) = session(view);
    let server = Server::start(Sockets::bind(&options).expect("bound"), live).expect("served");
    let tcp = server.addresses().iter().find_map(|listen| match listen {
        Listen::Tcp(address) => Some(*address),
        Listen::Unix(_) => None,
    });
    Served {
        address: tcp.unwrap_or_else(|| "127.0.0.1:0".parse().expect("an address")),
        view,
        events,
        _server: server,
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Served {
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).expect("set");
        stream.set_write_timeout(patience).expect("set");
        stream
    }

    /// Asks for a path.
    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[&str]) -> Answer {
        let host = format!("Host: {}", self.address);
        let host = if headers.iter().any(|header| header.starts_with("Host:")) {
            String::new()
        } else {
            host + "\r\n"
        };
        let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
        self.raw(
            format!("GET {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n").as_bytes(),
        )
    }

    /// Sends bytes and reads the whole answer.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // The server may refuse before it has read all.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        parse(&bytes)
    }
}

pub fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_ascii_lowercase(), value.to_owned()))
    });
    let headers: BTreeMap<String, String> = headers.collect();
    let chunked = headers
        .get("transfer-encoding")
        .is_some_and(|by| by == "chunked");
    Answer {
        status: status.and_then(|status| status.parse().ok()).unwrap_or(0),
        body: if chunked {
            joined(body)
        } else {
            body.to_owned()
        },
        headers,
    }
}

/// The chunks of a body.
fn joined(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        let Some(chunk) = behind.get(..size) else {
            break;
        };
        body.push_str(chunk);
        rest = behind.get(size + 2..).unwrap_or("");
    }
    body
}
