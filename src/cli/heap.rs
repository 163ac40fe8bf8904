//! How the C library's allocator deals with memory that is free again.

/// Keeps some of it, where the library is GNU's: a worker makes and drops buffers of the same few lengths file after
/// file, and each page that it has given back comes back from the system zeroed. What is larger goes back as before.
pub(super) fn keep() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code, reason = "the allocator is C")]
    // SAFETY: it takes two numbers, and leaves all as it is where it does not like them.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 64 << 20);
    }
}
