//! From the embedded object to loaded programs.

use aya::maps::{Map, MapData};
use aya::programs::{ProgramError, ProgramType, SchedClassifier, Xdp};
use aya::sys::{BpfHelper, is_helper_supported};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use object::{Object, ObjectSection, ObjectSymbol};
use sensor_common::sample::{MAX_RING_BYTES, MIN_RING_BYTES, RING_BYTES_PER_CPU};
use sensor_common::settings::{SCRATCH_BYTES, SCRATCH_SLACK, Settings};
use sensor_common::shard::Shard;
use sensor_common::totals::Totals;
use sensor_common::transactions::{CELLS, TUPLES};
use sensor_common::{ABI_VERSION, names};

use super::preflight::{Host, PreflightError};
use super::refusal::{Refusal, verdict};

/// The compiled kernel half.
pub static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sensor.bpf.o"));
/// SHA-256 of [`OBJECT`], in hexadecimal.
pub const OBJECT_SHA256: &str = env!("SENSOR_BPF_SHA256");

/// Why the program could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Something about the host.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// The object is of another version.
    #[error(
        "the embedded BPF object has ABI version {found:?}, and this loader wants {ABI_VERSION}: \
         rebuild it with `cargo xtask build-ebpf`"
    )]
    Abi {
        /// In the object; `None` where it says nothing.
        found: Option<u32>,
    },
    /// The object's records have another size.
    #[error(
        "map {map} of the BPF object has records of {found} bytes, and this loader wants {wanted}: \
         rebuild the object with `cargo xtask build-ebpf`"
    )]
    RecordSize {
        /// Name of the map.
        map: &'static str,
        /// In the object.
        found: u32,
        /// In this loader.
        wanted: usize,
    },
    /// The verifier refused a program.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The kernel's permission is missing although the capabilities are there.
    #[error(
        "the kernel does not permit to load BPF programs ({0}): a lockdown, a container's seccomp \
         profile or another security module forbids it"
    )]
    Forbidden(String),
    /// Anything else.
    #[error("cannot load the BPF object: {0}")]
    Other(String),
}

/// Memory of all maps in bytes, for so many CPUs and lanes. The ring buffer of log lines is that of
/// aya-log.
#[must_use]
pub fn map_bytes(cpus: u32, lanes: u32) -> usize {
    const LOG_RING: usize = 128 * 1024;
    let of_a_cpu =
        size_of::<Shard>() + size_of::<Totals>() * lanes as usize + SCRATCH_BYTES + SCRATCH_SLACK;
    let shared = CELLS * 8 + TUPLES * 4 + ring_bytes(cpus) + size_of::<Settings>() + LOG_RING;
    of_a_cpu * cpus as usize + shared
}

/// Which programs are loaded: the verifier takes long for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// For packets that come in, where there is no XDP.
    pub ingress: bool,
    /// For packets that go out.
    pub egress: bool,
    /// For packets that come in.
    pub xdp: bool,
}

impl Programs {
    /// All of them.
    pub const ALL: Self = Self {
        ingress: true,
        egress: true,
        xdp: true,
    };
}

/// Options of a load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Those that will be attached, or may be.
    pub programs: Programs,
    /// For the packet program.
    pub settings: Box<Settings>,
    /// Log lines of the kernel half that are kept; the verifier removes the others.
    pub log_level: Option<log::Level>,
}

/// Loaded programs and their maps, not attached.
pub struct Loaded {
    /// Owns programs and links: dropping it detaches.
    pub ebpf: Ebpf,
    /// CPUs that the maps have room for.
    pub cpus: u32,
    /// As loaded.
    pub settings: Box<Settings>,
    /// Why this kernel runs no XDP program of ours, if so. TC serves without it.
    pub no_xdp: Option<String>,
}

/// Loads the programs that are wanted and that this kernel can run.
///
/// # Errors
/// Why not, and what to do.
pub fn load(options: LoadOptions) -> Result<Loaded, LoadError> {
    load_object(OBJECT, options)
}

