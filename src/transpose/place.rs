//! Where an output directory must not lie: in a store, or where its files would be taken for a store's input.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::names::Names;
use crate::error::{Error, Result};
use crate::source::Pattern;
use crate::storage::Access;
use crate::store::Store;

/// What a store's settings say of where it comes from.
#[derive(Deserialize)]
struct Origin {
    source: PathBuf,
    options: OriginOptions,
}

#[derive(Deserialize)]
struct OriginOptions {
    pattern: Pattern,
}

/// Refuses an output directory whose files would meet those of `store`, of another store, or of the folder that `store`
/// was built from, whatever is forced.
///
/// # Errors
/// [`Error::Refused`] where they would meet.
pub(super) fn refuse_collision(store: &Store, out: &Path, names: &Names) -> Result<()> {
    let mut origins = Vec::new();
    for place in 0..store.source_names()?.len() {
        // A source of an unknown origin has nothing that files could meet.
        let origin = serde_json::from_str::<Origin>(&store.of_source(place).settings()?);
        origins.extend(origin.map(|origin| (origin.source, origin.options.pattern)));
    }
    refuse_meeting(store.path(), &origins, out, &names.some_path())
}

/// The same, of a store at `root`, there or not, from folders of such files; the output has a file at `some_path`.
///
/// # Errors
/// As there.
pub(super) fn refuse_meeting(root: &Path, origins: &[(PathBuf, Pattern)], out: &Path, some_path: &str) -> Result<()> {
    let refuse =
        |why: String| Err(Error::refused(format!("{} {why}", out.display()), "name a directory elsewhere").about(out));
    let real_out = real(out)?;
    let file = real_out.join(some_path);
    let real_root = real(root)?;
    if real_out.starts_with(&real_root) || file.starts_with(&real_root) {
        return refuse("lies in the store".to_owned());
    }
    if Store::open_with(&real_out, Access::Read).is_ok() {
        return refuse("is a store".to_owned());
    }
    for (source, pattern) in origins {
        let Ok(source) = source.canonicalize() else { continue };
        if real_out == source {
            return refuse(format!("is the folder that {} is built from", root.display()));
        }
        if let Ok(below) = file.strip_prefix(&source)
            && pattern.fits(below)
        {
            return refuse(format!(
                "lies where {} is built from, and its files would be taken for stocks",
                root.display()
            ));
        }
    }
    Ok(())
}

/// `path` without links, also where its last parts are not there yet.
fn real(path: &Path) -> Result<PathBuf> {
    let mut known = std::path::absolute(path).map_err(Error::io("find", path))?;
    let mut rest = Vec::new();
    let mut real = loop {
        match known.canonicalize() {
            Ok(real) => break real,
            Err(_) => match known.components().next_back() {
                Some(last @ (Component::Normal(_) | Component::ParentDir)) => {
                    rest.push(last.as_os_str().to_owned());
                    known.pop();
                }
                _ => break known,
            },
        }
    };
    for part in rest.into_iter().rev() {
        if part == ".." {
            real.pop()
        } else {
            real.push(part);
            true
        };
    }
    Ok(real)
}
