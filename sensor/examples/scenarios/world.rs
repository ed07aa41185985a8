//! The private network of a scenario: clients, a router, two servers.
//!
//! ```text
//! clients c0 --- r0 router r1 --- s0 server
//!                          r2 --- t0 other server
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use sensor::stage::namespace::Namespace;
use sensor::stage::network::RouteAction;

/// Either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

pub struct World {
    pub family: Family,
    pub clients: Namespace,
    pub router: Namespace,
    pub server: Namespace,
    pub other: Namespace,
}

impl Family {
    fn pick(self, v4: [u8; 4], v6: [u16; 8]) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::from(v4).into(),
            Self::V6 => Ipv6Addr::from(v6).into(),
        }
    }

    /// Client `n` of network `network`: a /24, or a /56.
    pub fn client(self, network: u8, n: u8) -> IpAddr {
        let wide = u16::from(network) << 8;
        self.pick(
            [10, 1, network, n],
            [0x2001, 0xdb8, 1, wide, 0, 0, 0, u16::from(n)],
        )
    }

    /// Address `n` in the network of the server.
    pub fn near_server(self, n: u8) -> IpAddr {
        self.pick([10, 2, 0, n], [0x2001, 0xdb8, 2, 0, 0, 0, 0, u16::from(n)])
    }

    pub fn server(self) -> IpAddr {
        self.near_server(53)
    }

    pub fn other(self) -> IpAddr {
        self.pick([10, 3, 0, 53], [0x2001, 0xdb8, 3, 0, 0, 0, 0, 0x53])
    }

    fn gateway(self, link: u8) -> IpAddr {
        match link {
            1 => self.pick([10, 1, 0, 1], [0x2001, 0xdb8, 1, 0, 0, 0, 0, 1]),
            2 => self.near_server(1),
            _ => self.pick([10, 3, 0, 1], [0x2001, 0xdb8, 3, 0, 0, 0, 0, 1]),
        }
    }

    fn any(self) -> IpAddr {
        self.pick([0; 4], [0; 8])
    }

    fn bits(self, v4: u8, v6: u8) -> u8 {
        match self {
            Self::V4 => v4,
            Self::V6 => v6,
        }
    }
}

impl World {
    /// With `networks` client networks of `each` addresses.
    pub fn new(family: Family, networks: u8, each: u8) -> Result<Self> {
        let world = Self {
            family,
            clients: Namespace::new()?,
            router: Namespace::new()?,
            server: Namespace::new()?,
            other: Namespace::new()?,
        };
        let forwarding = match family {
            Family::V4 => "ipv4/ip_forward",
            Family::V6 => "ipv6/conf/all/forwarding",
        };
        world.router.sysctl(forwarding, "1")?;
        for (link, namespace, inner, outer) in [
            (1, &world.clients, "c0", "r0"),
            (2, &world.server, "s0", "r1"),
            (3, &world.other, "t0", "r2"),
        ] {
            world.router.connect(outer, namespace, inner)?;
            let bits = if link == 1 {
                family.bits(16, 48)
            } else {
                family.bits(24, 64)
            };
            world.router.address(outer, family.gateway(link), bits)?;
            namespace.up("lo")?;
            match link {
                1 => {
                    for network in 1..=networks {
                        let hosts: Vec<IpAddr> =
                            (1..=each).map(|n| family.client(network, n + 1)).collect();
                        namespace.addresses("c0", &hosts, bits)?;
                    }
                }
                2 => namespace.address(inner, family.server(), bits)?,
                _ => namespace.address(inner, family.other(), bits)?,
            }
            let via = RouteAction::Via(family.gateway(link));
            namespace.route(family.any(), 0, via)?;
        }
        Ok(world)
    }

    /// What the router does with packets for the server from now on.
    pub fn router_does(&self, action: RouteAction) -> Result<()> {
        let server = self.family.server();
        Ok(self
            .router
            .route(server, self.family.bits(32, 128), action)?)
    }

    /// Everything is as it was before something was done to it.
    pub fn mend(&self) -> Result<()> {
        for action in [
            RouteAction::Prohibit,
            RouteAction::Unreachable,
            RouteAction::Blackhole,
        ] {
            // Only one of them is there, if any.
            let _ = self
                .router
                .unroute(self.family.server(), self.family.bits(32, 128), action);
        }
        self.server.up("s0")?;
        // It went with the device, if that was down; else it is still there.
        let via = RouteAction::Via(self.family.gateway(2));
        let _ = self.server.route(self.family.any(), 0, via);
        for namespace in [&self.router, &self.server] {
            let _ = Self::forget_rules(namespace);
        }
        Ok(())
    }

    fn forget_rules(namespace: &Namespace) -> Result<()> {
        namespace.enter(|| {
            std::process::Command::new("nft")
                .args(["flush", "ruleset"])
                .stderr(std::process::Stdio::null())
                .status()
        })??;
        Ok(())
    }

    /// A second way from the server to the clients, past the router.
    pub fn asymmetric(&self) -> Result<()> {
        self.server.connect("s1", &self.clients, "c1")?;
        let (here, there) = match self.family {
            Family::V4 => (
                Ipv4Addr::new(10, 4, 0, 1).into(),
                Ipv4Addr::new(10, 4, 0, 2).into(),
            ),
            Family::V6 => (self.family.near_server(0xf1), self.family.near_server(0xf2)),
        };
        self.server.address("s1", here, self.family.bits(30, 126))?;
        self.clients
            .address("c1", there, self.family.bits(30, 126))?;
        let clients = self.family.client(0, 0);
        let via = RouteAction::Via(there);
        Ok(self.server.route(clients, self.family.bits(16, 48), via)?)
    }

    /// Runs `nft` in one of the namespaces.
    pub fn nft(namespace: &Namespace, rules: &str) -> Result<()> {
        let status =
            namespace.enter(|| std::process::Command::new("nft").arg(rules).status())??;
        anyhow::ensure!(status.success(), "nft refuses {rules:?}");
        Ok(())
    }
}
