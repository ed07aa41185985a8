//! Why a capture cannot be read, or not to its end.

use super::link_names::LinkType;
use crate::measure::counted::counted;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// As given.
        path: String,
        /// From the system.
        source: std::io::Error,
    },
    /// Not a capture at all.
    #[error(
        "{path} is not a capture file: it begins neither as pcap nor as pcapng; write one with `tcpdump -w FILE`"
    )]
    Unrecognised {
        /// As given.
        path: String,
    },
    /// A capture of a format that other tools convert.
    #[error("{path} is a capture in {format} format; convert it with `{command} {path} OUT.pcap`")]
    OtherFormat {
        /// As given.
        path: String,
        /// Name of the format.
        format: &'static str,
        /// What converts it, without the names of the files.
        command: &'static str,
    },
    /// A directory.
    #[error("{path} is a directory; name one capture file in it")]
    Directory {
        /// As given.
        path: String,
    },
    /// A compressed file that is to be followed.
    #[error(
        "{path} is compressed and cannot be followed; follow what is written before it is compressed"
    )]
    Compressed {
        /// As given.
        path: String,
    },
    /// Nothing in it.
    #[error("{path} is empty: it lacks even the header of a capture")]
    Empty {
        /// As given.
        path: String,
    },
    /// The file breaks off or is damaged.
    #[error(
        "{path}: {what} at byte {offset}{}, after {}; `editcap` may repair it",
        if *is_packed { " of the uncompressed data" } else { "" },
        counted(*frames, "frame")
    )]
    Damaged {
        /// As given.
        path: String,
        /// Bytes from the start of the capture, as it is unpacked, to the record that cannot be read.
        offset: u64,
        /// The file is compressed.
        is_packed: bool,
        /// Frames read before.
        frames: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The link layer of all its packets is not read here.
    #[error("{path}: {link} is not supported; {}", link.advice())]
    LinkType {
        /// As given.
        path: String,
        /// Of the tcpdump.org registry.
        link: LinkType,
    },
}
