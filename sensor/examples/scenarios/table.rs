//! The scenarios.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sensor::stage::namespace::Namespace;
use sensor::stage::network::RouteAction;
use sensor::stage::packet_socket::PacketSocket;

use crate::load::{Chatter, Does, Flood, Frames, Load, Names, Server};
use crate::real::Unbound;
use crate::world::{Family, World};

/// Where the sensor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Server,
    Client,
    Router,
}

impl Stands {
    pub fn device(self) -> &'static str {
        match self {
            Self::Server => "s0",
            Self::Client => "c0",
            Self::Router => "r0",
        }
    }

    pub fn namespace(self, world: &World) -> &Namespace {
        match self {
            Self::Server => &world.server,
            Self::Client => &world.clients,
            Self::Router => &world.router,
        }
    }
}

/// What must be found.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// Nothing.
    Quiet,
    /// Nothing but a warning.
    ShortWarning,
    /// One of these causes first, as codes; or two of them, where it cannot be told which.
    Cause(&'static [&'static str]),
}

/// Whose incident it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Server,
    Network,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "a table of independent marks"
)]
pub struct Scenario {
    pub id: u32,
    pub name: &'static str,
    pub family: Family,
    pub stands: Stands,
    /// Client networks and addresses in each.
    pub clients: (u8, u8),
    /// Queries a second before the onset.
    pub rate: f64,
    /// Seconds before the onset, and after it.
    pub seconds: (u64, u64),
    /// What the server does from the beginning; none if it does not run.
    pub server: Option<Does>,
    /// The server is unbound, where that is installed.
    pub real: bool,
    pub about: About,
    pub expected: Expected,
    /// Only what the server's host says decides the cause, which a replay does not know.
    pub host_decides: bool,
    /// It needs the machine for itself.
    pub flood: bool,
    /// Part of the short set.
    pub short: bool,
    /// What happens at the onset.
    pub onset: fn(&mut Stage) -> Result<()>,
}

/// What runs.
pub struct Stage {
    pub world: World,
    pub server: Option<Server>,
    pub unbound: Option<Unbound>,
    /// Of which unbound asks; else nobody asks it but in one scenario.
    pub other: Option<Server>,
    pub loads: Vec<Load>,
    pub floods: Vec<Flood>,
    pub chatter: Option<Chatter>,
}

impl Stage {
    pub fn clients(&self, networks: std::ops::RangeInclusive<u8>, each: u8) -> Vec<IpAddr> {
        let family = self.world.family;
        let of = |network| (1..=each).map(move |n| family.client(network, n + 1));
        networks.flat_map(of).collect()
    }

    fn server_does(&self, does: Does) {
        if let Some(server) = &self.server {
            server.does(does);
        }
    }

    /// All is well again: what the onset did is undone, and of the loads only the usual ones go on.
    pub fn mend(&mut self, scenario: &Scenario, usual: usize, directory: &Path) -> Result<()> {
        self.floods.clear();
        self.loads.truncate(usual);
        self.world.mend()?;
        let family = self.world.family;
        if scenario.real {
            // It may have marked its upstream as gone.
            self.unbound = None;
            self.other = None;
            self.other = Some(Server::start(&self.world.other, family.other())?);
            self.unbound = Some(Unbound::start(&self.world.server, family, directory)?);
        } else if self.server.is_none() {
            self.server = Some(Server::start(&self.world.server, family.server())?);
        }
        self.server_does(Does::Answer);
        Ok(())
    }

    fn add(&mut self, clients: &[IpAddr], names: Names, rate: f64) -> Result<()> {
        let server = self.world.family.server();
        let load = Load::start(&self.world.clients, clients, server, names, rate)?;
        self.loads.push(load);
        Ok(())
    }

