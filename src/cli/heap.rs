//! How the C library's allocator deals with memory that is free again.

/// Pieces up to this length stay on the heap, of which twice as much stays when it is free.
const STAYS: usize = 16 << 20;

/// Keeps some of it, where the library is GNU's: a worker makes and drops buffers of the same few lengths file after
/// file, and each page that it has given back comes back from the system zeroed. That library learns from the largest
/// piece that was dropped how much is to stay (mallopt(3), under `M_MMAP_THRESHOLD`); one is enough, and nobody touches
/// its pages.
pub(super) fn keep() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(STAYS)));
}
