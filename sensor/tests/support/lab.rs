//! Private networks for tests.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use sensor::engine::kernel::engine::{KernelEngine, KernelError, WatchOptions};
use sensor::engine::kernel::hook::{HookChoice, TcFlavour};
use sensor::engine::settings::for_ports;
use sensor::stage::namespace::Namespace;

use super::{PATIENCE, wait_for};

/// A server and a client on one veth pair, with IPv4 and IPv6.
pub struct Pair {
    pub server: Namespace,
    pub client: Namespace,
}

pub const SERVER_DEVICE: &str = "server0";
pub const CLIENT_DEVICE: &str = "client0";

/// The addresses of a family: 4 or 6.
pub struct Addresses {
    pub server: IpAddr,
    pub client: IpAddr,
}

pub fn addresses(family: u8) -> Addresses {
    let (server, client) = match family {
        4 => ("192.0.2.53", "192.0.2.7"),
        _ => ("2001:db8::53", "2001:db8::7"),
    };
    Addresses {
        server: server.parse().expect("an address"),
        client: client.parse().expect("an address"),
    }
}

pub fn dns(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 53)
}

/// A socket in a namespace. A process that another test starts at this time holds what was closed here until it
/// is another program: an address that is taken is waited for.
///
/// # Panics
/// It cannot be had.
pub fn socket(namespace: &Namespace, address: impl Into<SocketAddr>) -> UdpSocket {
    let address = address.into();
    let mut bound = None;
    wait_for("an address that is free", || {
        let socket = namespace.enter(|| UdpSocket::bind(address));
        match socket.expect("entered") {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            socket => bound = Some(socket.expect("bound")),
        }
        bound.is_some()
    });
    let socket = bound.expect("waited for");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

impl Pair {
    pub fn new() -> Self {
        let server = Namespace::new().expect("a namespace");
        let client = Namespace::new().expect("a namespace");
        server
            .connect(SERVER_DEVICE, &client, CLIENT_DEVICE)
            .expect("a veth pair");
        for family in [4, 6] {
            let prefix = if family == 4 { 24 } else { 64 };
            let addresses = addresses(family);
            server
                .address(SERVER_DEVICE, addresses.server, prefix)
                .expect("an address");
            client
                .address(CLIENT_DEVICE, addresses.client, prefix)
                .expect("an address");
        }
        server.unlimit_icmp();
        Self { server, client }
    }
}

/// For exact counts: Linux otherwise limits the ICMP errors that it sends.
pub trait UnlimitIcmp {
    fn unlimit_icmp(&self);
}

impl UnlimitIcmp for Namespace {
    fn unlimit_icmp(&self) {
        for (name, value) in [
            ("ipv4/icmp_ratelimit", "0"),
            ("ipv4/icmp_ratemask", "0"),
            // Both families draw on these.
            ("ipv4/icmp_msgs_per_sec", "1000000"),
            ("ipv4/icmp_msgs_burst", "100000"),
            ("ipv6/icmp/ratelimit", "0"),
        ] {
            self.sysctl(name, value).expect("a setting");
        }
    }
}

pub fn options(device: &str, hook: HookChoice) -> WatchOptions {
    WatchOptions {
        interfaces: vec![device.into()],
        hook,
        ingress_only: false,
        settings: for_ports(&[]).expect("port 53"),
        log_level: None,
        tc: None,
        take_over: false,
    }
}

/// How this kernel attaches TC programs.
pub fn tc_flavour() -> TcFlavour {
    TcFlavour::probe().expect("it may be asked")
}

pub fn watch(namespace: &Namespace, options: &WatchOptions) -> Result<KernelEngine, KernelError> {
    namespace
        .block_on(|| KernelEngine::watch(options))
        .expect("the namespace can be entered")
}
