//! A DNS server as people run them: unbound, where it is installed, which forwards to the other server.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor::stage::namespace::Namespace;

use crate::world::Family;

/// A resolver in a namespace. Dropping it stops it.
pub struct Unbound {
    child: Child,
    family: Family,
    configuration: PathBuf,
}

/// What clients get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Allow,
    Refuse,
}

/// Whether it can run here.
pub fn is_installed() -> bool {
    let version = Command::new("unbound").arg("-V").output();
    version.is_ok_and(|output| output.status.success())
}

impl Unbound {
    pub fn start(namespace: &Namespace, family: Family, directory: &Path) -> Result<Self> {
        let configuration = directory.join("unbound.conf");
        fs::write(&configuration, text(family, Access::Allow))?;
        let child = namespace.enter(|| {
            Command::new("unbound")
                .args(["-d", "-c"])
                .arg(&configuration)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        })?;
        Ok(Self {
            child: child.context("unbound does not start")?,
            family,
            configuration,
        })
    }

    /// Its access list does not want the clients any more.
    pub fn refuse(&self) -> Result<()> {
        fs::write(&self.configuration, text(self.family, Access::Refuse))?;
        // It reads its configuration again (unbound(8)).
        Ok(kill(self.pid(), Signal::SIGHUP)?)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill(self.pid(), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn text(family: Family, access: Access) -> String {
    let (server, upstream): (IpAddr, IpAddr) = (family.server(), family.other());
    let access = match access {
        Access::Allow => "allow",
        Access::Refuse => "refuse",
    };
    format!(
        r#"server:
    interface: {server}
    access-control: 0.0.0.0/0 {access}
    access-control: ::/0 {access}
    do-daemonize: no
    use-syslog: no
    verbosity: 0
    username: ""
    chroot: ""
    pidfile: ""
    # No root key, and every query goes to the upstream.
    module-config: "iterator"
    cache-max-ttl: 0
forward-zone:
    name: "."
    forward-addr: {upstream}
"#
    )
}
