//! Memory that goes from one language to the other without a copy: Arrow's capsules both ways, and buffers out; and Ctrl-C
//! where streams are read by threads that cannot ask Python. The only unsafe code of this package.

use std::ffi::{c_int, c_void};
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader, StructArray};
use arrow_schema::{DataType, Field, Schema};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use transect::storage::Memory;

use super::fault::refused;

const SCHEMA: &std::ffi::CStr = c"arrow_schema";
const ARRAY: &std::ffi::CStr = c"arrow_array";
const STREAM: &std::ffi::CStr = c"arrow_array_stream";

fn wrong(error: arrow_schema::ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A schema for others.
pub fn schema<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowSchema::try_from(schema).map_err(wrong)?, SCHEMA)
}

/// The type of one column for others.
pub fn field<'py>(py: Python<'py>, field: &Field) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowSchema::try_from(field).map_err(wrong)?, SCHEMA)
}

/// The values of one column for others.
pub fn array<'py>(py: Python<'py>, array: &ArrayRef) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArray::new(&array.to_data()), ARRAY)
}

/// The rows of a batch for others, and what they are.
pub fn batch<'py>(py: Python<'py>, batch: &RecordBatch) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
    let rows = StructArray::from(batch.clone()).to_data();
    let schema = schema(py, &batch.schema())?;
    Ok((schema, PyCapsule::new_with_value(py, FFI_ArrowArray::new(&rows), ARRAY)?))
}

/// Batches for others, each made when it is asked for.
pub fn stream<'py>(py: Python<'py>, reader: Box<dyn RecordBatchReader + Send>) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
}

/// The batches of a frame of another package, by its `__arrow_c_stream__`, each made when it is asked for.
#[allow(unsafe_code, reason = "a capsule is a pointer whose contract Arrow's C interface gives")]
pub fn reader(frame: &Bound<'_, PyAny>) -> PyResult<RecordBatchStreamReader> {
    let capsule = frame.call_method0("__arrow_c_stream__")?;
    let capsule = capsule.cast::<PyCapsule>()?;
    let pointer = capsule.pointer_checked(Some(STREAM))?;
    // SAFETY: a capsule of this name points to an ArrowArrayStream, as Arrow's PyCapsule interface says, and lives for
    // as long as `capsule`. `from_raw` moves the stream out of it and leaves a released one, so that it is released
    // once.
    let mut stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.cast().as_ptr()) };
    let mut schema = FFI_ArrowSchema::empty();
    if let Some(get_schema) = stream.get_schema() {
        // SAFETY: the function is that of this stream, which may be asked for its schema more than once; where it
        // fails, it leaves the schema as it is.
        if unsafe { get_schema(&mut stream, &mut schema) } == 0 {
            check(frame, &schema)?;
        }
    }
    RecordBatchStreamReader::try_new(stream).map_err(wrong)
}

/// Refuses what is no frame, and columns that Arrow's readers do not know.
fn check(frame: &Bound<'_, PyAny>, schema: &FFI_ArrowSchema) -> PyResult<()> {
    if schema.format() != "+s" {
        let kind = frame.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "{kind} is one column; give a frame, with columns of codes and of dates"
        )));
    }
    let unknown = schema.children().find(|child| DataType::try_from(*child).is_err());
    let refuse = |child: &FFI_ArrowSchema| {
        let (name, kind) = (child.name().unwrap_or_default(), child.format());
        format!(
            "the frame: its column {name:?} has a type that Arrow has not ({kind:?}); give it another, or leave it out"
        )
    };
    unknown.map_or(Ok(()), |child| Err(refused(frame.py(), refuse(child))))
}

/// Bytes that numpy and others look at in place.
#[pyclass(frozen, module = "transect._transect")]
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
    is_writable: bool,
    _owner: Owner,
}

/// What keeps the bytes where they are.
#[expect(dead_code, reason = "held for as long as the bytes are looked at, and never read")]
enum Owner {
    Shared(arrow_buffer::Buffer),
    Own(Memory),
}

