//! Incidents on disk: a record (JSON), its packets (pcap) and, where somebody asked for it, its report (Markdown), readable by their owner alone.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sensor_common::sample::Sample;

use super::kept::Kept;
use super::packets::{PCAP_HEADER, write_pcap};
use super::record::{Record, Stage};
use crate::measure::clock::WallClock;

/// Incidents that are kept; the oldest give way.
const KEPT: usize = 100;
/// Addresses and names are personal data.
const OWNER_ONLY: u32 = 0o600;
/// Bytes of packets of an incident that is taken up again and again.
const MOST_PACKETS: usize = 1 << 20;

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
    /// There is a file where the directory should be.
    #[error("{0} is a file; --state takes a directory, which is made where there is none")]
    NotDirectory(PathBuf),
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

/// An incident that an ended sensor left open.
#[derive(Debug)]
pub struct Left {
    /// As it was then.
    pub record: Record,
    /// While it is open no other sensor takes the incident up.
    pub lock: File,
}

/// A directory with incidents.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
    /// It is not the one that commands take by themselves.
    is_named: bool,
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
            is_named: directory.is_some(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a record, and the packets if there are new ones, behind those that an earlier sensor wrote. As long as
    /// the file that it gives is open, other sensors take the incident as one that is watched.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write(
        &self,
        record: &Record,
        earlier: &[u8],
        packets: &[Sample],
        calendar: &WallClock,
    ) -> Result<File, StoreError> {
        let file = self.write_record(record)?;
        if !packets.is_empty() {
            self.replace(&record.id, "pcap", |file| {
                let mut new = Vec::new();
                write_pcap(&mut new, packets, calendar)?;
                let (header, new) = new.split_at(PCAP_HEADER);
                file.write_all(&[header, earlier, new].concat())
            })?;
        }
        self.forget_old(&record.id);
        Ok(file)
    }

    /// Writes a record alone.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write_record(&self, record: &Record) -> Result<File, StoreError> {
        self.make()?;
        let text = serde_json::to_vec_pretty(record).map_err(|source| StoreError::Format {
            path: self.path(&record.id, "json"),
            source,
        })?;
        self.replace(&record.id, "json", |file| {
            // Where the file system has no locks, records are kept without.
            let _ = file.try_lock();
            file.write_all(&text)
        })
    }

    /// What sensors that watched one of these left open when they ended, the oldest first.
    #[must_use]
    pub fn left_open(&self, watched: &[String]) -> Vec<Left> {
        // What cannot be read is told when somebody reads it.
        let ids = self.ids().unwrap_or_default();
        let left = ids.iter().filter_map(|id| self.left(id));
        left.filter(|left| {
            let was_watched = |one| watched.contains(one);
            left.record.watched.iter().any(was_watched)
        })
        .collect()
    }

    fn left(&self, id: &str) -> Option<Left> {
        let mut lock = File::open(self.path(id, "json")).ok()?;
        lock.try_lock().ok()?;
        let mut text = Vec::new();
        lock.read_to_end(&mut text).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        let is_left =
            record.id == id && (record.stage.goes_on() || record.stage == Stage::Unfinished);
        is_left.then_some(Left { record, lock })
    }

    /// The packets of an incident, as they lie in its file behind the header; none if there are none, or so many that
    /// no more should be added.
    #[must_use]
    pub fn packets(&self, id: &str) -> Vec<u8> {
        let mut bytes = fs::read(self.path(id, "pcap")).unwrap_or_default();
        if bytes.len() > MOST_PACKETS {
            return Vec::new();
        }
        bytes.split_off(PCAP_HEADER.min(bytes.len()))
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
    ) -> Result<File, StoreError> {
        let path = self.path(id, extension);
        let new = self.path(id, &format!("{extension}.new"));
        // Of one that was killed, or put there by somebody else: it is not followed if it is a link.
        let _ = fs::remove_file(&new);
        create(&new)
            .and_then(|mut file| write(&mut file).map(|()| file))
            .and_then(|file| fs::rename(&new, &path).map(|()| file))
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

    /// Where an incident is kept; `None` where it is not, as in a capture or on a full disk.
    #[must_use]
    pub fn kept(&self, id: &str) -> Option<Kept> {
        self.path(id, "json").exists().then(|| Kept {
            state: self.is_named.then(|| self.directory.clone()),
            packets: self.pcap(id),
        })
    }

    /// Makes the directory, and finds out whether it can be written.
    ///
    /// # Errors
    /// It cannot.
    pub fn prepare(&self) -> Result<(), StoreError> {
        self.make()?;
        let probe = self.path(&format!("probe-{}", std::process::id()), "new");
        // On a full disk an empty file can still be made.
        let written = create(&probe)
            .and_then(|mut file| file.write_all(&[0; 4_096]).and_then(|()| file.sync_all()));
        let removed = fs::remove_file(&probe);
        written.and(removed).map_err(|source| StoreError::File {
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
            .map_err(|source| self.failed("make", source))
    }

    /// The directory cannot be used.
    fn failed(&self, what: &'static str, source: io::Error) -> StoreError {
        let path = self.directory.clone();
        if fs::metadata(&path).is_ok_and(|data| !data.is_dir()) {
            return StoreError::NotDirectory(path);
        }
        StoreError::File { what, path, source }
    }

    /// Ids, the oldest first: they begin with the time of detection. None where there is no directory.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn ids(&self) -> Result<Vec<String>, StoreError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(self.failed("read", source)),
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
        let record: Record =
            serde_json::from_slice(&text).map_err(|source| StoreError::Format {
                path: path.clone(),
                source,
            })?;
        // Whoever watched it has ended, and had no time to say so.
        let was_left = record.stage.goes_on() && !is_watched(&path);
        Ok(Record {
            stage: if was_left {
                Stage::Unfinished
            } else {
                record.stage
            },
            ..record
        })
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

/// Whether a sensor that runs writes this record.
fn is_watched(path: &Path) -> bool {
    let file = File::open(path);
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
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
