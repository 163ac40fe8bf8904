//! Arrow IPC, as a file or as a stream: its messages, checked before the `arrow-ipc` crate decodes them.

mod buffers;
mod columns;
mod decode;
pub(in crate::source) mod messages;
mod outline;
pub(in crate::source) mod schema;
pub(in crate::source) mod survey;
mod views;
