//! Which source a check against files is of.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result, Wanted};
use crate::hint::{instead, listed};
use crate::ingest::settings::Settings;
use crate::store::Store;

/// The place of the source that `source` is, by its name or by its directory, and where its files are; the only one,
/// wherever they are.
pub(super) fn source_of(store: &Store, source: &Path) -> Result<(usize, PathBuf)> {
    let names = store.source_names()?;
    let settings: Vec<Settings> =
        (0..names.len()).map(|place| Settings::of(&store.of_source(place))).collect::<Result<_>>()?;
    let folder = |place: usize| settings[place].source.as_ref().map(PathBuf::from);
    let named = names.iter().position(|name| Path::new(name) == source);
    if let Some((place, folder)) = named.filter(|_| !source.is_dir()).and_then(|place| Some((place, folder(place)?))) {
        return Ok((place, folder));
    }
    let wanted = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
    let of_folder = (0..names.len()).filter(|&place| folder(place).is_some_and(|folder| folder == wanted));
    match of_folder.collect::<Vec<usize>>()[..] {
        [] => {}
        [place] => return Ok((place, wanted)),
        ref places => {
            let sharing: Vec<&str> = places.iter().map(|&place| names[place]).collect();
            let what = format!("{} is the directory of the sources {}", source.display(), listed(&sharing));
            return Err(Error::refused(what, "give one of those names"));
        }
    }
    if named.is_none() && !source.is_dir() {
        let known: Vec<&str> =
            (0..names.len()).filter(|&place| folder(place).is_some()).map(|place| names[place]).collect();
        if !known.is_empty() {
            let name = source.display().to_string();
            let what = format!("source or directory {name:?}");
            return Err(Error::not_found(Wanted::Source, what, instead(&name, &known, "sources", None)));
        }
    }
    let other = named.or((names.len() == 1).then_some(0)).filter(|&place| folder(place).is_some());
    if let Some(place) = other {
        return Ok((place, source.to_owned()));
    }
    let of = |has: bool| -> Vec<&str> {
        let places = (0..names.len()).filter(|&place| folder(place).is_some() == has);
        places.map(|place| names[place]).collect()
    };
    let (known, without) = (of(true), of(false));
    let (have, rows) = if without.len() == 1 { ("has", "its rows") } else { ("have", "their rows") };
    let no_folder = format!("{} {have} no folder: {rows} are those that were appended", listed(&without));
    if known.is_empty() {
        let way_out = "verify the store without a folder, which compares its checksums";
        return Err(Error::refused(no_folder, way_out));
    }
    let mut what = format!("{} is neither name nor directory of the sources {}", source.display(), listed(&known));
    if !without.is_empty() {
        what += &format!(", and {no_folder}");
    }
    Err(Error::refused(what, "give one of those names"))
}
