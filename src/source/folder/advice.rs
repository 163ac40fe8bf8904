//! What to say where nothing matches the pattern: what lies there instead, and a pattern that was tried and fits.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::layout::{Layout, layouts};
use super::looks::{Codes, Looks};
use super::own_codes::OwnCodes;
use super::trial::{Better, Files, Tried};
use crate::error::{Error, Result};
use crate::hint::{counted, listed};
use crate::key::NULL_PARTITION;
use crate::reason::Reason;
use crate::remedy::{Remedy, Setting};
use crate::source::allowance::Allowance;
use crate::source::code_column::texts;
use crate::source::content::Content;
use crate::source::input::formats::survey_file;
use crate::source::input::interner::Interner;
use crate::source::options::SourceOptions;
use crate::source::path::files_by::FilesBy;
use crate::source::path::input_format::InputFormat;
use crate::source::path::naming::{names_in, shown};
use crate::source::path::pattern::{CODE, Pattern};
use crate::workers::DEFAULT_MEMORY;

/// How many steps below the source files are looked for.
const DEPTH: usize = 5;
/// How many files and directories are looked at; as many tell what a larger source is like.
const LOOKED_AT: usize = 50_000;
/// Endings of tables that are not read.
const OTHER_TABLES: [&str; 6] = ["gz", "h5", "hdf5", "pkl", "json", "xlsx"];

/// Says that nothing below `root` matches the pattern of `options`, what lies there instead, and which pattern would
/// read it.
///
/// # Errors
/// [`Error::Io`] when the directory cannot be read.
pub(in crate::source) fn nothing(root: &Path, options: &SourceOptions) -> Result<Error> {
    let names = names_in(root).map_err(Error::io("read", root))?;
    let message = format!("no file in {} matches the pattern {}", root.display(), options.pattern);
    if names.is_empty() {
        let way_out = format!(
            "put one {} file per {} there, or give the directory that has them",
            options.input.noun(),
            options.files_by
        );
        return Ok(Error::refused(message + "; the directory is empty", way_out));
    }
    if root.join("CURRENT").is_file() && root.join("segment").is_dir() {
        let way_out =
            format!("give the directory that holds one {} file per {}", options.input.noun(), options.files_by);
        return Ok(Error::refused(message + "; that is a store", &way_out));
    }
    let shown_names: Vec<String> = names.iter().map(|name| shown(name)).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    let message =
        format!("{message}; there {are} {}: {}", counted(names.len(), "entry", "entries"), listed(&shown_names));
    let others = InputFormat::ALL.into_iter().filter(|format| *format != options.input);
    for input in [options.input].into_iter().chain(others) {
        let mut files = Vec::new();
        let mut left = LOOKED_AT;
        collect(root, Path::new(""), (DEPTH, input), &mut left, &mut files);
        if !files.is_empty() {
            let own = SourceOptions { input, ..options.clone() };
            let advice = advice(root, &files, &own);
            let is_of_dates = matches!(&advice, Remedy::Set { settings, .. }
                if settings.iter().any(|setting| matches!(setting, Setting::FilesBy(_))));
            // What files are of is decided once for a store.
            let noun = input.noun();
            let elsewhere = || Remedy::Do(format!("give the directory with one {noun} file per {}", options.files_by));
            let advice = [in_format(advice, &own, options.input)].into_iter().chain(is_of_dates.then(elsewhere));
            return Ok(Error::refused_unless(message, advice.collect::<Vec<_>>()));
        }
    }
    let advice = Remedy::Do(match usual_ending(&names) {
        Some(ending) => {
            format!("transect reads Parquet, Arrow and csv, and not .{ending}; write the files as one of them first")
        }
        None => {
            let (noun, by) = (options.input.noun(), options.files_by);
            format!("give the directory with one {noun} file per {by}, or the pattern of their paths")
        }
    });
    Ok(Error::refused_unless(message, [advice]))
}

/// `advice` for files of the format of `options`, where another was `asked` for.
fn in_format(advice: Remedy, options: &SourceOptions, asked: InputFormat) -> Remedy {
    match advice {
        Remedy::Set { mut settings, effect } if options.input != asked => {
            let by = if settings.iter().any(|setting| matches!(setting, Setting::FilesBy(_))) {
                FilesBy::Date
            } else {
                options.files_by
            };
            let usual = Setting::Pattern(Pattern::usual(by, options.input).to_string());
            settings.retain(|setting| *setting != usual);
            settings.insert(0, Setting::Input(options.input.to_string()));
            Remedy::Set { settings, effect }
        }
        advice => advice,
    }
}

/// Collects the files of a format below `root`, by their names, so deep.
fn collect(
    root: &Path,
    below: &Path,
    (depth, input): (usize, InputFormat),
    left: &mut usize,
    files: &mut Vec<PathBuf>,
) {
    for name in names_in(&root.join(below)).unwrap_or_default() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let path = below.join(&name);
        let is_directory = fs::metadata(root.join(&path)).is_ok_and(|metadata| metadata.is_dir());
        if is_directory && depth > 1 {
            collect(root, &path, (depth - 1, input), left, files);
        } else if !is_directory && input.ending_of(&name).is_some() {
            files.push(path);
        }
    }
}