    /// The Ethernet header of what leaves a device for DNS, or of what comes from it.
    fn header(namespace: &Namespace, device: &str, port_at: usize) -> Result<[u8; 14]> {
        let socket = PacketSocket::open(namespace, device)?;
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if let Some(frame) = socket.receive() {
                let ip = if frame[12] == 0x86 { 40 } else { 20 };
                let port = frame.get(14 + ip + port_at..14 + ip + port_at + 2);
                if port == Some(&[0, 53]) {
                    return frame[..14].try_into().context("a header");
                }
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        anyhow::bail!("no DNS on {device}")
    }

    fn flood(&mut self, frames: Frames, per_second: u32) -> Result<()> {
        let header = Self::header(&self.world.clients, "c0", 2)?;
        let server = self.world.family.server();
        let clients = &self.world.clients;
        let flood = Flood::start(clients, "c0", header, frames, server, per_second)?;
        self.floods.push(flood);
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the type of every onset")]
fn nothing(_: &mut Stage) -> Result<()> {
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the type of every onset")]
fn server_stops(stage: &mut Stage) -> Result<()> {
    stage.server = None;
    Ok(())
}

fn spoofed(stage: &mut Stage) -> Result<()> {
    stage.flood(Frames::Spoofed, 0)
}

const WARM: u64 = 14;

/// As many others are like.
const USUAL: Scenario = Scenario {
    id: 0,
    name: "",
    family: Family::V4,
    stands: Stands::Server,
    clients: (4, 5),
    rate: 50.0,
    seconds: (WARM, 9),
    server: Some(Does::Answer),
    real: false,
    about: About::Server,
    expected: Expected::Quiet,
    host_decides: false,
    flood: false,
    short: false,
    onset: nothing,
};

pub fn all() -> Vec<Scenario> {
    let mut all = quiet();
    all.extend(failures());
    all.extend(floods());
    all.extend(others());
    all.extend(real());
    all.sort_by_key(|scenario| scenario.id);
    all
}

fn quiet() -> Vec<Scenario> {
    vec![
        Scenario {
            id: 1,
            name: "healthy, steady",
            short: true,
            ..USUAL
        },
        Scenario {
            id: 2,
            name: "healthy, bursts and a daily shape, one busy client",
            clients: (6, 5),
            seconds: (WARM, 40),
            onset: |stage| {
                let busy = stage.clients(1..=1, 1);
                stage.add(&busy, Names::Usual, 0.01)?;
                let others = stage.clients(2..=6, 5);
                stage.add(&others, Names::Usual, 1.0)?;
                Ok(())
            },
            ..USUAL
        },
        Scenario {
            id: 3,
            name: "flash crowd",
            clients: (60, 3),
            rate: 1_000.0,
            seconds: (WARM, 20),
            flood: true,
            onset: |stage| {
                let crowd = stage.clients(7..=60, 3);
                stage.add(&crowd, Names::Usual, 2_000.0)
            },
            ..USUAL
        },
        Scenario {
            id: 21,
            name: "restart of the server",
            seconds: (WARM, 25),
            expected: Expected::ShortWarning,
            onset: |stage| {
                stage.server = None;
                std::thread::sleep(Duration::from_secs(5));
                let server = stage.world.family.server();
                stage.server = Some(Server::start(&stage.world.server, server)?);
                Ok(())
            },
            ..USUAL
        },
        Scenario {
            id: 25,
            name: "one direction only visible",
            stands: Stands::Router,
            seconds: (WARM, 15),
            onset: nothing,
            ..USUAL
        },
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn failures() -> Vec<Scenario> {
    let down = Expected::Cause(&["service_down"]);
    let rejects = Expected::Cause(&["firewall_rejects"]);
    vec![
        Scenario {
            id: 4,
            name: "server stopped",
            expected: down,
            short: true,
            onset: server_stops,
            ..USUAL
        },
        Scenario {
            id: 5,
            name: "router prohibits",
            stands: Stands::Client,
            expected: rejects,
            short: true,
            onset: |stage| stage.world.router_does(RouteAction::Prohibit),
            ..USUAL
        },
        Scenario {
            id: 6,
            name: "router: unreachable",
            stands: Stands::Client,
            expected: Expected::Cause(&["network_path_down"]),
            onset: |stage| stage.world.router_does(RouteAction::Unreachable),
            ..USUAL
        },
        Scenario {
            id: 7,
            name: "blackhole",
            stands: Stands::Client,
            expected: Expected::Cause(&["firewall_drops", "network_path_down"]),
            short: true,
            onset: |stage| stage.world.router_does(RouteAction::Blackhole),
            ..USUAL
        },
        Scenario {
            id: 8,
            name: "server host gone, behind the router",
            stands: Stands::Client,
            seconds: (WARM, 12),
            expected: Expected::Cause(&["host_down"]),
            onset: |stage| Ok(stage.world.server.down("s0")?),
            ..USUAL
        },
        Scenario {
            id: 9,
            name: "SERVFAIL storm",
            expected: Expected::Cause(&["upstream_failure"]),
            onset: |stage| {
                stage.server_does(Does::Servfail);
                Ok(())
            },
            ..USUAL
        },
        Scenario {
            id: 10,
            name: "REFUSED",
            stands: Stands::Client,
            expected: Expected::Cause(&["misconfiguration"]),
            onset: |stage| {
                stage.server_does(Does::Refuse);
                Ok(())
            },
            ..USUAL
        },
        Scenario {
            id: 11,
            name: "slow server",
            expected: Expected::Cause(&["overload"]),
            onset: |stage| {
                stage.server_does(Does::Slow);
                Ok(())
            },
            ..USUAL
        },
        Scenario {
            id: 12,
            name: "one of two servers down",
            stands: Stands::Client,
            expected: down,
            onset: server_stops,
            ..USUAL
        },
        Scenario {
            id: 22,
            name: "firewall rejects one client network of three with code 3",
            stands: Stands::Router,
            clients: (3, 5),
            expected: rejects,
            onset: |stage| {
                World::nft(
                    &stage.world.router,
                    "table inet f { chain c { type filter hook forward priority 0; \
                     ip saddr 10.1.1.0/24 udp dport 53 reject with icmp type port-unreachable; }; }",
                )
            },
            ..USUAL
        },
        Scenario {
            id: 23,
            name: "started mid-outage",
            stands: Stands::Client,
            server: None,
            seconds: (0, 9),
            expected: down,
            onset: nothing,
            ..USUAL
        },
        Scenario {
            id: 24,
            name: "two queries a minute to a dead server",
            stands: Stands::Client,
            clients: (1, 1),
            rate: 2.0 / 60.0,
            server: None,
            seconds: (0, 160),
            expected: down,
            onset: nothing,
            ..USUAL
        },
        Scenario {
            id: 26,
            name: "upstream block, seen from the server",
            expected: Expected::Cause(&["network_path_down", "firewall_drops"]),
            seconds: (WARM, 14),
            onset: |stage| {
                let family = stage.world.family;
                let (from, to) = (family.server(), family.near_server(1));
                stage.chatter = Some(Chatter::start(&stage.world.server, from, to)?);
                stage.world.router_does(RouteAction::Blackhole)
            },
            ..USUAL
        },
        Scenario {
            id: 34,
            name: "a filter on the server's host drops",
            host_decides: true,
            seconds: (WARM, 12),
            expected: Expected::Cause(&["firewall_drops"]),
            onset: |stage| {
                World::nft(
                    &stage.world.server,
                    "table inet f { chain c { type filter hook input priority 0; udp dport 53 drop; }; }",
                )
            },
            ..USUAL
        },
        Scenario {
            id: 35,
            name: "server hangs",
            host_decides: true,
            seconds: (WARM, 12),
            expected: Expected::Cause(&["service_hung"]),
            onset: |stage| {
                stage.server_does(Does::Hang);
                Ok(())
            },
            ..USUAL
        },
    ]
}

fn floods() -> Vec<Scenario> {
    let flood = Scenario {
        flood: true,
        ..USUAL
    };
    let spoofed_flood = Expected::Cause(&["attack_spoofed"]);
    vec![
        Scenario {
            id: 13,
            name: "flood, one source",
            expected: Expected::Cause(&["attack_one_source"]),
            short: true,
            onset: |stage| {
                let one = stage.clients(2..=2, 1);
                stage.add(&one, Names::Usual, 5_000.0)
            },
            ..flood
        },
        Scenario {
            id: 14,
            name: "flood, 200 sources in many networks",
            clients: (54, 4),
            expected: Expected::Cause(&["attack_distributed"]),
            onset: |stage| {
                let many = stage.clients(5..=54, 4);
                stage.add(&many, Names::Usual, 4_000.0)
            },
            ..flood
        },
        Scenario {
            id: 15,
            name: "flood, spoofed sources, as fast as it goes",
            expected: spoofed_flood,
            short: true,
            onset: spoofed,
            ..flood
        },
        Scenario {
            id: 16,
            name: "random names",
            expected: Expected::Cause(&["attack_random_names"]),
            server: Some(Does::Nxdomain),
            onset: |stage| {
                let clients = stage.clients(1..=4, 5);
                stage.add(&clients, Names::Random, 1_000.0)
            },
            ..flood
        },
        Scenario {
            id: 17,
            name: "amplification, ANY, to one network",
            expected: Expected::Cause(&["attack_amplification"]),
            onset: |stage| {
                stage.server_does(Does::Large);
                stage.flood(Frames::Any, 500)
            },
            ..flood
        },
        Scenario {
            id: 18,
            name: "reflection",
            stands: Stands::Client,
            about: About::Network,
            expected: Expected::Cause(&["attack_reflection"]),
            onset: |stage| {
                let header = Stage::header(&stage.world.server, "s0", 0)?;
                let victim = stage.world.family.client(1, 2);
                let flood = Flood::start(
                    &stage.world.server,
                    "s0",
                    header,
                    Frames::Responses,
                    victim,
                    1_000,
                )?;
                stage.floods.push(flood);
                Ok(())
            },
            ..flood
        },
        Scenario {
            id: 19,
            name: "flood that brings the server down",
            clients: (54, 4),
            seconds: (WARM, 12),
            expected: Expected::Cause(&["attack_distributed"]),
            onset: |stage| {
                let many = stage.clients(5..=54, 4);
                stage.add(&many, Names::Usual, 4_000.0)?;
                std::thread::sleep(Duration::from_secs(2));
                stage.server = None;
                Ok(())
            },
            ..flood
        },
    ]
}

fn others() -> Vec<Scenario> {
    let v6 = Scenario {
        family: Family::V6,
        ..USUAL
    };
    vec![
        Scenario {
            id: 20,
            name: "port scan",
            stands: Stands::Router,
            about: About::Network,
            seconds: (WARM, 12),
            expected: Expected::Cause(&["scan"]),
            onset: |stage| {
                let scanner = stage.clients(1..=1, 1);
                for host in 100..200 {
                    let target = stage.world.family.near_server(host);
                    let load =
                        Load::start(&stage.world.clients, &scanner, target, Names::Usual, 0.5)?;
                    stage.loads.push(load);
                }
                Ok(())
            },
            ..USUAL
        },
        Scenario {
            id: 27,
            name: "server stopped, IPv6",
            expected: Expected::Cause(&["service_down"]),
            short: true,
            onset: server_stops,
            ..v6
        },
        Scenario {
            id: 28,
            name: "router prohibits, IPv6",
            stands: Stands::Client,
            expected: Expected::Cause(&["firewall_rejects"]),
            onset: |stage| stage.world.router_does(RouteAction::Prohibit),
            ..v6
        },
        Scenario {
            id: 29,
            name: "flood, spoofed sources, IPv6",
            expected: Expected::Cause(&["attack_spoofed"]),
            flood: true,
            onset: spoofed,
            ..v6
        },
    ]
}

fn real() -> Vec<Scenario> {
    let unbound = Scenario {
        server: None,
        real: true,
        ..USUAL
    };
    vec![
        Scenario {
            id: 30,
            name: "unbound: healthy",
            seconds: (WARM, 15),
            ..unbound
        },
        Scenario {
            id: 31,
            name: "unbound: stopped",
            expected: Expected::Cause(&["service_down"]),
            onset: |stage| {
                stage.unbound = None;
                Ok(())
            },
            ..unbound
        },
        Scenario {
            id: 32,
            name: "unbound: its upstream is gone",
            seconds: (WARM, 20),
            expected: Expected::Cause(&["upstream_failure"]),
            onset: |stage| {
                stage.other = None;
                Ok(())
            },
            ..unbound
        },
        Scenario {
            id: 33,
            name: "unbound: its access list refuses the clients",
            expected: Expected::Cause(&["misconfiguration"]),
            onset: |stage| stage.unbound.as_ref().map_or(Ok(()), Unbound::refuse),
            ..unbound
        },
    ]
}
