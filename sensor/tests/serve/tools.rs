//! Programs of the distribution that some tests need.

use std::path::Path;
use std::process::Command;

/// Set by whoever accepts that checks are left out where a program is missing; the output then says which.
const LEAVE_OUT: &str = "SENSOR_TESTS_WITHOUT_TOOLS";

/// Whether a program is there.
///
/// # Panics
/// It is missing, and nobody said that its checks may be left out.
pub fn is_there(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).exists()) {
        return true;
    }
    let what = format!("{program} is missing (apt-get install {package})");
    assert!(
        std::env::var_os(LEAVE_OUT).is_some(),
        "{what}; with {LEAVE_OUT}=1 its checks are left out, and named"
    );
    eprintln!("NOT CHECKED: {what}");
    false
}

/// Set in the process of a test that runs alone.
const ALONE: &str = "SENSOR_TEST_ALONE";

/// Runs a test of this program in a process of its own, because it measures its process. Whether this is that process.
///
/// # Panics
/// It fails there.
pub fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args([test, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("it runs");
    let words = String::from_utf8_lossy(&output.stdout);
    print!("{words}");
    let has_run = words.contains("1 passed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && has_run, "{words}{errors}");
    false
}