/// What reads `files`, of which there is one at least.
fn advice(root: &Path, files: &[PathBuf], options: &SourceOptions) -> Remedy {
    // What a directory of rows without a key is called says nothing of the others.
    let named: Vec<PathBuf> = files.iter().filter(|file| !has_null_key(file)).cloned().collect();
    let named = if named.is_empty() { files } else { &named };
    let (first, noun) = (&named[0], options.input.noun());
    // Of one that is damaged nobody asks how it is found.
    let Some(readable) = named.iter().take(20).find(|file| footer(&root.join(file), options).is_ok()) else {
        let reason = footer(&root.join(first), options).err().map_or_else(String::new, |reason| reason.to_string());
        return Remedy::Do(format!(
            "the first file that is {noun} by its name, {}, {reason}",
            shown(first.as_os_str())
        ));
    };
    let looks = Looks::new(root, options);
    let own = OwnCodes::of(&looks, named, options);
    let tried = layouts_of([readable, &named[named.len() / 2], &named[named.len() - 1]], named);
    let read = Files { all: files, named, looks: &looks, own: &own, options };
    let by_stock = match options.files_by {
        FilesBy::Stock => read.best_by_stock(&tried),
        FilesBy::Date => None,
    };
    let by_date = match &by_stock {
        Some(by_stock) if by_stock.agrees && by_stock.has_dates => None,
        // By stock it is, too, where the column has but more than the names of the files.
        Some(by_stock) if by_stock.has_dates => {
            let is_named = own.have_names_in_them(&SourceOptions::default().with(&by_stock.settings));
            read.best_by_date(&tried).filter(|_| !is_named)
        }
        _ => read.best_by_date(&tried),
    };
    let reads = |count: usize| match files.len() - count {
        0 => format!("reads the {noun} files there"),
        _ => format!("reads {count} of the {} {noun} files there", files.len()),
    };
    match (by_date, by_stock) {
        (Some(pattern), _) => {
            let count = files.iter().filter(|file| pattern.fits(file)).count();
            Remedy::Set { settings: by_date_settings(&pattern, options), effect: reads(count) }
        }
        (None, Some(tried)) => by_stock_advice(tried, &own, reads),
        (None, None) if options.files_by == FilesBy::Date => Remedy::Do(format!(
            "give the pattern of their paths, such as {{date}}/{{*}}.{}",
            options.input.usual_ending()
        )),
        (None, None) => of_unnamed_codes(root, readable, &read, &tried, &reads).unwrap_or_else(|| {
            Remedy::Do(
                several_codes(&looks, named, options).unwrap_or_else(|| several_files_a_stock(files, options.input)),
            )
        }),
    }
}

/// The advice to read files by date of which no column has a usual name of codes, by the name of one that may hold them.
fn of_unnamed_codes(
    root: &Path,
    readable: &Path,
    read: &Files,
    tried: &[Layout],
    reads: &dyn Fn(usize) -> String,
) -> Option<Remedy> {
    let (content, _) = Content::open(&root.join(readable)).ok()?;
    let allowance = Allowance::new(DEFAULT_MEMORY, 1);
    let schema = survey_file(&content, &Interner::new(read.options, &allowance)).ok()?.schema;
    let texts = texts(read.options, &schema.columns);
    let options = SourceOptions { code_column: Some((*texts.first()?).to_owned()), ..read.options.clone() };
    let looks = Looks::new(root, &options);
    let pattern = Files { looks: &looks, options: &options, all: read.all, named: read.named, own: read.own }
        .best_by_date(tried)?;
    let mut settings = by_date_settings(&pattern, &options);
    let count = read.all.iter().filter(|file| pattern.fits(file)).count();
    let condition = match &texts[..] {
        [only] => {
            settings.push(Setting::CodeColumn((*only).to_owned()));
            "if that column holds their codes".to_owned()
        }
        several => {
            settings.push(Setting::CodeColumn(String::new()));
            format!("where NAME is the column that holds their codes, such as {}", listed(several))
        }
    };
    Some(Remedy::Set { settings, effect: format!("{}, {condition}", reads(count)) })
}

/// The layouts of `files`, as each of some sees them.
fn layouts_of(some: [&Path; 3], files: &[PathBuf]) -> Vec<Layout> {
    let mut found: Vec<Layout> = Vec::new();
    for file in some {
        let more = layouts(file, files).into_iter().filter(|layout| !found.contains(layout));
        found.extend(more.collect::<Vec<_>>());
    }
    found
}

