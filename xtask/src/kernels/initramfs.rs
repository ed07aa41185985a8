//! The guest's file system: a folder, packed with cpio and gzip.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::guest::{self, Step};
use super::image::Image;
use super::{build, folder, modules};
use crate::process::{output, run};

/// Programs of this host that the tests or the guest's first process start.
const PROGRAMS: [&str; 4] = ["ip", "tc", "setpriv", "busybox"];

/// Makes the file system and returns its path.
///
/// # Errors
/// A program is missing, or a file cannot be written.
pub fn make(image: &Image, binaries: &build::Binaries, steps: &[Step]) -> Result<PathBuf> {
    let root = folder().join(format!("root-{}", image.version));
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for folder in ["bin", "dev", "proc", "run", "sys", "tmp", "root", "modules"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let mut tree = Tree {
        root: &root,
        libraries: BTreeSet::new(),
    };
    for program in PROGRAMS {
        let path = which(program).with_context(|| format!("{program} is not installed"))?;
        tree.program(&path, &Path::new("/bin").join(program))?;
    }
    // The tests start the program by the path that it was built at.
    for binary in binaries.all() {
        tree.stripped(binary)?;
    }
    symlink(&binaries.sensor, root.join("bin/sensor"))?;
    for library in &tree.libraries {
        tree.copy(library, library)?;
    }
    modules::copy(&image.modules, &root.join("modules"))?;
    let init = root.join("init");
    fs::write(&init, guest::init(steps))?;
    fs::set_permissions(&init, Permissions::from_mode(0o755))?;
    let packed = folder().join(format!("initramfs-{}.gz", image.version));
    let mut pack = Command::new("sh");
    pack.current_dir(&root).arg("-c");
    pack.arg("find . | cpio --quiet -o -H newc | gzip -1 > \"$0\"");
    run(pack.arg(&packed))?;
    fs::remove_dir_all(&root)?;
    Ok(packed)
}

struct Tree<'a> {
    root: &'a Path,
    /// Of all programs so far, with the dynamic linker.
    libraries: BTreeSet<PathBuf>,
}

impl Tree<'_> {
    fn inside(&self, path: &Path) -> Result<PathBuf> {
        let inside = self.root.join(path.strip_prefix("/")?);
        if let Some(folder) = inside.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(inside)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        fs::copy(from, self.inside(to)?).with_context(|| format!("copying {}", from.display()))?;
        Ok(())
    }

    fn program(&mut self, from: &Path, to: &Path) -> Result<()> {
        self.libraries.extend(libraries(from));
        self.copy(from, to)
    }

    /// A program of ours where it is here, without debugging information: nine tenths of its size.
    fn stripped(&mut self, program: &Path) -> Result<()> {
        self.libraries.extend(libraries(program));
        let mut strip = Command::new("strip");
        strip.args(["--strip-debug", "-o"]);
        run(strip.arg(self.inside(program)?).arg(program))
    }
}

/// Where a program is.
pub fn which(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    folders.extend(["/usr/sbin".into(), "/sbin".into()]);
    let mut paths = folders.iter().map(|folder| folder.join(program));
    paths.find(|path| path.is_file())
}

/// Shared libraries; none of a static program.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let text = output(Command::new("ldd").arg(program)).unwrap_or_default();
    let words = text.split_whitespace();
    words
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}
