//! What lies where somebody looked for a store, and how they come to one from there.

use std::fs;
use std::path::{Path, PathBuf};

use super::layout::{self, names};
use crate::error::Error;
use crate::hint::{listed, nearest};
use crate::remedy::{Operation, Remedy};

/// How the ledger of an output is called, whatever its format.
const LEDGER_BEGINS: &str = ".transect.";

/// Why there is no store at `root`, and the way out.
pub(super) fn nothing_at(root: &Path) -> Error {
    let metadata = match fs::metadata(root) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Error::io("read", root)(error),
        metadata => metadata.ok(),
    };
    let (instead, way_out) = match (store_around(root), metadata) {
        (Some(store), _) => absence(&format!("it lies in the store {}", store.display()), "name that one"),
        (None, None) => of_nothing(root),
        (None, Some(metadata)) if metadata.is_dir() => of_directory(root),
        (None, Some(_)) => of_file(root),
    };
    Error::NotAStore { path: root.to_owned(), instead, way_out }
}

/// What is there instead of a store, and the way out.
type Absence = (String, Remedy);

fn absence(instead: &str, way_out: &str) -> Absence {
    (instead.to_owned(), Remedy::Do(way_out.to_owned()))
}

/// Where a build helps: of `source`, or of what only the reader knows, into `store`.
fn buildable(instead: &str, source: Option<&Path>, store: Option<&Path>, effect: &str) -> Absence {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let build = Operation::Build { source: source.map(text), store: store.map(text) };
    (instead.to_owned(), Remedy::run(build, effect))
}

fn of_nothing(root: &Path) -> Absence {
    let beside = stores_in(parent(root));
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = beside.iter().map(name).collect();
    let wanted = root.file_name().unwrap_or_default().to_string_lossy();
    let instead = "nothing of that name is there";
    match nearest(&wanted, names.iter().map(String::as_str)).first() {
        Some(near) => absence(instead, &format!("did you mean {}?", root.with_file_name(near).display())),
        None => buildable(instead, None, Some(root), "makes one"),
    }
}

fn of_file(root: &Path) -> Absence {
    if !is_parquet(&root.to_string_lossy()) {
        return buildable("it is a file, and a store is a directory", None, None, "makes one");
    }
    let source = parent(root);
    let effect = "makes a store of the folder it lies in";
    buildable("it is a Parquet file", Some(source), Some(&store_beside(source)), effect)
}

fn of_directory(root: &Path) -> Absence {
    let names = names(root).unwrap_or_default();
    if names.iter().any(|name| name.starts_with(LEDGER_BEGINS)) {
        return absence("it holds what a store was transposed into", "name the store");
    }
    if names.is_empty() {
        return buildable("it is an empty directory", None, Some(root), "makes a store there");
    }
    let stores: Vec<String> = stores_in(root).iter().map(|store| store.display().to_string()).collect();
    if !stores.is_empty() {
        return absence(&format!("it is a folder with {} in it", listed(&stores)), "name one");
    }
    let files = names.iter().filter(|name| is_parquet(name)).count();
    let holds_files =
        |name: &&String| layout::names(&root.join(name)).is_ok_and(|inner| inner.iter().any(|name| is_parquet(name)));
    // A few sub-directories tell as much as all of them.
    let folders = names.iter().take(100).filter(holds_files).count();
    let what = match (files, folders) {
        (0, 0) => {
            let what = format!("it is a folder with {}", listed(&names));
            return buildable(&what, None, None, "makes a store");
        }
        (0, _) => {
            let what = "it is a folder of folders with Parquet files";
            return buildable(what, Some(root), Some(&store_beside(root)), "says which pattern fits");
        }
        (1, _) => "a folder with a Parquet file",
        _ => "a folder of Parquet files",
    };
    let made = store_beside(root);
    if layout::is_store(&made).unwrap_or(false) {
        return absence(&format!("it is {what}"), &format!("did you mean {}?", made.display()));
    }
    buildable(&format!("it is {what}"), Some(root), Some(&made), "makes a store of it")
}

/// The store that `path` lies in.
fn store_around(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    // As it was typed, if that says it.
    let around = path.ancestors().skip(1).take(2).chain(absolute.ancestors().skip(1).take(2));
    around.filter(|dir| dir.is_dir()).find(|dir| layout::is_store(dir).unwrap_or(false)).map(Path::to_owned)
}

/// The stores in a directory, of its first hundred entries.
fn stores_in(dir: &Path) -> Vec<PathBuf> {
    let mut names = names(dir).unwrap_or_default();
    names.sort_unstable();
    let paths = names.iter().take(100).map(|name| if dir == Path::new(".") { name.into() } else { dir.join(name) });
    paths.filter(|path: &PathBuf| path.is_dir() && layout::is_store(path).unwrap_or(false)).collect()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name for the store of a source.
fn store_beside(source: &Path) -> PathBuf {
    match source.file_name() {
        Some(name) => source.with_file_name(format!("{}.store", name.to_string_lossy())),
        None => "panel.store".into(),
    }
}

fn is_parquet(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["parquet", "parq", "pq"].contains(&extension.to_ascii_lowercase().as_str())
}
