//! What the drop program counts of namespaces that a test made.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use sensor::host::drops::program::{DropProgram, own_namespace};
use sensor::measure::address::key;
use sensor::stage::client::query;
use sensor::stage::namespace::Namespace;
use sensor::stage::network::RouteAction;
use sensor_common::drops::Dropped;

use super::lab::{dns, socket};
use super::wait_for;

/// The client's network, and the server's, with a router between them.
pub struct Routed {
    pub client: Namespace,
    pub router: Namespace,
    pub server: Namespace,
}

pub const CLIENT: &str = "192.0.2.7";
pub const SERVER: &str = "198.51.100.53";

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl Routed {
    pub fn new() -> Self {
        let [client, router, server] =
            std::array::from_fn(|_| Namespace::new().expect("a namespace"));
        router
            .connect("to_client", &client, "client0")
            .expect("a veth pair");
        router
            .connect("to_server", &server, "server0")
            .expect("a veth pair");
        client
            .address("client0", ip(CLIENT), 24)
            .expect("an address");
        router
            .address("to_client", ip("192.0.2.1"), 24)
            .expect("an address");
        router
            .address("to_server", ip("198.51.100.1"), 24)
            .expect("an address");
        server
            .address("server0", ip(SERVER), 24)
            .expect("an address");
        router.sysctl("ipv4/ip_forward", "1").expect("a setting");
        for (host, router) in [(&client, "192.0.2.1"), (&server, "198.51.100.1")] {
            host.route(ip("0.0.0.0"), 0, RouteAction::Via(ip(router)))
                .expect("a route");
        }
        Self {
            client,
            router,
            server,
        }
    }
}

impl Routed {
    /// A query gets through: all know their neighbours from then on.
    pub fn meet(&self) {
        let service = socket(&self.server, dns(ip(SERVER)));
        let _client = ask(&self.client, ip(SERVER), 1);
        service.recv(&mut [0; 512]).expect("a query");
    }
}

pub fn number(namespace: &Namespace) -> u32 {
    namespace
        .enter(own_namespace)
        .expect("entered")
        .expect("a number")
}

/// A rule in a chain at a hook.
pub fn filter(namespace: &Namespace, hook: &str, rule: &str) {
    chain(namespace, "filter", hook, rule);
}

/// The same in a chain that translates addresses.
pub fn nat(namespace: &Namespace, hook: &str, rule: &str) {
    chain(namespace, "nat", hook, rule);
}

fn chain(namespace: &Namespace, kind: &str, hook: &str, rule: &str) {
    let rules = format!(
        "table inet test {{\n chain c {{\n type {kind} hook {hook} priority 0; policy accept;\n {rule}\n }}\n}}\n"
    );
    let mut nft = namespace
        .enter(|| {
            Command::new("nft")
                .args(["-f", "-"])
                .stdin(Stdio::piped())
                .spawn()
        })
        .expect("entered")
        .expect("nft runs");
    let mut stdin = nft.stdin.take().expect("piped");
    stdin.write_all(rules.as_bytes()).expect("written");
    drop(stdin);
    assert!(nft.wait().expect("it ends").success(), "{rules}");
}

/// Sends queries from a socket that stays open; answers and errors are left in it.
pub fn ask(client: &Namespace, server: IpAddr, many: u16) -> UdpSocket {
    let any = match server {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = socket(client, (any, 0));
    for id in 0..many {
        // Some of what is staged makes the sending itself fail.
        let _ = socket.send_to(&query(id, "www.example.org"), dns(server));
    }
    socket
}

/// Reads the program again and again.
pub struct Collector {
    pub program: DropProgram,
    pub seen: BTreeMap<(String, Dropped), u64>,
}

impl Collector {
    pub fn new() -> Self {
        Self {
            program: DropProgram::attach(&[53]).expect("the kernel takes it"),
            seen: BTreeMap::new(),
        }
    }

    pub fn read(&mut self) {
        self.program.turn().expect("turned");
        sleep(Duration::from_millis(20));
        let counted = self.program.read().expect("read");
        assert_eq!((counted.full, counted.unparsed), (0, 0));
        for (dropped, packets) in counted.dns {
            let name = self.program.name(dropped.reason);
            *self.seen.entry((name, dropped)).or_default() += packets;
        }
    }

    /// Packets of a reason in a namespace about a server, and what is known of them.
    pub fn of(&self, reason: &str, namespace: u32, server: IpAddr) -> (u64, Option<Dropped>) {
        let (wanted, mut sum, mut last) = (key(server), 0, None);
        for ((name, dropped), packets) in &self.seen {
            let is_it = name == reason && dropped.namespace == namespace;
            if is_it && dropped.server == wanted.address && dropped.family == wanted.family {
                sum += packets;
                last = Some(*dropped);
            }
        }
        (sum, last)
    }

    /// Waits until so many of a reason were dropped, and says how.
    pub fn expect(&mut self, reason: &str, namespace: u32, server: IpAddr, many: u64) -> Dropped {
        wait_for(&format!("{many} {reason} in {namespace}"), || {
            self.read();
            self.of(reason, namespace, server).0 >= many
        });
        let (sum, dropped) = self.of(reason, namespace, server);
        assert_eq!(sum, many);
        dropped.expect("at least one")
    }
}