#[allow(unsafe_code, reason = "the bytes belong to the owner that goes with them")]
// SAFETY: the bytes lie where the owner put them, which stays there wherever it is moved to, and both owners may go to
// other threads. Nothing here reads or writes them; whoever does in Python holds its own contract about threads.
unsafe impl Send for Buffer {}
#[allow(unsafe_code, reason = "as above")]
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A look at bytes of the map, or of an array; never to be written.
    pub fn shared(buffer: arrow_buffer::Buffer) -> Buffer {
        let start = NonNull::new(buffer.as_ptr().cast_mut()).unwrap_or(NonNull::dangling());
        Buffer { start, len: buffer.len(), is_writable: false, _owner: Owner::Shared(buffer) }
    }

    /// Bytes that are the caller's own.
    pub fn own(mut memory: Memory) -> Buffer {
        let bytes = memory.as_mut();
        let (start, len) = (NonNull::from(&mut *bytes).cast(), bytes.len());
        Buffer { start, len, is_writable: true, _owner: Owner::Own(memory) }
    }
}

#[pymethods]
impl Buffer {
    #[allow(unsafe_code, reason = "the buffer protocol is C")]
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let this = slf.get();
        let (start, len) = (this.start.as_ptr().cast::<c_void>(), this.len as isize);
        // SAFETY: Python gives a view to be filled; it takes a reference to this object, which keeps the bytes. A
        // writable view of shared bytes is refused by the function itself.
        let filled =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, len, c_int::from(!this.is_writable), flags) };
        match filled {
            0 => Ok(()),
            _ => Err(PyErr::take(slf.py()).unwrap_or_else(|| PyBufferError::new_err("the bytes are read-only"))),
        }
    }

    #[allow(unsafe_code, reason = "the buffer protocol is C")]
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: Python gives back a view that `__getbuffer__` filled; nothing of it is ours to free.
        unsafe { (*view).internal = null_mut() };
    }

    fn __len__(&self) -> usize {
        self.len
    }

    /// Where the bytes lie.
    #[getter]
    fn address(&self) -> usize {
        self.start.as_ptr() as usize
    }
}

/// How often Ctrl-C was pressed since somebody asked.
static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);
/// What answered it before, mostly Python; and whether that takes three arguments.
static BEFORE: AtomicUsize = AtomicUsize::new(0);
static TAKES_THREE: AtomicBool = AtomicBool::new(false);

/// How often Ctrl-C was pressed, for threads that must not wait for Python. From now on it is counted on the way to what
/// answers it. To be called by the main thread, holding the GIL.
#[allow(unsafe_code, reason = "signals are C")]
pub fn interrupts() -> usize {
    // SAFETY: all zeros are an action, which is only filled and handed back. `count` calls what stood there before as it
    // is to be called, with the flags and the mask that it asked for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let is_first = BEFORE.load(Ordering::Relaxed) == 0;
        // Python, whose handler takes one argument, puts it in our place whenever one is set. Who came after us otherwise
        // goes on to us, and putting ourselves before them would go round.
        if libc::sigaction(libc::SIGINT, null(), &mut action) == 0
            && ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction)
            && (is_first || action.sa_flags & libc::SA_SIGINFO == 0)
        {
            TAKES_THREE.store(action.sa_flags & libc::SA_SIGINFO != 0, Ordering::Relaxed);
            BEFORE.store(action.sa_sigaction, Ordering::Relaxed);
            action.sa_flags |= libc::SA_SIGINFO;
            action.sa_sigaction = count as *const () as usize;
            libc::sigaction(libc::SIGINT, &action, null_mut());
        }
    }
    INTERRUPTS.load(Ordering::Relaxed)
}

/// How often it was pressed so far.
pub fn interrupts_so_far() -> usize {
    INTERRUPTS.load(Ordering::Relaxed)
}

#[allow(unsafe_code, reason = "signals are C")]
extern "C" fn count(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    INTERRUPTS.fetch_add(1, Ordering::Relaxed);
    let before = BEFORE.load(Ordering::Relaxed);
    // SAFETY: it is the address of a function of this kind, as `sigaction` gave it.
    unsafe {
        if TAKES_THREE.load(Ordering::Relaxed) {
            let before: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = std::mem::transmute(before);
            before(signal, info, context);
        } else {
            let before: extern "C" fn(c_int) = std::mem::transmute(before);
            before(signal);
        }
    }
}
