//! Devices, addresses and routes of a private network, over netlink.

use std::fs;
use std::future::Future;
use std::net::IpAddr;

use futures_util::TryStreamExt;
use netlink_packet_route::address::{AddressAttribute, AddressFlags};
use netlink_packet_route::route::{RouteMessage, RouteType};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::StageError;
use super::namespace::Namespace;

/// What a router does with packets for a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteAction {
    /// Sends them on.
    Via(IpAddr),
    /// Answers "administratively prohibited".
    Prohibit,
    /// Answers "host unreachable".
    Unreachable,
    /// Drops them in silence.
    Blackhole,
}

impl Namespace {
    /// Runs netlink requests in the namespace.
    fn netlink<F, T>(&self, work: impl FnOnce(Handle) -> F + Send) -> Result<T, StageError>
    where
        F: Future<Output = Result<T, StageError>>,
        T: Send,
    {
        self.block_on(|| async {
            let (connection, handle, _) =
                rtnetlink::new_connection().map_err(StageError::system("open netlink"))?;
            let connection = tokio::spawn(connection);
            let result = work(handle).await;
            connection.abort();
            result
        })?
    }

    /// Makes a pair of veth devices, `here` in this namespace and `there` in the other.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn connect(&self, here: &str, other: &Self, there: &str) -> Result<(), StageError> {
        let other = other.raw_fd();
        self.netlink(|handle| async move {
            handle
                .link()
                .add(LinkVeth::new(here, there).build())
                .execute()
                .await
                .map_err(StageError::netlink("make a veth pair"))?;
            let moved = LinkUnspec::new_with_name(there).setns_by_fd(other).build();
            handle
                .link()
                .set(moved)
                .execute()
                .await
                .map_err(StageError::netlink("move a veth device"))
        })
    }

    /// Gives a device an address and takes it up.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn address(&self, device: &str, address: IpAddr, prefix: u8) -> Result<(), StageError> {
        self.addresses(device, &[address], prefix)
    }

    /// Gives a device several addresses and takes it up.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn addresses(
        &self,
        device: &str,
        addresses: &[IpAddr],
        prefix: u8,
    ) -> Result<(), StageError> {
        self.netlink(|handle| async move {
            let index = index(&handle, device).await?;
            for address in addresses {
                let mut request = handle.address().add(index, *address, prefix);
                // Without duplicate detection an IPv6 address can be used at once.
                request
                    .message_mut()
                    .attributes
                    .push(AddressAttribute::Flags(AddressFlags::Nodad));
                request
                    .execute()
                    .await
                    .map_err(StageError::netlink(format!("add {address} to {device}")))?;
            }
            Ok(())
        })?;
        self.up(device)
    }

    /// Takes a device up.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn up(&self, device: &str) -> Result<(), StageError> {
        self.set(device, "up", LinkMessageBuilder::up)
    }

    /// Takes a device down.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn down(&self, device: &str) -> Result<(), StageError> {
        self.set(device, "down", LinkMessageBuilder::down)
    }

    fn set(
        &self,
        device: &str,
        what: &str,
        change: fn(LinkMessageBuilder<LinkUnspec>) -> LinkMessageBuilder<LinkUnspec>,
    ) -> Result<(), StageError> {
        self.netlink(|handle| async move {
            let index = index(&handle, device).await?;
            handle
                .link()
                .set(change(LinkUnspec::new_with_index(index)).build())
                .execute()
                .await
                .map_err(StageError::netlink(format!("take {device} {what}")))
        })
    }

    /// Deletes a device.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn delete(&self, device: &str) -> Result<(), StageError> {
        self.netlink(|handle| async move {
            let index = index(&handle, device).await?;
            handle
                .link()
                .del(index)
                .execute()
                .await
                .map_err(StageError::netlink(format!("delete {device}")))
        })
    }

    /// Index of a device.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn index(&self, device: &str) -> Result<u32, StageError> {
        self.netlink(|handle| async move { index(&handle, device).await })
    }

    /// Adds a route for a prefix.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn route(
        &self,
        destination: IpAddr,
        prefix: u8,
        action: RouteAction,
    ) -> Result<(), StageError> {
        self.netlink(|handle| async move {
            handle
                .route()
                .add(route_message(destination, prefix, action))
                .execute()
                .await
                .map_err(StageError::netlink(format!(
                    "add a route for {destination}/{prefix}"
                )))
        })
    }

    /// Takes a route away again.
    ///
    /// # Errors
    /// There is none.
    pub fn unroute(
        &self,
        destination: IpAddr,
        prefix: u8,
        action: RouteAction,
    ) -> Result<(), StageError> {
        self.netlink(|handle| async move {
            handle
                .route()
                .del(route_message(destination, prefix, action))
                .execute()
                .await
                .map_err(StageError::netlink(format!(
                    "remove the route for {destination}/{prefix}"
                )))
        })
    }

    /// Writes a setting below /proc/sys/net.
    ///
    /// # Errors
    /// It does not exist or cannot be written.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<(), StageError> {
        self.enter(|| fs::write(format!("/proc/sys/net/{name}"), value))?
            .map_err(StageError::system(format!("set net/{name}")))
    }
}

async fn index(handle: &Handle, device: &str) -> Result<u32, StageError> {
    let link = handle
        .link()
        .get()
        .match_name(device.to_string())
        .execute()
        .try_next()
        .await
        .map_err(StageError::netlink(format!("find {device}")))?;
    link.map(|link| link.header.index)
        .ok_or_else(|| StageError::System {
            what: format!("find {device}"),
            source: std::io::ErrorKind::NotFound.into(),
        })
}

fn route_message(destination: IpAddr, prefix: u8, action: RouteAction) -> RouteMessage {
    let kind = match action {
        RouteAction::Via(_) => RouteType::Unicast,
        RouteAction::Prohibit => RouteType::Prohibit,
        RouteAction::Unreachable => RouteType::Unreachable,
        RouteAction::Blackhole => RouteType::BlackHole,
    };
    match destination {
        IpAddr::V4(destination) => {
            let mut route = RouteMessageBuilder::<std::net::Ipv4Addr>::new()
                .destination_prefix(destination, prefix)
                .kind(kind);
            if let RouteAction::Via(IpAddr::V4(gateway)) = action {
                route = route.gateway(gateway);
            }
            route.build()
        }
        IpAddr::V6(destination) => {
            let mut route = RouteMessageBuilder::<std::net::Ipv6Addr>::new()
                .destination_prefix(destination, prefix)
                .kind(kind);
            if let RouteAction::Via(IpAddr::V6(gateway)) = action {
                route = route.gateway(gateway);
            }
            route.build()
        }
    }
}
