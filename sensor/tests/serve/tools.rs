//! Programs of the distribution that some tests need.

use std::path::Path;

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
