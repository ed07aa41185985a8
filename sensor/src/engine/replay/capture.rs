//! Capture files: pcap and pcapng.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::link_layer::LinkLayer;

/// Memory for blocks of a capture; it grows where a block is larger.
const BUFFER: usize = 1 << 20;
/// No capture has larger blocks: tcpdump's largest snapshot is 256 KiB.
const MAX_BUFFER: usize = 64 << 20;

/// Why a capture cannot be read.
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
        "{path} is no capture: it begins neither as pcap nor as pcapng; write one with `tcpdump -w FILE`"
    )]
    Unrecognised {
        /// As given.
        path: String,
    },
    /// A directory.
    #[error("{path} is a directory; name one capture file in it")]
    Directory {
        /// As given.
        path: String,
    },
    /// Nothing in it.
    #[error("{path} is empty")]
    Empty {
        /// As given.
        path: String,
    },
    /// A compressed capture.
    #[error("{path} is compressed; unpack it first, for example with `gunzip --keep {path}`")]
    Compressed {
        /// As given.
        path: String,
    },
    /// The file breaks off or is damaged.
    #[error(
        "{path} cannot be read on at byte {offset}, after {frames} frames: {what}; `editcap` may mend it"
    )]
    Damaged {
        /// As given.
        path: String,
        /// Bytes from the start of the file to the block that cannot be read.
        offset: u64,
        /// Frames read before.
        frames: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A link layer that is not read here.
    #[error(
        "{path}: link type {link} is not supported (Ethernet, Linux cooked, raw IP and BSD loopback are)"
    )]
    LinkType {
        /// As given.
        path: String,
        /// Number of the tcpdump.org registry.
        link: i32,
    },
}

/// One packet of a capture.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Time since 1970; a simple packet block of pcapng has none.
    pub time: Option<Duration>,
    /// The frame with an Ethernet header; where the capture has another link layer, one was made.
    pub bytes: &'a [u8],
    /// The snapshot length cut it short.
    pub is_cut: bool,
}

/// An interface of a capture: how its frames and times are to be read.
#[derive(Clone, Copy)]
struct Interface {
    /// A link type that is not read here matters once a packet has it.
    link: Result<LinkLayer, i32>,
    /// Units of a time stamp in a second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
    snap_length: u32,
}

/// Reads until the buffer is full or the source ends. The recogniser takes the first read for all
/// that there is, and a pipe may give less.
struct Filling<R>(R);

impl<R: Read> Read for Filling<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // What was read before is delivered first; the error comes again.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// A capture, read from its beginning to its end.
pub struct Capture<'r> {
    path: String,
    reader: Box<dyn PcapReaderIterator + Send + 'r>,
    interfaces: Vec<Interface>,
    /// Bytes before the block to be read next.
    offset: u64,
    frames: u64,
    /// The same for others to see.
    progress: Arc<AtomicU64>,
    /// The last frame.
    ethernet: Vec<u8>,
}

impl Capture<'static> {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be opened, or is no capture.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let path = match path.to_str() {
            Some("-") => Path::new("/dev/stdin"),
            _ => path,
        };
        let name = path.display().to_string();
        let mut file = File::open(path).map_err(|source| CaptureError::Open {
            path: name.clone(),
            source,
        })?;
        if path.is_dir() {
            return Err(CaptureError::Directory { path: name });
        }
        // What it begins with is read here and put in front again, so that a pipe works too.
        let mut start = Vec::new();
        let read = file.by_ref().take(4).read_to_end(&mut start);
        read.map_err(|source| CaptureError::Open {
            path: name.clone(),
            source,
        })?;
        match start[..] {
            [] => Err(CaptureError::Empty { path: name }),
            [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] | [0xfd, b'7', b'z', b'X'] => {
                Err(CaptureError::Compressed { path: name })
            }
            _ => Self::new(name, Cursor::new(start).chain(file)),
        }
    }
}

impl<'r> Capture<'r> {
    /// Reads a capture from anywhere. `path` is for messages.
    ///
    /// # Errors
    /// It is no capture.
    pub fn new(path: String, source: impl Read + Send + 'r) -> Result<Self, CaptureError> {
        let reader = create_reader(BUFFER, Filling(source))
            .map_err(|_| CaptureError::Unrecognised { path: path.clone() })?;
        Ok(Self {
            path,
            reader,
            interfaces: Vec::new(),
            offset: 0,
            frames: 0,
            progress: Arc::default(),
            ethernet: Vec::new(),
        })
    }

    /// Bytes that were read of it so far; it goes on while frames are read.
    #[must_use]
    pub fn progress(&self) -> Arc<AtomicU64> {
        self.progress.clone()
    }

    /// Hands each frame to `take`, until the end.
    ///
    /// # Errors
    /// As [`Self::next_frame()`]; the frames before were taken.
    pub fn for_each(mut self, mut take: impl FnMut(Frame<'_>)) -> Result<(), CaptureError> {
        while let Some(frame) = self.next_frame()? {
            take(frame);
        }
        Ok(())
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// The capture is damaged or has a link layer that is not supported.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let Some(head) = self.next_head()? else {
            return Ok(None);
        };
        self.frames += 1;
        Ok(Some(Frame {
            time: head.time,
            bytes: &self.ethernet,
            is_cut: head.is_cut,
        }))
    }

