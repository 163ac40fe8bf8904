//! Ways out of updates that cannot be: what changes a source, as an operation.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::Error;
use crate::remedy::{Operation, Remedy, Setting};
use crate::store::Store;

/// What leaves columns of a source out that the store has.
pub(super) fn excluding_from(whole: &Store, source: &str, columns: Vec<String>) -> Operation {
    Operation::SetSource {
        store: whole.path().to_string_lossy().into_owned(),
        settings: [Setting::Source(source.to_owned()), Setting::Exclude(columns)].into(),
    }
}

/// `error`, or that the folder of the source at `place` is gone.
pub(super) fn without_folder(error: Error, folder: &Path, whole: &Store, place: usize) -> Error {
    let name = whole.source_names().ok().and_then(|names| names.get(place).copied());
    match (&error, name) {
        (Error::Io { path, source, .. }, Some(name)) if path == folder && source.kind() == ErrorKind::NotFound => {
            let settings = [Setting::Source(name.to_owned()), Setting::Folder].into();
            let store = whole.path().to_string_lossy().into_owned();
            let moved = Remedy::run(Operation::SetSource { store, settings }, "says where it is now");
            let what = format!("{}, the folder of the source {name:?}, is not there", folder.display());
            Error::refused_unless(what, [moved]).about(folder)
        }
        _ => error,
    }
}
