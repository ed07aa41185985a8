//! What the guest does: its first process is a shell script that runs the steps, one after the other,
//! and writes what they print to the second serial port, where no message of the kernel gets in between.

use std::fmt::Write;

/// Before everything.
pub const UP: &str = "@@up";
/// Before a step, with its name.
pub const STEP: &str = "@@step";
/// After it, with its exit code.
pub const END: &str = "@@end";
/// After the last.
pub const DONE: &str = "@@done";

/// A command that the guest runs.
pub struct Step {
    /// Shown.
    pub name: String,
    /// For the shell.
    pub command: String,
}

impl Step {
    /// A step.
    pub fn new(name: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            command: command.into(),
        }
    }
}

/// The script.
pub fn init(steps: &[Step]) -> String {
    let mut script = String::from(START);
    for (at, step) in steps.iter().enumerate() {
        // In a file of its own, so that nothing in it can end the first process, nor is quoted twice.
        let Step { name, command } = step;
        let _ = write!(
            script,
            "cat > /tmp/step{at} <<'END-OF-STEP'\n{command}\nEND-OF-STEP\n\
             echo '{STEP} {name}'\nsh /tmp/step{at}\necho \"{END} $?\"\n"
        );
    }
    let _ = write!(script, "echo '{DONE}'\nsync\npoweroff -f\n");
    script
}

const START: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin 2>/dev/null
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
mount -t bpf bpf /sys/fs/bpf
exec >/dev/ttyS1 2>&1 </dev/null
echo '@@up'
for module in /modules/*; do insmod $module || echo \"cannot load $module\"; done
ip link set lo up
";
