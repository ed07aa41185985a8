//! Addresses, names and sources of all files.

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::addresses::Addresses;
use crate::format::{Names, Situation};
use crate::load;

/// Networks for documentation, benchmarks, private use and links; and the limited broadcast.
const NETWORKS: [&str; 15] = [
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "198.18.0.0/15",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "224.0.0.0/24",
    "255.255.255.255/32",
    "0.0.0.0/32",
    "2001:db8::/32",
    "fe80::/10",
];

const ZONES: [&str; 10] = [
    "example",
    "example.com",
    "example.net",
    "example.org",
    "test",
    "local",
    "internal",
    "in-addr.arpa",
    "ip6.arpa",
    "root-servers.net",
];

pub fn keep_the_rules(folder: &Path) -> Result<()> {
    let all = load::all(folder)?;
    for situation in &all {
        let name = &situation.name;
        ensure!(
            !situation.source.contains("://"),
            "{name}: {} is the address of a page",
            situation.source
        );
        for address in addresses(situation) {
            let known = NETWORKS.iter().any(|network| {
                let network: Addresses = Addresses(network.parse().into_iter().collect());
                network.contains(address)
            });
            ensure!(known, "{name}: {address} may be somebody's");
        }
        for zone in zones(situation) {
            let zone = zone.to_lowercase();
            let below = |known: &&str| zone == **known || zone.ends_with(&format!(".{known}"));
            let known = zone.is_empty() || ZONES.iter().any(below);
            ensure!(known, "{name}: {zone} may be somebody's");
        }
    }
    let mut titles: Vec<&str> = all.iter().map(|one| one.title.as_str()).collect();
    titles.sort_unstable();
    let twice = titles.windows(2).find(|pair| pair[0] == pair[1]);
    ensure!(twice.is_none(), "two situations are called {twice:?}");
    Ok(())
}

/// The first and the last of each range.
fn addresses(situation: &Situation) -> Vec<IpAddr> {
    let asked = situation
        .ask
        .iter()
        .flat_map(|ask| [&ask.clients, &ask.servers]);
    let sent = situation
        .packets
        .iter()
        .flat_map(|sent| [&sent.from, &sent.to]);
    let fates = situation
        .fate
        .iter()
        .filter_map(|fate| fate.recurse.as_ref());
    let all = asked
        .chain(sent)
        .chain(fates.map(|recurse| &recurse.servers));
    all.flat_map(|addresses| [addresses.nth(0), addresses.nth(addresses.count() - 1)])
        .collect()
}

fn zones(situation: &Situation) -> Vec<String> {
    let of = |names: &Names| match names {
        Names::Only(name) => vec![name.clone()],
        Names::List(list) => list.clone(),
        Names::Pool { zone, .. } | Names::Random { random: zone } => vec![zone.clone()],
        Names::Blocklist { blocklist } => vec![blocklist.clone()],
        Names::Search { search, .. } => search.clone(),
    };
    situation
        .ask
        .iter()
        .flat_map(|ask| of(&ask.names))
        .collect()
}
