//! Embeds the compiled kernel half, and refuses to where it was not built from these sources.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

mod lock;

/// Another object to embed: for a contributor without the BPF toolchain, or a distribution.
const OVERRIDE: &str = "SENSOR_BPF_OBJECT";

fn main() {
    if let Err(reason) = run() {
        println!("cargo::error={reason}");
        process::exit(1);
    }
}

fn run() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed={OVERRIDE}");
    let manifest =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?);
    let root = manifest.parent().ok_or("sensor has no workspace")?;
    let object = match env::var_os(OVERRIDE) {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => committed(root)?,
    };
    let bytes = embed(&object, "sensor.bpf.o")?;
    println!(
        "cargo::rustc-env=SENSOR_BPF_SHA256={}",
        lock::sha256(&bytes)
    );
    // Whoever brings objects of their own has this one beside the other, by the same name but for a word.
    let name = object.file_name().unwrap_or_default().to_string_lossy();
    let drops = object.with_file_name(name.replacen("sensor", "drops", 1));
    if drops == object {
        return Err(format!(
            "{OVERRIDE} is {}: its name wants the word `sensor`, so that the drop program's object can be found beside it \
             by the word `drops`",
            object.display()
        ));
    }
    embed(&drops, "drops.bpf.o").map(drop)
}

/// Copies an object to where the sources include it from.
fn embed(object: &Path, name: &str) -> Result<Vec<u8>, String> {
    println!("cargo::rerun-if-changed={}", object.display());
    let bytes = fs::read(object)
        .map_err(|error| format!("cannot read the BPF object {}: {error}", object.display()))?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join(name), &bytes)
        .map_err(|error| format!("cannot write the BPF object: {error}"))?;
    Ok(bytes)
}

/// The committed object, if it was built from the sources as they are.
fn committed(root: &Path) -> Result<PathBuf, String> {
    for watched in ["Cargo.lock", "sensor-common", "sensor-ebpf", "sensor/bpf"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let object = root.join("sensor/bpf/sensor.bpf.o");
    let path = root.join("sensor/bpf/sensor.bpf.lock");
    let text = fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let lock: lock::Lock = toml::from_str(&text)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let difference = lock::Inputs::read(root)?.difference(&lock).or_else(|| {
        let mut objects = lock::OBJECTS.iter().map(|name| format!("{name}.bpf.o"));
        objects.find(|name| {
            let bytes = fs::read(root.join("sensor/bpf").join(name)).unwrap_or_default();
            lock.objects.get(name) != Some(&lock::sha256(&bytes))
        })
    });
    match difference {
        None => Ok(object),
        Some(what) => Err(format!(
            "sensor/bpf/sensor.bpf.o was not built from these sources ({what} differs): run `cargo \
             xtask build-ebpf` (needs `cargo xtask setup` once), or set {OVERRIDE} to another object"
        )),
    }
}
