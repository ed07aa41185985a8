//! What holds a program at its hook, and whether it still does.

use std::fs;
use std::path::PathBuf;

use aya::programs::links::{FdLink, LinkError};
use aya::programs::tc::SchedClassifierLink;
use aya::programs::xdp::XdpLink;
use sensor_common::settings::Direction;

use super::clsact::Clsact;
use super::netlink::NetlinkError;

/// Where the kernel describes open files of this process.
const DESCRIPTIONS: &str = "/proc/self/fdinfo";

/// A link of the kernel (bpf(2), `BPF_LINK_CREATE`). It is gone with this process.
pub struct HeldLink {
    /// The program is detached when it is dropped.
    _link: FdLink,
    /// Its description; `None` where there is no /proc.
    description: Option<PathBuf>,
}

impl HeldLink {
    fn new(link: FdLink) -> Result<Self, LinkError> {
        let wanted = format!("link_id:\t{}", link.info()?.id());
        let described = |path: &PathBuf| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines().any(|line| line == wanted)
        };
        let files = fs::read_dir(DESCRIPTIONS).into_iter().flatten().flatten();
        Ok(Self {
            description: files.map(|file| file.path()).find(described),
            _link: link,
        })
    }

    /// Of an XDP program.
    ///
    /// # Errors
    /// The kernel refused a link, and the program was attached over netlink. It is detached again: it would
    /// outlive this process.
    pub fn xdp(link: XdpLink) -> Result<Self, LinkError> {
        Self::new(link.try_into()?)
    }

    /// Of a TC program.
    ///
    /// # Errors
    /// As [`Self::xdp`].
    pub fn tcx(link: SchedClassifierLink) -> Result<Self, LinkError> {
        Self::new(link.try_into()?)
    }

    /// Whether it is attached to an interface. The kernel keeps a link of which the interface was deleted, or
    /// that was detached by force, without one.
    fn is_attached(&self) -> bool {
        let text = self.description.as_ref().map(fs::read_to_string);
        match text {
            Some(Ok(text)) => !text.lines().any(|line| line == "ifindex:\t0"),
            // What cannot be asked is not taken for gone.
            _ => true,
        }
    }
}

/// How a program is held.
pub enum Hold {
    /// By a link.
    Link(HeldLink),
    /// By a filter of the interface's [`Clsact`].
    Filter,
}

/// A hook of ours.
pub struct HeldHook {
    /// What it sees.
    pub direction: Direction,
    /// How.
    pub hold: Hold,
    /// Why it sees nothing any more, if so.
    pub lost: Option<String>,
}

impl HeldHook {
    /// A hook that was just attached.
    #[must_use]
    pub fn new(direction: Direction, hold: Hold) -> Self {
        Self {
            direction,
            hold,
            lost: None,
        }
    }

    /// Asks the kernel. Returns whether it has been lost since the last look.
    pub fn look(&mut self, clsact: Option<&Clsact>) -> bool {
        if self.lost.is_some() {
            return false;
        }
        self.lost = match (&self.hold, clsact) {
            (Hold::Link(link), _) => (!link.is_attached())
                .then(|| "its BPF link was detached, or the interface was deleted".to_string()),
            (Hold::Filter, Some(clsact)) => told(
                clsact.lost(self.direction),
                "its filter cannot be asked for",
            ),
            (Hold::Filter, None) => None,
        };
        self.lost.is_some()
    }
}

/// What cannot be asked is not taken for gone.
fn told(answer: Result<Option<String>, NetlinkError>, failed: &str) -> Option<String> {
    answer.unwrap_or_else(|error| {
        log::warn!("{failed}: {error}");
        None
    })
}
