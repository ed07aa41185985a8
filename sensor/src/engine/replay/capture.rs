//! Capture files: pcap and pcapng, compressed or not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::capture_error::CaptureError;
use super::compressed::Compression;
use super::pcapng::Pcapng;
use super::record::{Broken, Packet, Pcap, Record, Unread};
use super::source::Source;

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

/// How the records of a capture lie in it.
enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// A capture, read from its beginning to its end.
pub struct Capture<'r> {
    path: String,
    source: Source<'r>,
    format: Format,
    frames: u64,
    /// Bytes that were read of the file, for others to see.
    progress: Arc<AtomicU64>,
    skipped: BTreeMap<Unread, u64>,
    /// The last frame.
    ethernet: Vec<u8>,
    /// It is still written.
    grows: bool,
    /// It is unpacked as it is read.
    is_packed: bool,
}

impl Capture<'static> {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be opened, or is no capture.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path.to_str() == Some("-") {
            // The descriptor as it is: /dev/stdin cannot be opened where it is a socket, or where another user opened it.
            let name = "standard input".to_string();
            let file = io::stdin().as_fd().try_clone_to_owned();
            return match file {
                Ok(file) => Self::new(name, File::from(file)),
                Err(source) => Err(CaptureError::Open { path: name, source }),
            };
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| CaptureError::Open {
            path: name.clone(),
            source,
        })?;
        if path.is_dir() {
            return Err(CaptureError::Directory { path: name });
        }
        Self::new(name, file)
    }
}

impl Capture<'static> {
    /// Opens a file that is still written: where it ends now there is no frame yet. `None` while it has no header.
    ///
    /// # Errors
    /// It cannot be opened, is no capture, or is compressed.
    pub fn follow(path: &Path) -> Result<Option<Self>, CaptureError> {
        let name = path.display().to_string();
        let open = |source| CaptureError::Open {
            path: name.clone(),
            source,
        };
        if path.is_dir() {
            return Err(CaptureError::Directory { path: name });
        }
        let begin = begin_of(&mut File::open(path).map_err(open)?).map_err(open)?;
        if begin.len() < Pcap::HEADER {
            return Ok(None);
        }
        if Compression::of(&begin).is_some() {
            return Err(CaptureError::Compressed { path: name });
        }
        let mut capture = Self::open(path)?;
        capture.source.grows();
        capture.grows = true;
        Ok(Some(capture))
    }
}

impl<'r> Capture<'r> {
    /// Reads a capture from anywhere. `path` is for messages.
    ///
    /// # Errors
    /// It is no capture.
    pub fn new(path: String, source: impl Read + Send + 'r) -> Result<Self, CaptureError> {
        let progress = Arc::default();
        let mut source = Counted {
            reader: source,
            read: Arc::clone(&progress),
        };
        let begin = match begin_of(&mut source) {
            Ok(begin) => begin,
            Err(source) => return Err(CaptureError::Open { path, source }),
        };
        let Some(compression) = Compression::of(&begin) else {
            return Self::unpacked(path, &begin, Box::new(source), progress);
        };
        let mut unpacked = compression.unpack(Cursor::new(begin).chain(source));
        match begin_of(&mut unpacked) {
            Ok(begin) => {
                let unpacked = Self::unpacked(path, &begin, unpacked, progress);
                unpacked.map(|capture| Self {
                    is_packed: true,
                    ..capture
                })
            }
            Err(source) => Err(CaptureError::Damaged {
                path,
                offset: 0,
                is_packed: true,
                frames: 0,
                what: source.to_string(),
            }),
        }
    }

    fn unpacked(
        path: String,
        begin: &[u8],
        source: Box<dyn Read + Send + 'r>,
        progress: Arc<AtomicU64>,
    ) -> Result<Self, CaptureError> {
        if begin.is_empty() {
            return Err(CaptureError::Empty { path });
        }
        let mut source = Source::new(begin, source);
        let format = if let Some(pcap) = Pcap::of(begin) {
            if let Some(link) = pcap.unread() {
                return Err(CaptureError::LinkType { path, link });
            }
            source.consume(Pcap::HEADER);
            Format::Pcap(pcap)
        } else if let Some(pcapng) = Pcapng::of(begin) {
            Format::Pcapng(pcapng)
        } else if let Some((format, command)) = other_format(begin) {
            return Err(CaptureError::OtherFormat {
                path,
                format,
                command,
            });
        } else {
            return Err(CaptureError::Unrecognised { path });
        };
        Ok(Self {
            path,
            source,
            format,
            frames: 0,
            progress,
            skipped: BTreeMap::new(),
            ethernet: Vec::new(),
            grows: false,
            is_packed: false,
        })
    }

