//! `cargo xtask build-ebpf` and `verify-ebpf`: the committed objects and their lock.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::lock::{Inputs, Lock, OBJECTS, PROFILE, RUSTC_FLAGS, sha256};
use crate::process::{output, run};
use crate::toolchain::{self, Installed, TARGET};
use crate::workspace;

/// Objects by their names, as `sensor.bpf.o`.
type Objects = BTreeMap<String, Vec<u8>>;

/// Builds the objects and writes them and their lock.
///
/// # Errors
/// What failed; the committed files are then as before.
pub fn build() -> Result<()> {
    let root = workspace::root();
    let toolchain = toolchain::installed()?;
    let inputs = Inputs::read(&root).map_err(|reason| anyhow!(reason))?;
    let built = compile(&toolchain)?;
    if Inputs::read(&root).map_err(|reason| anyhow!(reason))? != inputs {
        bail!("the sources changed during the build: run it again");
    }
    let lock = Lock {
        objects: hashes(&built),
        abi_version: abi_version(&root)?,
        toolchain: toolchain.versions,
        flags: inputs.flags,
        sources: inputs.sources,
        dependencies: inputs.dependencies,
    };
    let text = toml::to_string(&lock)?;
    for (name, object) in &built {
        fs::write(workspace::object(name), object)?;
    }
    fs::write(
        workspace::lock(),
        format!("# Written by `cargo xtask build-ebpf`.\n{text}"),
    )?;
    for (name, object) in &built {
        let path = workspace::object(name);
        println!("built {} ({} bytes)", path.display(), object.len());
    }
    Ok(())
}

fn hashes(objects: &Objects) -> BTreeMap<String, String> {
    let hash = |(name, object): (&String, &Vec<u8>)| (name.clone(), sha256(object));
    objects.iter().map(hash).collect()
}

fn committed() -> Result<Objects> {
    let names = OBJECTS.iter().map(|name| format!("{name}.bpf.o"));
    names
        .map(|name| {
            let object = fs::read(workspace::object(&name)).with_context(|| name.clone())?;
            Ok((name, object))
        })
        .collect()
}

/// Rebuilds the objects and compares them with the committed ones.
///
/// # Errors
/// They differ although the toolchain is the same, or the build failed.
pub fn verify() -> Result<()> {
    let text = fs::read_to_string(workspace::lock()).context("no lock")?;
    let lock: Lock = toml::from_str(&text).context("the lock cannot be read")?;
    let root = workspace::root();
    let inputs = Inputs::read(&root).map_err(|reason| anyhow!(reason))?;
    if let Some(what) = inputs.difference(&lock) {
        bail!("the lock is not of these sources ({what} differs): run `cargo xtask build-ebpf`");
    }
    if abi_version(&root)? != lock.abi_version {
        bail!("the lock is of another ABI version: run `cargo xtask build-ebpf`");
    }
    let committed = committed()?;
    if hashes(&committed) != lock.objects {
        bail!("the objects are not those that the lock names: run `cargo xtask build-ebpf`");
    }
    let toolchain = toolchain::installed()?;
    let rebuilt = compile(&toolchain)?;
    for (name, object) in &rebuilt {
        let path = rebuilt_path(name);
        fs::write(&path, object)?;
        println!("rebuilt object: {}", path.display());
    }
    if toolchain.versions != lock.toolchain {
        println!(
            "not verified: toolchain differs\n  locked: {:?}\n  here:   {:?}",
            lock.toolchain, toolchain.versions
        );
        return Ok(());
    }
    for (name, object) in &rebuilt {
        if committed.get(name) != Some(object) {
            show_difference(name);
            bail!("{name} is not what its sources give: run `cargo xtask build-ebpf`");
        }
        println!("verified: {name} is what its sources give, byte for byte");
    }
    Ok(())
}

/// Where `verify` leaves what it built.
pub fn rebuilt_path(name: &str) -> PathBuf {
    workspace::bpf_target().join(format!("rebuilt-{name}"))
}

