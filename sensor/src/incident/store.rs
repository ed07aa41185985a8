//! Incidents on disk: a record (JSON), its packets (pcap) and, where somebody asked for it, its report (Markdown), readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_parser::{LegacyPcapBlock, PcapHeader, ToVec};
use sensor_common::sample::Sample;

use super::Record;
use crate::measure::clock::WallClock;

/// Incidents that are kept; the oldest give way.
const KEPT: usize = 100;
/// Addresses and names are personal data.
const OWNER_ONLY: u32 = 0o600;
/// Before IP packets that had no Ethernet header: type IPv4 or IPv6 follows.
const NO_ADDRESSES: [u8; 12] = [0; 12];

/// Why an incident cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory or a file.
    #[error("cannot {what} {path}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// From the system.
        source: io::Error,
    },
    /// The file is no record, or of another version.
    #[error("{path} is no incident of this version of the sensor; move it away, or name another")]
    Format {
        /// The path.
        path: PathBuf,
        /// Where it does not fit.
        source: serde_json::Error,
    },
    /// There is none, or none of that name.
    #[error("{0}")]
    Missing(String),
}

/// A directory with incidents.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// In this directory, or where the system keeps the state of its services or users.
    #[must_use]
    pub fn new(directory: Option<&Path>) -> Self {
        let home = || std::env::var_os("HOME").map(PathBuf::from);
        let default = || {
            if nix::unistd::geteuid().is_root() {
                return "/var/lib/sensor".into();
            }
            // XDG Base Directory Specification.
            let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
            let state = state.or_else(|| Some(home()?.join(".local/state")));
            state.unwrap_or_else(std::env::temp_dir).join("sensor")
        };
        Self {
            directory: directory.map_or_else(default, Into::into),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a record, and the packets if there are new ones.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write(
        &self,
        record: &Record,
        packets: &[Sample],
        calendar: &WallClock,
    ) -> Result<(), StoreError> {
        self.make()?;
        let path = self.path(&record.id, "json");
        let text = serde_json::to_vec_pretty(record).map_err(|source| StoreError::Format {
            path: path.clone(),
            source,
        })?;
        self.replace(&record.id, "json", |file| file.write_all(&text))?;
        if !packets.is_empty() {
            self.replace(&record.id, "pcap", |file| {
                write_pcap(io::BufWriter::new(file), packets, calendar)
            })?;
        }
        self.forget_old(&record.id);
        Ok(())
    }

    /// Writes the report of an incident beside its record.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write_report(&self, id: &str, text: &str) -> Result<PathBuf, StoreError> {
        self.make()?;
        self.replace(id, "md", |file| file.write_all(text.as_bytes()))?;
        Ok(self.path(id, "md"))
    }

    /// Writes a file anew, beside the old one, so that nobody reads half of it.
    fn replace(
        &self,
        id: &str,
        extension: &str,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let path = self.path(id, extension);
        let new = self.path(id, &format!("{extension}.new"));
        // Of one that was killed, or put there by somebody else: it is not followed if it is a link.
        let _ = fs::remove_file(&new);
        create(&new)
            .and_then(|mut file| write(&mut file))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|source| StoreError::File {
                what: "write",
                path,
                source,
            })
    }

    /// Whether others may write in the directory: they could remove records, and put others in their place.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        const OTHERS_WRITE: u32 = 0o022;
        fs::metadata(&self.directory).is_ok_and(|data| data.mode() & OTHERS_WRITE != 0)
    }

    fn path(&self, id: &str, extension: &str) -> PathBuf {
        self.directory.join(format!("{id}.{extension}"))
    }

    /// The packets of an incident.
    #[must_use]
    pub fn pcap(&self, id: &str) -> Option<PathBuf> {
        Some(self.path(id, "pcap")).filter(|path| path.exists())
    }

    /// Makes the directory, and finds out whether it can be written.
    ///
    /// # Errors
    /// It cannot.
    pub fn prepare(&self) -> Result<(), StoreError> {
        self.make()?;
        let probe = self.path(&format!("probe-{}", std::process::id()), "new");
        create(&probe)
            .and_then(|_| fs::remove_file(&probe))
            .map_err(|source| StoreError::File {
                what: "write in",
                path: self.directory.clone(),
                source,
            })
    }

    fn make(&self) -> Result<(), StoreError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(|source| StoreError::File {
                what: "make",
                path: self.directory.clone(),
                source,
            })
    }

    /// Ids, the oldest first: they begin with the time of detection. None where there is no directory.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn ids(&self) -> Result<Vec<String>, StoreError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(StoreError::File {
                    what: "read",
                    path: self.directory.clone(),
                    source,
                });
            }
        };
        let mut ids: Vec<String> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                let id = name.to_str()?.strip_suffix(".json")?;
                is_id(id).then(|| id.to_string())
            })
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// The record of an incident.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read(&self, id: &str) -> Result<Record, StoreError> {
        let ids = self.ids()?;
        if !ids.iter().any(|known| known == id) {
            return Err(StoreError::Missing(self.nothing(Some(id), &ids)));
        }
        let path = self.path(id, "json");
        let text = fs::read(&path).map_err(|source| StoreError::File {
            what: "read",
            path: path.clone(),
            source,
        })?;
        serde_json::from_slice(&text).map_err(|source| StoreError::Format { path, source })
    }

    /// The newest record that can be read, and why newer ones cannot be.
    ///
    /// # Errors
    /// There is none.
    pub fn newest(&self) -> Result<(Record, Vec<StoreError>), StoreError> {
        let ids = self.ids()?;
        let mut broken = Vec::new();
        for id in ids.iter().rev() {
            match self.read(id) {
                Ok(record) => return Ok((record, broken)),
                Err(error) => broken.push(error),
            }
        }
        // Where all are broken, the newest says how.
        Err(broken
            .into_iter()
            .next()
            .unwrap_or_else(|| StoreError::Missing(self.nothing(None, &ids))))
    }

    /// That there is nothing.
    #[must_use]
    pub fn is_empty_in_words(&self) -> String {
        self.nothing(None, &[])
    }

    fn nothing(&self, id: Option<&str>, ids: &[String]) -> String {
        let directory = self.directory.display();
        match (id, ids) {
            (_, []) => format!(
                "no incident in {directory}; `sensor watch` keeps them there while it runs, \
                 `--state DIR` names another directory"
            ),
            (Some(id), ids) => format!(
                "no incident {id:?} in {directory}; the newest first: {}",
                ids.iter()
                    .rev()
                    .take(5)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            (None, _) => format!("no incident in {directory}"),
        }
    }

    /// Removes the oldest, but not the one that was written just now: it may be old and go on. The directory
    /// may have files of others, so only what reads as the record of its name is removed.
    fn forget_old(&self, written: &str) {
        // A directory that can be written and not read keeps all.
        let ids = self.ids().unwrap_or_default();
        let old = ids.iter().take(ids.len().saturating_sub(KEPT));
        for id in old.filter(|id| *id != written) {
            if !self.read(id).is_ok_and(|record| record.id == *id) {
                continue;
            }
            for extension in ["json", "pcap", "md"] {
                // What is not there any more is forgotten.
                let _ = fs::remove_file(self.path(id, extension));
            }
        }
    }
}