    /// Reads on until the next frame lies in the buffer.
    fn next_head(&mut self) -> Result<Option<Head>, CaptureError> {
        loop {
            match self.reader.next() {
                Ok((used, block)) => {
                    let read = read_block(&block, &mut self.interfaces, &mut self.ethernet);
                    drop(block);
                    let head = read.map_err(|error| self.unreadable(&error))?;
                    self.reader.consume(used);
                    self.offset += used as u64;
                    self.progress.store(self.offset, Ordering::Relaxed);
                    if head.is_some() {
                        return Ok(head);
                    }
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => {
                    if self.reader.reader_exhausted() {
                        return Err(self.damaged("the file ends inside a packet"));
                    }
                    self.refill()?;
                }
                Err(PcapError::BufferTooSmall) => self.grow()?,
                Err(PcapError::UnexpectedEof) => {
                    return Err(self.damaged("the file ends inside a packet"));
                }
                Err(PcapError::ReadError) => {
                    return Err(self.damaged("the file cannot be read on"));
                }
                Err(_) => return Err(self.damaged("not a packet header")),
            }
        }
    }

    fn unreadable(&self, error: &BlockError) -> CaptureError {
        match error {
            BlockError::LinkType(link) => CaptureError::LinkType {
                path: self.path.clone(),
                link: *link,
            },
            BlockError::ObsoletePacket => {
                self.damaged("a packet block of the obsolete kind (type 2)")
            }
            BlockError::NoInterface => {
                self.damaged("a packet of an interface that was not described")
            }
        }
    }

    fn refill(&mut self) -> Result<(), CaptureError> {
        match self.reader.refill() {
            Ok(()) => Ok(()),
            Err(PcapError::BufferTooSmall) => self.grow(),
            Err(_) => Err(self.damaged("the file cannot be read on")),
        }
    }

    fn grow(&mut self) -> Result<(), CaptureError> {
        let size = self.reader.data().len().max(BUFFER) * 2;
        if size > MAX_BUFFER || !self.reader.grow(size) {
            return Err(self.damaged("a packet of more than 32 MiB"));
        }
        self.refill()
    }

    fn damaged(&self, what: &str) -> CaptureError {
        CaptureError::Damaged {
            path: self.path.clone(),
            offset: self.offset,
            frames: self.frames,
            what: what.into(),
        }
    }
}

/// Type of the packet block that the pcapng draft declares obsolete.
const OBSOLETE_PACKET: u32 = 2;

enum BlockError {
    LinkType(i32),
    ObsoletePacket,
    NoInterface,
}

/// A frame without its bytes.
struct Head {
    time: Option<Duration>,
    is_cut: bool,
}

/// The frame of a block, if it has one; its bytes are put into `ethernet`.
fn read_block(
    block: &PcapBlockOwned<'_>,
    interfaces: &mut Vec<Interface>,
    ethernet: &mut Vec<u8>,
) -> Result<Option<Head>, BlockError> {
    let link_layer = |link: Linktype| LinkLayer::of(link).ok_or(link.0);
    let (interface, time, captured, original) = match block {
        PcapBlockOwned::LegacyHeader(header) => {
            // The upper bits of the field are for the length of an FCS.
            let link = link_layer(Linktype(header.network.0 & 0xffff));
            // All packets of a pcap file have it.
            link.map_err(BlockError::LinkType)?;
            interfaces.push(Interface {
                link,
                resolution: if header.is_nanosecond_precision() {
                    1_000_000_000
                } else {
                    1_000_000
                },
                offset: 0,
                snap_length: header.snaplen,
            });
            return Ok(None);
        }
        PcapBlockOwned::Legacy(packet) => {
            let interface = interfaces.last().ok_or(BlockError::NoInterface)?;
            let units = u64::from(packet.ts_sec) * interface.resolution + u64::from(packet.ts_usec);
            (interface, Some(units), packet.data, packet.origlen)
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            return Ok(None);
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
            interfaces.push(Interface {
                link: link_layer(description.linktype),
                resolution: description.ts_resolution().unwrap_or(1_000_000).max(1),
                offset: description.if_tsoffset,
                snap_length: description.snaplen,
            });
            return Ok(None);
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let interface = interfaces
                .get(packet.if_id as usize)
                .ok_or(BlockError::NoInterface)?;
            let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            let captured = packet
                .data
                .get(..packet.caplen as usize)
                .unwrap_or(packet.data);
            (interface, Some(units), captured, packet.origlen)
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            let interface = interfaces.first().ok_or(BlockError::NoInterface)?;
            // It has no captured length: that is the original or the snapshot length.
            let limit = match interface.snap_length {
                0 => packet.origlen,
                snap => packet.origlen.min(snap),
            };
            let captured = packet.data.get(..limit as usize).unwrap_or(packet.data);
            (interface, None, captured, packet.origlen)
        }
        PcapBlockOwned::NG(Block::Unknown(block)) if block.block_type == OBSOLETE_PACKET => {
            return Err(BlockError::ObsoletePacket);
        }
        PcapBlockOwned::NG(_) => return Ok(None),
    };
    let link = interface.link.map_err(BlockError::LinkType)?;
    link.put(captured, ethernet);
    Ok(Some(Head {
        time: time.map(|units| time_of(units, interface)),
        is_cut: captured.len() < original as usize,
    }))
}

fn time_of(units: u64, interface: &Interface) -> Duration {
    let seconds = (units / interface.resolution).saturating_add_signed(interface.offset);
    let rest = u128::from(units % interface.resolution) * 1_000_000_000;
    // The remainder is smaller than the resolution, so this is under 10^9.
    let nanoseconds = (rest / u128::from(interface.resolution)) as u32;
    Duration::new(seconds, nanoseconds)
}
