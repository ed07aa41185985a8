//! What the kernel of the sensor's host says.

use std::time::Duration;

use sensor::host::counters::Counters;
use sensor::host::dropped::{Drop, DropKind, Stage, Way};
use sensor::host::events::event::Event;
use sensor::host::facts::HostReading;
use sensor::host::moment::Moment;
use sensor::host::sockets::{Socket, Sockets};
use serde::Deserialize;

use crate::addresses::Addresses;
use crate::words::Span;

/// Time between two readings.
pub const HALF: Duration = Duration::from_millis(500);

/// In each half second of a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    #[serde(default)]
    pub at: Span,
    pub server: Addresses,
    /// Why it drops packets to the server; not given where nothing is dropped.
    #[serde(default)]
    pub drops: Option<String>,
    /// Packets a second.
    #[serde(default)]
    pub rate: u64,
    #[serde(default)]
    pub stage: Option<Stage>,
    /// It drops answers, not queries.
    #[serde(default)]
    pub answers: bool,
    /// It does so in another network namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Counters of the network stack, a second.
    #[serde(default)]
    pub counters: Counters,
    /// Bytes that wait in the server's socket.
    #[serde(default)]
    pub queued: u64,
    /// What changed in links, addresses or routes when it began.
    #[serde(default)]
    pub event: Option<Event>,
    /// The server's socket is there.
    #[serde(default = "yes")]
    pub listens: bool,
}

fn yes() -> bool {
    true
}

impl Kernel {
    /// So many in this half second, of so many a second.
    fn part(rate: u64, half: u64) -> u64 {
        rate * (half + 1) / 2 - rate * half / 2
    }

    fn add(&self, half: u64, moment: &mut Moment) {
        let parts = |counters: Counters| {
            let even = half.is_multiple_of(2);
            let lower = counters.times(0.5);
            if even { lower } else { counters - lower }
        };
        moment.counters += parts(self.counters);
        let (Some(reason), packets @ 1..) = (&self.drops, Self::part(self.rate, half)) else {
            return;
        };
        let dropped = Drop {
            server: self.server.nth(0),
            kind: DropKind {
                reason: reason.clone(),
                stage: self.stage.unwrap_or(Stage::Input),
                way: if self.answers {
                    Way::FromServer
                } else {
                    Way::ToServer
                },
                tcp: false,
                namespace: self.namespace.clone(),
                interface: None,
            },
        };
        let drops = moment.drops.get_or_insert_default();
        *drops.entry(dropped).or_default() += packets;
    }

    fn socket(&self) -> Option<Socket> {
        self.listens.then(|| Socket {
            address: self.server.nth(0),
            queued: self.queued,
            drops: 0,
        })
    }
}

/// What a host says at the end of a half second, counted from the situation's beginning.
pub fn reading(kernel: &[Kernel], half: u64) -> HostReading {
    let mut moment = Moment {
        length: HALF,
        drops: Some(std::collections::BTreeMap::new()),
        ..Moment::default()
    };
    let at = HALF * u32::try_from(half).unwrap_or(u32::MAX);
    let now: Vec<&Kernel> = kernel
        .iter()
        .filter(|kernel| kernel.at.contains(at))
        .collect();
    for kernel in &now {
        kernel.add(half, &mut moment);
    }
    HostReading {
        moments: vec![(Duration::ZERO, moment)],
        sockets: Some(Sockets {
            udp: Some(now.iter().filter_map(|kernel| kernel.socket()).collect()),
            tcp: None,
        }),
        conntrack: None,
        cgroups: None,
        events: now
            .iter()
            .filter(|kernel| kernel.at.begins(at, HALF))
            .filter_map(|kernel| Some((Duration::ZERO, kernel.event.clone()?)))
            .collect(),
        events_missed: 0,
    }
}
