//! What lies where somebody looked for a store, and how they come to one from there.

use std::fs;
use std::path::{Path, PathBuf};

use super::layout::{self, names};
use crate::error::Error;
use crate::hint::{listed, nearest, quoted};

/// How the ledger of an output is called, whatever its format.
const LEDGER_BEGINS: &str = ".transect.";

/// Why there is no store at `root`, and the way out.
pub(super) fn nothing_at(root: &Path) -> Error {
    let metadata = match fs::metadata(root) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Error::io("read", root)(error),
        metadata => metadata.ok(),
    };
    let (instead, way_out) = match (store_around(root), metadata) {
        (Some(store), _) => (format!("it lies in the store {}", store.display()), "name that one".to_owned()),
        (None, None) => of_nothing(root),
        (None, Some(metadata)) if metadata.is_dir() => of_directory(root),
        (None, Some(_)) => of_file(root),
    };
    Error::NotAStore { path: root.to_owned(), instead, way_out }
}

/// What is there instead of a store, and the way out.
type Absence = (String, String);

fn absence(instead: &str, way_out: &str) -> Absence {
    (instead.to_owned(), way_out.to_owned())
}

fn of_nothing(root: &Path) -> Absence {
    let beside = stores_in(parent(root));
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = beside.iter().map(name).collect();
    let wanted = root.file_name().unwrap_or_default().to_string_lossy();
    let way_out = match nearest(&wanted, names.iter().map(String::as_str)).first() {
        Some(near) => format!("did you mean {}?", root.with_file_name(near).display()),
        None => format!("`transect build SRC {}` makes one", word(root)),
    };
    ("nothing of that name is there".to_owned(), way_out)
}

fn of_file(root: &Path) -> Absence {
    if !is_parquet(&root.to_string_lossy()) {
        return absence("it is a file, and a store is a directory", "`transect build SRC STORE` makes one");
    }
    let source = parent(root);
    let build = format!("`transect build {} {}`", word(source), word(&store_beside(source)));
    absence("it is a Parquet file", &format!("{build} makes a store of the folder it lies in"))
}

fn of_directory(root: &Path) -> Absence {
    let names = names(root).unwrap_or_default();
    if names.iter().any(|name| name.starts_with(LEDGER_BEGINS)) {
        return absence("it is what `transect transpose` wrote", "name the store that it was written from");
    }
    if names.is_empty() {
        return absence(
            "it is an empty directory",
            &format!("`transect build SRC {}` makes a store there", word(root)),
        );
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
            return absence(&what, "`transect build SRC STORE` makes a store");
        }
        (0, _) => {
            let (source, made) = (word(root), word(&store_beside(root)));
            let way_out = format!("`transect build {source} {made}` says which pattern fits");
            return absence("it is a folder of folders with Parquet files", &way_out);
        }
        (1, _) => "a folder with a Parquet file",
        _ => "a folder of Parquet files",
    };
    let made = store_beside(root);
    if layout::is_store(&made).unwrap_or(false) {
        return absence(&format!("it is {what}"), &format!("did you mean {}?", made.display()));
    }
    let way_out = format!("`transect build {} {}` makes a store of it", word(root), word(&made));
    absence(&format!("it is {what}"), &way_out)
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

fn word(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}
