//! Capture files beside the project, with what must be said of each in EXPECTED.tsv.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;
use sensor::engine::replay::capture::Capture;

use crate::format::Expect;
use crate::run::{Sensor, Spoken};

/// A row of EXPECTED.tsv.
pub struct Row {
    pub file: PathBuf,
    pub title: String,
    pub host: Vec<IpAddr>,
    pub expect: Expect,
}

/// `$SENSOR_CASES`, or a folder beside the project.
pub fn folder() -> PathBuf {
    std::env::var_os("SENSOR_CASES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases"),
        PathBuf::from,
    )
}

/// The rows, if the folder is there.
///
/// # Errors
/// The file cannot be read or understood.
pub fn rows(folder: &Path) -> Result<Vec<Row>> {
    let path = folder.join("EXPECTED.tsv");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| row(folder, line).with_context(|| format!("{line:?} in {}", path.display())))
        .collect()
}

fn row(folder: &Path, line: &str) -> Result<Row> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [file, arguments, causes, never, most, title, ..] = fields.as_slice() else {
        bail!("it has {} fields", fields.len());
    };
    let mut host = Vec::new();
    let mut words = arguments.split_whitespace();
    while let Some(word) = words.next() {
        match (word, words.next()) {
            ("--host", Some(address)) => host.push(address.parse()?),
            _ => bail!("{word} is not understood"),
        }
    }
    let list = |text: &str| {
        let parts = text.split('|').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(String::from).collect::<Vec<_>>()
    };
    Ok(Row {
        file: folder.join(file),
        title: (*title).into(),
        host,
        expect: Expect {
            first_cause: list(causes),
            never: list(never),
            most_incidents: most.trim().parse().ok(),
            ..Expect::default()
        },
    })
}

/// Runs one.
///
/// # Errors
/// It cannot be read.
pub fn run(row: &Row) -> Result<Spoken> {
    let file = File::open(&row.file).with_context(|| format!("{}", row.file.display()))?;
    let is_packed = row
        .file
        .extension()
        .is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read + Send> = if is_packed {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let capture = Capture::new(row.file.display().to_string(), reader)?;
    let mut sensor = Sensor::new(row.host.clone(), &[53], None)?;
    let mut end = Duration::ZERO;
    let mut counted = Ok(());
    capture.for_each(|frame| {
        if let Some(time) = frame.time {
            end = end.max(time);
            if counted.is_ok() {
                counted = sensor.frame(time, frame.bytes);
            }
        }
    })?;
    counted?;
    Ok(sensor.finish(end))
}