/// Compiles the kernel half and strips what is not for the kernel.
fn compile(toolchain: &Installed) -> Result<Objects> {
    let root = workspace::root();
    let target = workspace::bpf_target();
    // From nothing: cargo goes by the times of files, and those need not tell what changed. And a
    // failed build must not leave an older object to be taken for its result.
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let mut flags: Vec<OsString> = RUSTC_FLAGS.iter().map(Into::into).collect();
    flags.extend(remaps(&root)?);
    let flags = flags
        .iter()
        .map(|flag| flag.to_str().context("a path here is not UTF-8"))
        .collect::<Result<Vec<_>>>()?
        .join("\u{1f}");
    let mut command = toolchain.compiler.cargo_build();
    command
        .current_dir(&root)
        .args(["--locked", "--release", "--package", "sensor-ebpf"])
        .args(["--bins", "--features", "kernel", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        // Incremental compilation, which a user's own configuration may ask for, divides the crate
        // otherwise and gives another object.
        .env("CARGO_INCREMENTAL", "0")
        .env("PATH", path_with(&toolchain.linker)?)
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER");
    for setting in PROFILE {
        command.args(["--config", setting]);
    }
    run(&mut command)?;
    let mut objects = Objects::new();
    for name in OBJECTS {
        let artifact = target.join(TARGET).join("release").join(name);
        strip(&artifact)?;
        let object = fs::read(&artifact).context("the build left no object")?;
        objects.insert(format!("{name}.bpf.o"), object);
    }
    Ok(objects)
}

/// Flags that keep this machine's paths out of the object.
fn remaps(root: &Path) -> Result<Vec<OsString>> {
    let mut remaps = vec![remap(root, "")];
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cargo"),
    };
    // One folder for each registry; its name depends on where the registry is mirrored.
    for registry in fs::read_dir(home.join("registry/src"))
        .into_iter()
        .flatten()
    {
        remaps.push(remap(&registry?.path(), "registry"));
    }
    if let Some(sysroot) = output(Command::new("rustc").args(["+nightly", "--print", "sysroot"])) {
        let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
        remaps.push(remap(&library, "rust"));
    }
    Ok(remaps)
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

fn path_with(first: &Path) -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(first.to_path_buf()).chain(std::env::split_paths(&path));
    Ok(std::env::join_paths(folders)?)
}

/// Removes DWARF, and keeps BTF, which the kernel reads.
fn strip(object: &Path) -> Result<()> {
    let objcopy = toolchain::llvm_tool("llvm-objcopy")
        .context("no llvm-objcopy; `cargo xtask setup` installs it")?;
    run(Command::new(objcopy).arg("--strip-debug").arg(object))
}

/// The number in `sensor-common`, read as text so that xtask needs no kernel half to be built.
fn abi_version(root: &Path) -> Result<u32> {
    let source = fs::read_to_string(root.join("sensor-common/src/lib.rs"))?;
    source
        .lines()
        .find_map(|line| line.strip_prefix("pub const ABI_VERSION: u32 = "))
        .and_then(|rest| rest.trim_end_matches(';').parse().ok())
        .context("sensor-common/src/lib.rs has no ABI_VERSION")
}

/// Prints how the disassembly of the committed object and of another differ.
fn show_difference(name: &str) {
    let disassemble = |object: &Path| {
        let tool = toolchain::llvm_tool("llvm-objdump")?;
        output(
            Command::new(tool)
                .args(["-d", "--no-show-raw-insn"])
                .arg(object),
        )
    };
    let folder = workspace::bpf_target();
    let (Some(then), Some(now)) = (
        disassemble(&workspace::object(name)),
        disassemble(&rebuilt_path(name)),
    ) else {
        println!("(no llvm-objdump here to show how they differ)");
        return;
    };
    let (then_path, now_path) = (folder.join("committed.txt"), folder.join("rebuilt.txt"));
    if fs::write(&then_path, then).is_ok() && fs::write(&now_path, now).is_ok() {
        // `diff` ends with 1 where there are differences.
        let diff = Command::new("diff")
            .arg("-u")
            .args([&then_path, &now_path])
            .output();
        if let Ok(diff) = diff {
            for line in String::from_utf8_lossy(&diff.stdout).lines().take(60) {
                println!("{line}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked() -> (Inputs, Lock) {
        let text = fs::read_to_string(workspace::lock()).expect("a lock");
        let lock = toml::from_str(&text).expect("a valid lock");
        (Inputs::read(&workspace::root()).expect("sources"), lock)
    }

    #[test]
    fn the_lock_is_of_these_sources() {
        let (inputs, lock) = locked();
        assert_eq!(inputs.difference(&lock), None);
        assert_eq!(hashes(&committed().expect("objects")), lock.objects);
        assert_eq!(
            abi_version(&workspace::root()).expect("a version"),
            lock.abi_version
        );
    }

    #[test]
    fn a_stale_object_is_noticed_by_what_differs() {
        let (mut inputs, lock) = locked();
        let changed = "sensor-ebpf/src/account.rs";
        inputs.sources.insert(changed.into(), sha256(b"changed"));
        assert_eq!(inputs.difference(&lock).as_deref(), Some(changed));

        let (mut inputs, lock) = locked();
        inputs
            .sources
            .insert("sensor-ebpf/src/new.rs".into(), sha256(b""));
        assert_eq!(
            inputs.difference(&lock).as_deref(),
            Some("sensor-ebpf/src/new.rs")
        );

        let (mut inputs, lock) = locked();
        let (name, _) = inputs.dependencies.pop_first().expect("dependencies");
        assert_eq!(inputs.difference(&lock), Some(name));

        let (mut inputs, lock) = locked();
        inputs.flags.pop();
        assert_eq!(
            inputs.difference(&lock).as_deref(),
            Some("the compiler flags")
        );
    }

    #[test]
    fn only_the_kernel_half_counts() {
        let (inputs, _) = locked();
        assert!(inputs.sources.keys().all(|path| {
            path.starts_with("sensor-ebpf/") || path.starts_with("sensor-common/")
        }));
        let names: Vec<&str> = inputs.dependencies.keys().map(String::as_str).collect();
        assert!(names.iter().any(|name| name.starts_with("aya-ebpf ")));
        assert!(
            !names.iter().any(|name| name.starts_with("tokio ")),
            "{names:?}"
        );
    }

    #[test]
    fn no_object_names_a_place_of_the_machine_that_built_it() {
        let root = workspace::root().display().to_string();
        let home = std::env::var("HOME").expect("HOME");
        for (name, object) in committed().expect("objects") {
            let text = String::from_utf8_lossy(&object);
            for place in [root.as_str(), home.as_str(), "/home/", ".cargo/registry"] {
                assert!(!text.contains(place), "{name}: {place}");
            }
        }
    }
}