    /// Bytes that were read of the file so far, as it is on disk; it goes on while frames are read.
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

    /// Frames that were skipped so far because of their interface.
    #[must_use]
    pub fn skipped(&self) -> &BTreeMap<Unread, u64> {
        &self.skipped
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// The capture is damaged.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let Some(packet) = self.next_packet()? else {
            return Ok(None);
        };
        self.frames += 1;
        Ok(Some(Frame {
            time: packet.time,
            bytes: &self.ethernet,
            is_cut: packet.captured < packet.original as usize,
        }))
    }

    /// The same; its bytes are exchanged for those of `memory`. Gives its time, and whether it is cut short.
    pub(super) fn take_frame(
        &mut self,
        memory: &mut Vec<u8>,
    ) -> Result<Option<(Option<Duration>, bool)>, CaptureError> {
        let Some(packet) = self.next_packet()? else {
            return Ok(None);
        };
        self.frames += 1;
        std::mem::swap(memory, &mut self.ethernet);
        let is_cut = packet.captured < packet.original as usize;
        Ok(Some((packet.time, is_cut)))
    }

    /// Reads on until the next frame lies in the buffer.
    fn next_packet(&mut self) -> Result<Option<Packet>, CaptureError> {
        loop {
            let record = match &mut self.format {
                Format::Pcap(pcap) => pcap.next(&mut self.source),
                Format::Pcapng(pcapng) => pcapng.next(&mut self.source),
            };
            let record = match record {
                // The rest of it is not written yet.
                Err(Broken::Ends) if self.grows => Record::End,
                record => record.map_err(|broken| self.damaged(broken))?,
            };
            let length = match record {
                Record::Packet(packet) => {
                    let record = self.source.seen(packet.start + packet.captured);
                    let frame = record.get(packet.start..).unwrap_or_default();
                    packet.link.put(frame, &mut self.ethernet);
                    self.source.consume(packet.length);
                    return Ok(Some(packet));
                }
                Record::Skipped(why, length) => {
                    *self.skipped.entry(why).or_default() += 1;
                    length
                }
                Record::Other(length) => length,
                Record::End => return Ok(None),
            };
            self.source.consume(length);
        }
    }

    fn damaged(&self, broken: Broken) -> CaptureError {
        CaptureError::Damaged {
            path: self.path.clone(),
            offset: self.source.offset(),
            is_packed: self.is_packed,
            frames: self.frames,
            what: match broken {
                Broken::Ends => "the file ends inside a packet".into(),
                Broken::Invalid(what) => what,
                Broken::Unreadable(error) => error.to_string(),
            },
        }
    }
}

/// Counts what is read.
struct Counted<R> {
    reader: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What a capture begins with: as much as the header of a file, or all that there is.
fn begin_of(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    let read = source.take(Pcap::HEADER as u64).read_to_end(&mut begin);
    match read {
        // What came before the error may be enough; it comes again.
        Err(error) if begin.is_empty() => Err(error),
        _ => Ok(begin),
    }
}

/// Formats that other tools convert: their name and the command.
fn other_format(begin: &[u8]) -> Option<(&'static str, &'static str)> {
    const EDITCAP: &str = "editcap -F pcap";
    const FORMATS: [(&[u8], &str); 6] = [
        (b"snoop\0\0\0", "snoop"),
        (b"GMBU", "Microsoft Network Monitor 2"),
        (b"RTSS", "Microsoft Network Monitor 1"),
        (b"TRSNIFF data", "NetXRay Sniffer"),
        (b"XCP\0", "NetXRay"),
        (b"iptrace ", "AIX iptrace"),
    ];
    let found = FORMATS.iter().find(|(magic, _)| begin.starts_with(magic));
    found.map(|(_, format)| (*format, EDITCAP))
}
