//! clsact filters of the server's device, on any kernel.

use futures_util::TryStreamExt;
use netlink_packet_route::tc::TcAttribute;
use rtnetlink::Handle;
use sensor::engine::kernel::engine::WatchOptions;
use sensor::engine::kernel::hook::{HookChoice, TcFlavour};
use sensor::stage::namespace::Namespace;
use sensor_common::settings::Direction;

use super::lab::{SERVER_DEVICE, options};

/// Watches the server's device, with filters where it is TC.
pub fn clsact(hook: HookChoice) -> WatchOptions {
    WatchOptions {
        tc: Some(TcFlavour::Clsact),
        ..options(SERVER_DEVICE, hook)
    }
}

/// Asks rtnetlink in a namespace.
fn netlink<T: Send>(namespace: &Namespace, work: impl AsyncFnOnce(Handle, u32) -> T + Send) -> T {
    let index = namespace.index(SERVER_DEVICE).expect("the device");
    namespace
        .block_on(|| async {
            let (connection, handle, _) = rtnetlink::new_connection().expect("netlink");
            let connection = tokio::spawn(connection);
            let result = work(handle, index).await;
            connection.abort();
            result
        })
        .expect("entered")
}

pub fn remove_filters(namespace: &Namespace, direction: Direction) {
    netlink(namespace, async |handle, index| {
        let request = handle.traffic_filter(index.cast_signed()).del();
        let request = match direction {
            Direction::Ingress => request.ingress(),
            Direction::Egress => request.egress(),
        };
        request.execute().await.expect("removed");
    });
}

pub fn has_clsact(namespace: &Namespace) -> bool {
    netlink(namespace, async |handle, index| {
        let all = handle.qdisc().get().execute();
        let all: Vec<_> = all.try_collect().await.expect("told");
        let clsact = TcAttribute::Kind("clsact".into());
        all.iter().any(|qdisc| {
            qdisc.header.index == index.cast_signed() && qdisc.attributes.contains(&clsact)
        })
    })
}

/// Handles of the filters of a direction, in the order in which they run.
pub fn handles(namespace: &Namespace, direction: Direction) -> Vec<u32> {
    netlink(namespace, async |handle, index| {
        let request = handle.traffic_filter(index.cast_signed()).get();
        let request = match direction {
            Direction::Ingress => request.ingress(),
            Direction::Egress => request.egress(),
        };
        let all: Vec<_> = request.execute().try_collect().await.expect("told");
        let handles = all.iter().map(|filter| filter.header.handle.into());
        // A line of a priority has no handle.
        handles.filter(|handle| *handle != 0).collect()
    })
}

/// How many filters there are in both directions.
pub fn filters(namespace: &Namespace) -> usize {
    let both = [Direction::Ingress, Direction::Egress];
    both.iter()
        .map(|direction| handles(namespace, *direction).len())
        .sum()
}