/// What reads `files` that by their rows are not of one stock each, as the pattern of `options` has them, in whose codes
/// there are times or but numbers: by a layout, where one is found.
pub(in crate::source) fn of_fewer(
    root: &Path,
    files: &[PathBuf],
    options: &SourceOptions,
    are_times: bool,
) -> Option<Vec<Remedy>> {
    let looks = Looks::new(root, options);
    let own = OwnCodes::of(&looks, files, options);
    let read = Files { all: files, named: files, looks: &looks, own: &own, options };
    let layouts = layouts_of([&files[0], &files[files.len() / 2], &files[files.len() - 1]], files);
    let better = read.of_fewer(&options.pattern, are_times, &layouts)?;
    let apart = Remedy::set(Setting::CodeTemplate(format!("{{{CODE}}}")), "takes each for a stock of that name");
    let together = match better {
        Some(Better::ByStock(tried)) => {
            let (settings, told) = own.beside(tried.settings);
            Remedy::Set { settings, effect: format!("reads those of a stock together{told}") }
        }
        Some(Better::ByDate(pattern)) => Remedy::Set {
            settings: by_date_settings(&pattern, options),
            effect: "reads them by their dates".to_owned(),
        },
        None => Remedy::Do(format!(
            "give the directory above with the pattern {{code}}/{{*}}.{}, if this one is named after their stock",
            options.input.usual_ending()
        )),
    };
    Some(vec![together, apart])
}

/// The advice of a layout by stock, by which `reads` so many files are read.
fn by_stock_advice(tried: Tried, own: &OwnCodes, reads: impl Fn(usize) -> String) -> Remedy {
    let Tried { settings, count, stocks, other_source, .. } = tried;
    let (settings, told) = own.beside(settings);
    let of = if stocks == count { String::new() } else { format!(", of {}", counted(stocks, "stock", "stocks")) };
    let others = other_source.map_or_else(String::new, |other| {
        format!(
            "; the others, such as {other}, have other columns of these stocks and dates: a second source of that store"
        )
    });
    Remedy::Set { settings, effect: format!("{}{of}{told}{others}", reads(count)) }
}

/// Whether a directory on the way to `file` says that its rows have no value for its key.
fn has_null_key(file: &Path) -> bool {
    file.iter().any(|step| step.to_str().is_some_and(|step| step.ends_with(&format!("={NULL_PARTITION}"))))
}

/// The settings that read files by date, as `pattern` finds them.
pub(in crate::source) fn by_date_settings(pattern: &Pattern, options: &SourceOptions) -> Vec<Setting> {
    let is_usual = *pattern == Pattern::usual(FilesBy::Date, options.input);
    let pattern = (!is_usual).then(|| Setting::Pattern(pattern.to_string()));
    [Setting::FilesBy(FilesBy::Date.to_string())].into_iter().chain(pattern).collect()
}

/// What can be said where no pattern was found, and files have the rows of several stocks.
fn several_codes(looks: &Looks, files: &[PathBuf], options: &SourceOptions) -> Option<String> {
    let some = looks.of_some(files, 1);
    let (path, look) = some.first()?;
    let Codes::Several { column, codes: [one, other], .. } = &look.codes else { return None };
    look.codes.are_several(options.code_name()).then(|| {
        format!(
            "its files have the rows of several codes, such as {} with {one:?} and {other:?} in its column {column:?}, \
             and their paths do not say of which dates; write one file for each code, or for each date",
            shown(path.as_os_str())
        )
    })
}

/// What can be said where no pattern was found.
fn several_files_a_stock(files: &[PathBuf], input: InputFormat) -> String {
    let mut folders: BTreeMap<&Path, Vec<String>> = BTreeMap::new();
    for file in files {
        let name = shown(file.file_name().unwrap_or_default());
        folders.entry(file.parent().unwrap_or(Path::new(""))).or_default().push(name);
    }
    let count = counted(files.len(), &format!("{} file", input.noun()), &format!("{} files", input.noun()));
    let most = folders.iter().max_by_key(|(folder, names)| (names.len(), std::cmp::Reverse(**folder)));
    let example = most.map_or_else(String::new, |(folder, names)| match folder.as_os_str().is_empty() {
        true => format!(", such as {}", listed(names)),
        false => format!(", such as {} with {}", shown(folder.as_os_str()), listed(names)),
    });
    let lie = if files.len() == 1 { "lies" } else { "lie" };
    let folders = counted(folders.len(), "folder", "folders");
    format!(
        "its {count} {lie} in {folders}{example}; give the pattern of their paths, such as {{code}}/{{year}}.{}",
        input.usual_ending()
    )
}

/// The ending that most files have among those of tables that are not read.
fn usual_ending(names: &[OsString]) -> Option<String> {
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        let ending = Path::new(name).extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        if let Some(ending) = ending.filter(|ending| OTHER_TABLES.contains(&ending.as_str())) {
            *endings.entry(ending).or_default() += 1;
        }
    }
    endings.into_iter().max_by_key(|(_, count)| *count).map(|(ending, _)| ending)
}

/// Whether the file at `path` is what its source has, by its own account.
fn footer(path: &Path, options: &SourceOptions) -> Result<(), Reason> {
    let (content, _) = Content::open(path)?;
    let allowance = Allowance::new(DEFAULT_MEMORY, 1);
    survey_file(&content, &Interner::new(options, &allowance)).map(drop)
}
