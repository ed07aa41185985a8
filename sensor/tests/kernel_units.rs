//! Who asks, on a real kernel: the unit of this host, by the cgroup of its socket.

mod support;

use std::fs;
use std::path::PathBuf;

use procfs::process::Process;
use support::drops::filter;
use support::outage::{Place, Stage};

/// A cgroup that this process is in until it is dropped.
struct Unit {
    name: String,
    root: PathBuf,
    before: PathBuf,
}

impl Unit {
    fn enter() -> Self {
        let own = Process::myself().expect("this process");
        let mounts = own.mountinfo().expect("mounts");
        let root = mounts
            .into_iter()
            .find(|mount| mount.fs_type == "cgroup2")
            .expect("cgroups of version 2 are mounted")
            .mount_point;
        let cgroups = own.cgroups().expect("cgroups");
        let before = cgroups.into_iter().find(|cgroup| cgroup.hierarchy == 0);
        let before = before.expect("one of version 2").pathname;
        let unit = Self {
            name: format!("sensor-test-{}.service", std::process::id()),
            before: root.join(before.trim_start_matches('/')),
            root,
        };
        fs::create_dir(unit.folder()).expect("a cgroup");
        move_to(&unit.folder());
        unit
    }

    fn folder(&self) -> PathBuf {
        self.root.join(&self.name)
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        move_to(&self.before);
        // What it started may not be gone yet; an empty folder that is left harms nobody.
        let _ = fs::remove_dir(self.folder());
    }
}

fn move_to(cgroup: &std::path::Path) {
    fs::write(cgroup.join("cgroup.procs"), "0").expect("moved");
}

#[test]
#[ignore = "needs a kernel and nft"]
fn the_unit_that_asks_is_named() {
    let unit = Unit::enter();
    let stage = Stage::new(Place::Client, "unit");
    let rule = "udp dport 53 reject with icmpx admin-prohibited";
    filter(&stage.routed.server, "input", rule);
    let mut incident = stage.watch.expect("firewall_rejects");
    // Names are read from the first moment of the incident on.
    while incident["clients"]["units"][0]["who"] != unit.name.as_str() {
        incident = stage.watch.next();
    }
}
