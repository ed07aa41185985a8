//! Which modules a guest loads, and in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What the tests use beyond what is built in: devices, and where TC programs are attached.
const WANTED: [&str; 8] = [
    "veth",
    "tun",
    "bridge",
    "8021q",
    "sch_ingress",
    "cls_bpf",
    "nf_tables",
    "virtio_net",
];

/// Copies the wanted modules and what they depend on into a folder, decompressed, with names in the
/// order in which they are to be loaded.
///
/// # Errors
/// One is neither a module nor built in, or cannot be read.
pub fn copy(modules: &Path, to: &Path) -> Result<()> {
    let mut all = BTreeMap::new();
    find(modules, &mut all)?;
    let builtin = fs::read_to_string(modules.join("modules.builtin"))?;
    let builtin: BTreeSet<String> = builtin.lines().map(|path| name(Path::new(path))).collect();
    let mut loader = Loader {
        all,
        builtin,
        loaded: BTreeSet::new(),
        to,
    };
    for wanted in WANTED {
        loader.load(wanted)?;
    }
    Ok(())
}

struct Loader<'a> {
    all: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
    loaded: BTreeSet<String>,
    to: &'a Path,
}

impl Loader<'_> {
    fn load(&mut self, module: &str) -> Result<()> {
        let module = module.replace('-', "_");
        if self.loaded.contains(&module) || self.builtin.contains(&module) {
            return Ok(());
        }
        let path = self.all.get(&module);
        let path = path.with_context(|| format!("this kernel has no module {module}"))?;
        let bytes = read(path)?;
        for dependency in dependencies(&bytes) {
            self.load(&dependency)?;
        }
        let file = format!("{:02}-{module}.ko", self.loaded.len());
        fs::write(self.to.join(file), bytes)?;
        self.loaded.insert(module);
        Ok(())
    }
}

fn find(folder: &Path, all: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, all)?;
        } else if path.to_string_lossy().contains(".ko") {
            all.insert(name(&path), path);
        }
    }
    Ok(())
}

/// `8021q` of `kernel/net/8021q/8021q.ko.xz`.
fn name(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let name = file.split_once(".ko").map_or(&*file, |(name, _)| name);
    name.replace('-', "_")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_none_or(|extension| extension != "xz") {
        return Ok(fs::read(path)?);
    }
    let output = Command::new("xz").arg("-dc").arg(path).output()?;
    ensure!(
        output.status.success(),
        "cannot decompress {}",
        path.display()
    );
    Ok(output.stdout)
}

/// Names in the `depends=` line of a module's `.modinfo`, which is text that ends with a 0.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|bytes| bytes == KEY) else {
        return Vec::new();
    };
    let line = module[at + KEY.len()..].split(|&byte| byte == 0).next();
    let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
    let names = line.split(',').filter(|name| !name.is_empty());
    names.map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_names_what_it_depends_on() {
        let module = b"\x7fELF..license=GPL\0depends=stp,llc\0retpoline=Y\0";
        assert_eq!(dependencies(module), ["stp", "llc"]);
        assert!(dependencies(b"license=GPL\0depends=\0").is_empty());
        assert!(dependencies(b"license=GPL\0").is_empty());
        assert_eq!(name(Path::new("kernel/net/x/nf-tables.ko.xz")), "nf_tables");
    }
}