/// Whether a name is that of an incident: milliseconds since 1970, which have 13 digits until 2286, and
/// its server.
fn is_id(name: &str) -> bool {
    let Some((at, server)) = name.split_once('-') else {
        return false;
    };
    let of_address = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    at.len() == 13
        && at.bytes().all(|byte| byte.is_ascii_digit())
        && (server == "network" || (!server.is_empty() && server.bytes().all(of_address)))
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // O_EXCL: a link that somebody has put there is not followed (open(2)).
    options.write(true).create_new(true);
    options.mode(OWNER_ONLY).open(path)
}

/// Writes sampled packets as a pcap file with Ethernet frames.
///
/// # Errors
/// From the writer.
pub fn write_pcap(
    mut writer: impl Write,
    packets: &[Sample],
    calendar: &WallClock,
) -> io::Result<()> {
    // What the serializer refuses cannot be written either.
    let unwritable = |_| io::Error::from(io::ErrorKind::InvalidData);
    writer.write_all(&PcapHeader::new().to_vec().map_err(unwritable)?)?;
    let mut sorted: Vec<&Sample> = packets.iter().collect();
    sorted.sort_by_key(|sample| sample.time);
    for sample in sorted {
        let bytes = sample.bytes.get(..sample.captured as usize).unwrap_or(&[]);
        let mut frame = Vec::with_capacity(bytes.len() + 14);
        if sample.layer3 != 0 {
            let is_v6 = bytes.first().is_some_and(|first| first >> 4 == 6);
            let ethertype: u16 = if is_v6 { 0x86dd } else { 0x0800 };
            frame.extend(NO_ADDRESSES);
            frame.extend(ethertype.to_be_bytes());
        }
        let made_up = frame.len() as u32;
        frame.extend(bytes);
        let at: Duration = calendar.of_sample(sample);
        let mut block = LegacyPcapBlock {
            ts_sec: at.as_secs() as u32,
            ts_usec: at.subsec_micros(),
            caplen: frame.len() as u32,
            origlen: sample.length + made_up,
            data: &frame,
        };
        writer.write_all(&block.to_vec().map_err(unwritable)?)?;
    }
    writer.flush()
}