/// Loads another object than the embedded one.
///
/// # Errors
/// As [`load`].
pub fn load_object(object: &[u8], options: LoadOptions) -> Result<Loaded, LoadError> {
    let host = Host::look();
    host.check()?;
    check_abi(object)?;
    let cpus = possible_cpus()?;
    let log_level = aya_log_level(options.log_level);
    let mut settings = options.settings;
    settings.cgroups = u16::from(tells_cgroups());
    let pod = PodSettings(*settings);
    let mut loader = EbpfLoader::new();
    loader
        .override_global(names::SETTINGS, &pod, true)
        .override_global(aya_log::LEVEL, &log_level, true)
        .map_max_entries(names::TOTALS, cpus * settings.lanes)
        .map_max_entries(names::SHARDS, cpus)
        .map_max_entries(names::SAMPLES, ring_bytes(cpus) as u32);
    let mut ebpf = loader
        .load(object)
        .map_err(|error| LoadError::Other(chain(&error)))?;
    check_size(&mut ebpf, names::TOTALS, size_of::<Totals>())?;
    check_size(&mut ebpf, names::SHARDS, size_of::<Shard>())?;
    let Programs {
        ingress,
        egress,
        xdp,
    } = options.programs;
    // First those without which nothing works.
    for (name, wanted) in [
        (names::PROGRAM_INGRESS, ingress),
        (names::PROGRAM_EGRESS, egress),
    ] {
        if !wanted {
            continue;
        }
        let program: &mut SchedClassifier = program(&mut ebpf, name)?;
        program
            .load()
            .map_err(|error| refused(name, error, &host))?;
    }
    let no_xdp = if xdp {
        load_xdp(&mut ebpf, &host)?
    } else {
        None
    };
    log::info!("loaded BPF object {OBJECT_SHA256} for {cpus} CPUs");
    Ok(Loaded {
        ebpf,
        cpus,
        settings,
        no_xdp,
    })
}

/// Whether the kernel knows the cgroup of a packet that leaves. It is built without in small systems.
#[must_use]
pub fn tells_cgroups() -> bool {
    is_helper_supported(
        ProgramType::SchedClassifier,
        BpfHelper::BPF_FUNC_skb_cgroup_id,
    )
    .unwrap_or(false)
}

/// Bytes of the ring buffer of samples, a power of two.
fn ring_bytes(cpus: u32) -> usize {
    let wanted = RING_BYTES_PER_CPU.saturating_mul(cpus as usize);
    let wanted = wanted.checked_next_power_of_two().unwrap_or(MAX_RING_BYTES);
    wanted.clamp(MIN_RING_BYTES, MAX_RING_BYTES)
}

/// Loads the XDP program. Returns why this kernel refuses it, if so: it may lack multi-buffer frames or one of
/// the helpers.
fn load_xdp(ebpf: &mut Ebpf, host: &Host) -> Result<Option<String>, LoadError> {
    let program: &mut Xdp = program(ebpf, names::PROGRAM_XDP)?;
    let refusal = match program.load() {
        Ok(()) => return Ok(None),
        Err(error) => refused(names::PROGRAM_XDP, error, host),
    };
    match refusal {
        LoadError::Refused(refusal) => Ok(Some(format!(
            "kernel {} refuses {} ({})",
            refusal.release, refusal.program, refusal.verdict
        ))),
        other => Err(other),
    }
}

/// A program of the object by its name.
pub(super) fn program<'e, P>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut P, LoadError>
where
    &'e mut P: TryFrom<&'e mut aya::programs::Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or_else(|| LoadError::Other(format!("the object has no program {name}")))?
        .try_into()
        .map_err(|error: ProgramError| LoadError::Other(chain(&error)))
}

/// `Settings` as aya wants it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PodSettings(Settings);

// SAFETY: `Settings` is bytemuck::Pod, which asks for more.
unsafe impl aya::Pod for PodSettings {}

fn aya_log_level(level: Option<log::Level>) -> u8 {
    // Both count from 1, error, to 5, trace.
    level.map_or(0, |level| level as u8)
}

/// CPUs that can ever be online: the kernel numbers them from 0 to this.
fn possible_cpus() -> Result<u32, LoadError> {
    let cpus = aya::util::nr_cpus()
        .map_err(|(file, error)| LoadError::Other(format!("cannot read {file}: {error}")))?;
    u32::try_from(cpus).map_err(|_| LoadError::Other(format!("{cpus} CPUs are too many")))
}

