//! Booting a kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::guest::{DONE, UP};
use super::image::Image;
use crate::workspace;

/// Of the guest.
const MEMORY: &str = "2048";
const CPUS: &str = "2";
/// With guards against speculation in jumps, though they cost an emulated processor a twelfth: without them the kernel rewrites
/// its jump to XDP programs as it runs, and emulation of two CPUs trips over that (6.12). A table of pages for the kernel
/// alone is left out, and memory is not cleared when it is given: both cost an emulated processor more than they are
/// worth to a guest of a few minutes; its namespaces end at once.
const KERNEL_COMMAND_LINE: &str =
    "console=ttyS0 panic=-1 quiet pti=off rcupdate.rcu_expedited=1 init_on_alloc=0";

/// One guest has found that KVM does not work: the others need not wait for it.
static KVM_IS_BROKEN: AtomicBool = AtomicBool::new(false);

/// How the guest's CPUs are run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accelerator {
    Kvm,
    /// Emulated, on any machine.
    Tcg,
}

impl Accelerator {
    /// The best that this machine may have.
    fn best() -> Self {
        let kvm = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm");
        if kvm.is_ok() { Self::Kvm } else { Self::Tcg }
    }

    /// Longest wait for the guest's first word. It takes two seconds with KVM, and five emulated. Where KVM does
    /// not work it may also be slow without end.
    fn boot_time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Kvm => 15,
            Self::Tcg => 90,
        })
    }

    /// Emulated, one with less to emulate: verifiers take a quarter less of their time.
    fn processor(self) -> &'static str {
        match self {
            Self::Kvm => "max",
            Self::Tcg => "Nehalem,+rdrand",
        }
    }

    fn options(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi",
        }
    }
}

/// Boots a kernel and returns what its steps printed. Falls back to emulation where KVM is there and does not work (a
/// virtual machine in another). One that `leaves` the processors to others gets what these do not use. What a guest printed that did not get to its end lacks [`DONE`]; why is shown.
///
/// # Errors
/// It did not come up; then with the end of its console.
pub fn boot(
    image: &Image,
    initramfs: &Path,
    leaves: bool,
    patience: Duration,
    mut on_line: impl FnMut(&str),
) -> Result<String> {
    if Accelerator::best() == Accelerator::Kvm {
        match Machine::start(image, initramfs, leaves, Accelerator::Kvm)?
            .run(patience, &mut on_line)
        {
            Err(NotUp(why)) => println!("KVM does not work here, so emulated: {why}"),
            other => return Ok(other?),
        }
    }
    let machine = Machine::start(image, initramfs, leaves, Accelerator::Tcg)?;
    Ok(machine.run(patience, &mut on_line)?)
}

/// The kernel did not come up; with what there is to read of it.
#[derive(Debug)]
struct NotUp(String);

impl std::fmt::Display for NotUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the kernel did not come up: {}", self.0)
    }
}

impl std::error::Error for NotUp {}

/// A running guest; ended when dropped.
struct Machine {
    process: Child,
    boot_time: Duration,
    is_kvm: bool,
    /// What the kernel prints.
    console: PathBuf,
    /// What the steps print.
    results: PathBuf,
    /// What qemu prints.
    log: PathBuf,
}

/// A file that is being written: a character at its end may be half there.
fn text(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Machine {
    fn start(
        image: &Image,
        initramfs: &Path,
        leaves: bool,
        accelerator: Accelerator,
    ) -> Result<Self> {
        let file = |of: &str| workspace::kernels().join(format!("{of}-{}.log", image.version));
        let (console, results, log) = (file("console"), file("results"), file("qemu"));
        for file in [&console, &results] {
            fs::write(file, "")?;
        }
        let output = fs::File::create(&log)?;
        let niceness = if leaves { "5" } else { "0" };
        let process = Command::new("nice")
            .args(["-n", niceness, "qemu-system-x86_64"])
            .args([
                "-accel",
                accelerator.options(),
                "-cpu",
                accelerator.processor(),
            ])
            .args(["-smp", CPUS, "-m", MEMORY])
            .args(["-display", "none", "-nic", "none", "-no-reboot"])
            .arg("-serial")
            .arg(format!("file:{}", console.display()))
            .arg("-serial")
            .arg(format!("file:{}", results.display()))
            .arg("-kernel")
            .arg(&image.vmlinuz)
            .arg("-initrd")
            .arg(initramfs)
            .args(["-append", KERNEL_COMMAND_LINE])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Ok(Self {
            process,
            boot_time: accelerator.boot_time(),
            is_kvm: accelerator == Accelerator::Kvm,
            console,
            results,
            log,
        })
    }

    fn run(mut self, patience: Duration, on_line: &mut impl FnMut(&str)) -> Result<String, NotUp> {
        let start = Instant::now();
        let mut shown = 0;
        loop {
            let ended = self.process.try_wait().ok().flatten();
            let results = text(&self.results);
            let whole = results.rfind('\n').map_or(0, |at| at + 1);
            for line in results[shown.min(whole)..whole].lines() {
                on_line(line);
            }
            shown = shown.max(whole);
            let is_up = results.contains(UP);
            if results.contains(DONE) {
                return Ok(results);
            }
            if let Some(status) = ended {
                let why = format!("qemu ended ({status})\n{}", self.last_words());
                if !is_up {
                    return Err(NotUp(why));
                }
                println!("the guest did not get to its end: {why}");
                return Ok(results);
            }
            if !is_up && (start.elapsed() > self.boot_time || self.is_broken()) {
                if self.is_kvm {
                    KVM_IS_BROKEN.store(true, Ordering::Relaxed);
                }
                return Err(NotUp(self.last_words()));
            }
            if start.elapsed() > patience {
                let seconds = patience.as_secs();
                println!("stopped after {seconds} s\n{}", self.last_words());
                return Ok(results);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What qemu says of a processor that it cannot run, and waits.
    fn is_broken(&self) -> bool {
        let is_known = self.is_kvm && KVM_IS_BROKEN.load(Ordering::Relaxed);
        is_known || text(&self.log).contains("KVM internal error")
    }

    /// The first line of qemu's and the last lines of the guest's console.
    fn last_words(&self) -> String {
        let console = text(&self.console);
        let lines: Vec<&str> = console.lines().collect();
        let qemu = text(&self.log);
        let qemu = qemu.lines().next().unwrap_or("qemu said nothing");
        let last = lines[lines.len().saturating_sub(12)..].join("\n");
        format!("{qemu}\n{last}").trim_end().to_string()
    }
}
