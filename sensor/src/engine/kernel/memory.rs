//! Memory that loading took and that nothing needs any more.

/// Gives it back to the system. A loader reads all types of the kernel, as many small pieces of tens of megabytes; the
/// allocator would keep them for what may come.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes and changes nothing that is in use (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