/// Reads `SENSOR_ABI` of an object, before anything of it is believed.
fn check_abi(bytes: &[u8]) -> Result<(), LoadError> {
    match abi_of(bytes) {
        Some(ABI_VERSION) => Ok(()),
        found => Err(LoadError::Abi { found }),
    }
}

fn abi_of(bytes: &[u8]) -> Option<u32> {
    let object = object::File::parse(bytes).ok()?;
    let symbol = object
        .symbols()
        .find(|symbol| symbol.name() == Ok(names::ABI))?;
    let section = object.section_by_index(symbol.section_index()?).ok()?;
    let at = usize::try_from(symbol.address()).ok()?;
    let word = section.data().ok()?.get(at..at + 4)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

fn check_size(ebpf: &mut Ebpf, map: &'static str, wanted: usize) -> Result<(), LoadError> {
    let found = map_data(ebpf, map)?
        .info()
        .map_err(|error| LoadError::Other(chain(&error)))?
        .value_size();
    if found as usize == wanted {
        Ok(())
    } else {
        Err(LoadError::RecordSize { map, found, wanted })
    }
}

/// The descriptor of an array map.
pub(super) fn map_data<'e>(ebpf: &'e Ebpf, name: &'static str) -> Result<&'e MapData, LoadError> {
    match ebpf.map(name) {
        Some(Map::Array(data)) => Ok(data),
        _ => Err(LoadError::Other(format!("the object has no array {name}"))),
    }
}

fn refused(program: &'static str, error: ProgramError, host: &Host) -> LoadError {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => {
            let log = verifier_log.to_string();
            if log.trim().is_empty() && io_error.raw_os_error() == Some(libc::EPERM) {
                return LoadError::Forbidden(io_error.to_string());
            }
            log::debug!("the verifier's log of {program}:\n{log}");
            LoadError::Refused(Refusal {
                program,
                release: host.release.clone(),
                older: host.is_older_than_tried(),
                btf: host.btf,
                verdict: verdict(&log).map_or_else(|| io_error.to_string(), Into::into),
            })
        }
        other => LoadError::Other(chain(&other)),
    }
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_object_has_our_abi() {
        assert_eq!(abi_of(OBJECT), Some(ABI_VERSION));
    }

    #[test]
    fn another_abi_is_refused_before_loading() {
        let mut object = OBJECT.to_vec();
        let (section, at) = {
            let file = object::File::parse(&*object).expect("our object");
            let symbol = file
                .symbols()
                .find(|symbol| symbol.name() == Ok(names::ABI))
                .expect("SENSOR_ABI");
            let section = file
                .section_by_index(symbol.section_index().expect("defined"))
                .expect("a section");
            (section.file_range().expect("has bytes").0, symbol.address())
        };
        object[(section + at) as usize] = 99;
        let error = check_abi(&object).expect_err("ABI 99");
        assert!(matches!(error, LoadError::Abi { found: Some(99) }));
        assert!(error.to_string().contains("cargo xtask build-ebpf"));
        assert!(matches!(
            check_abi(b"no object"),
            Err(LoadError::Abi { found: None })
        ));
    }

    #[test]
    fn names_are_those_of_the_object() {
        let file = object::File::parse(OBJECT).expect("our object");
        let symbols: Vec<_> = file.symbols().filter_map(|s| s.name().ok()).collect();
        for name in names::MAPS.iter().chain(&names::PROGRAMS) {
            assert!(symbols.contains(name), "{name} is not in the object");
        }
    }

    /// What sends is in an object of its own.
    #[test]
    fn the_object_has_no_other_programs() {
        let file = object::File::parse(OBJECT).expect("our object");
        let hook = |section: &object::Section<'_, '_>| {
            let name = section.name().unwrap_or_default();
            name.starts_with("xdp") || name.starts_with("classifier")
        };
        let sections: Vec<_> = file.sections().filter(hook).map(|s| s.index()).collect();
        let mut found: Vec<&str> = file
            .symbols()
            .filter(|symbol| symbol.kind() == object::SymbolKind::Text)
            .filter(|symbol| {
                symbol
                    .section_index()
                    .is_some_and(|at| sections.contains(&at))
            })
            .filter_map(|symbol| symbol.name().ok())
            .collect();
        let mut known = names::PROGRAMS;
        found.sort_unstable();
        known.sort_unstable();
        assert_eq!(found, known);
    }
}
