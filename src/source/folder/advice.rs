//! What to say where nothing matches the pattern: what lies there instead, and a pattern that was tried and fits.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::meeting::{Fitting, of_several_stocks};
use crate::error::{Error, Result};
use crate::hint::{counted, listed};
use crate::reason::Reason;
use crate::remedy::{Remedy, Setting};
use crate::source::allowance::Allowance;
use crate::source::content::Content;
use crate::source::input::formats::survey_file;
use crate::source::input::interner::Interner;
use crate::source::options::SourceOptions;
use crate::source::path::code_template::{CodeTemplate, code_of};
use crate::source::path::files_by::{DATE, FilesBy};
use crate::source::path::input_format::InputFormat;
use crate::source::path::naming::{NULL_PARTITION, is_date, is_part, is_time, names_in, shown};
use crate::source::path::pattern::{ANYTHING, CODE, Pattern};
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
    // Which pattern reads most of the files; the first candidate, where several do.
    let seeds = [readable, &named[named.len() / 2], &named[named.len() - 1]];
    let are_times = |codes: &[String]| codes.iter().all(|code| is_time(code));
    let candidates = seeds.into_iter().flat_map(|file| candidates(file));
    let tried: Vec<(Pattern, Vec<String>)> =
        candidates.map(|pattern| (pattern.clone(), codes(&pattern, files))).collect();
    let stocks = tried.iter().filter(|(_, codes)| !are_times(codes));
    let best = stocks.rev().max_by_key(|(_, codes)| codes.len());
    let are_most = |count: usize| count * 10 >= named.len() * 9;
    let reads = |count: usize| match files.len() - count {
        0 => format!("reads the {noun} files there"),
        _ => format!("reads {count} of the {} {noun} files there", files.len()),
    };
    if let Some((pattern, codes)) =
        best.filter(|(_, codes)| options.files_by == FilesBy::Stock && are_most(codes.len()))
    {
        return Remedy::set(Setting::Pattern(pattern.to_string()), reads(codes.len()));
    }
    let open: Vec<Pattern> = seeds.into_iter().flat_map(|file| open_patterns(file, named)).collect();
    let open: Vec<(Pattern, Vec<String>)> =
        open.into_iter().map(|pattern| (pattern.clone(), codes(&pattern, files))).collect();
    let are_dates = |codes: &[String]| codes.iter().all(|code| is_date(code));
    let by_date = tried.iter().chain(&open).find(|(_, codes)| codes.len() >= named.len() && are_dates(codes));
    if let Some((pattern, codes)) = by_date {
        return Remedy::Set { settings: by_date_settings(pattern, options), effect: reads(codes.len()) };
    }
    if options.files_by == FilesBy::Date {
        return Remedy::Do(format!(
            "give the pattern of their paths, such as {{date}}/{{*}}.{}",
            options.input.usual_ending()
        ));
    }
    let stocks = open
        .into_iter()
        .filter(|(_, codes)| are_most(codes.len()) && !codes.iter().all(|code| is_time(code) || is_part(code)));
    let told = stocks.map(|(pattern, codes)| {
        let options = SourceOptions { pattern, ..SourceOptions::default() };
        let settings = settings(&options, files);
        (stock_count(&settings, files), settings, codes.len())
    });
    let Some((count, settings, read)) = told.rev().max_by_key(|(count, settings, _)| (*count, settings.len() == 1))
    else {
        return Remedy::Do(several_files_a_stock(files, options.input));
    };
    Remedy::Set { settings, effect: format!("{}, of {}", reads(read), counted(count, "stock", "stocks")) }
}

/// Whether a directory on the way to `file` says that its rows have no value for its key.
fn has_null_key(file: &Path) -> bool {
    file.iter().any(|step| step.to_str().is_some_and(|step| step.ends_with(&format!("={NULL_PARTITION}"))))
}

/// The settings that read files of which `pattern` takes the dates for codes.
fn by_date_settings(pattern: &Pattern, options: &SourceOptions) -> Vec<Setting> {
    let text = pattern.to_string().replace(&format!("{{{DATE}}}"), &format!("{{{ANYTHING}}}"));
    let text = text.replace(&format!("{{{CODE}}}"), &format!("{{{DATE}}}"));
    let pattern = (text != Pattern::usual(FilesBy::Date, options.input).to_string()).then_some(Setting::Pattern(text));
    [Setting::FilesBy(FilesBy::Date.to_string())].into_iter().chain(pattern).collect()
}

/// The codes that `pattern` takes from those of `files` that fit it.
fn codes(pattern: &Pattern, files: &[PathBuf]) -> Vec<String> {
    let code = |file: &PathBuf| code_of(None, &pattern.values_of(file)?).ok();
    files.iter().filter_map(code).collect()
}

/// How many stocks there are among `files` by these settings.
fn stock_count(settings: &[Setting], files: &[PathBuf]) -> usize {
    let pattern = settings.iter().find_map(|setting| match setting {
        Setting::Pattern(text) => text.parse::<Pattern>().ok(),
        _ => None,
    });
    let template = settings.iter().find_map(|setting| match setting {
        Setting::CodeTemplate(text) => text.parse::<CodeTemplate>().ok(),
        _ => None,
    });
    let values = |file: &PathBuf| pattern.as_ref()?.values_of(file);
    let code = |file: &PathBuf| code_of(template.as_ref(), &values(file)?).ok();
    files.iter().filter_map(code).collect::<HashSet<_>>().len()
}

/// The pattern of `options`, with what tells stocks of one name apart.
fn settings(options: &SourceOptions, files: &[PathBuf]) -> Vec<Setting> {
    let fitting = |path: &PathBuf| {
        let values = options.pattern.values_of(path)?;
        Some(Fitting { unit: code_of(None, &values).ok()?, path: path.clone(), values })
    };
    let mut fitting: Vec<Fitting> = files.iter().filter_map(fitting).collect();
    fitting.sort_by(|a, b| a.unit.cmp(&b.unit));
    let meeting = fitting.chunk_by(|a, b| a.unit == b.unit).find_map(|stock| of_several_stocks(stock, options)?.1);
    let apart = meeting.map_or_else(Vec::new, |meeting| meeting.apart().to_vec());
    let has_pattern = apart.iter().any(|setting| matches!(setting, Setting::Pattern(_)));
    let pattern = (!has_pattern).then(|| Setting::Pattern(options.pattern.to_string()));
    pattern.into_iter().chain(apart).collect()
}

/// Patterns that read `file` and those of `files` that lie as deep, with the code in one place and what else differs left
/// open; the likelier ones first.
fn open_patterns(file: &Path, files: &[PathBuf]) -> Vec<Pattern> {
    let steps: Vec<&str> = file.iter().filter_map(OsStr::to_str).collect();
    let depth = steps.len();
    let alike = files.iter().map(|file| file.iter().map(OsStr::to_string_lossy).collect::<Vec<_>>());
    let alike: Vec<Vec<Cow<str>>> = alike.filter(|steps| steps.len() == depth).collect();
    // What stands between the key or nothing and the ending or nothing, in each file.
    let key = |at: usize| steps[at].split_once('=').map(|(key, _)| format!("{key}=")).filter(|_| at + 1 < depth);
    let ending = |at: usize| InputFormat::any_ending(OsStr::new(steps[at])).map(|ending| format!(".{ending}"));
    let values = |at: usize| -> Vec<&str> {
        let (key, ending) = (key(at).unwrap_or_default(), ending(at).unwrap_or_default());
        let steps = alike.iter().map(|steps| steps[at].as_ref());
        steps
            .map(|step| step.strip_prefix(&key[..]).and_then(|step| step.strip_suffix(&ending[..])).unwrap_or(step))
            .collect()
    };
    // The letter after which names go on that begin with what stands at `code_at`.
    let begins = |at: usize, code_at: usize| {
        let rest = values(at).into_iter().zip(values(code_at)).map(|(value, code)| value.strip_prefix(code));
        let rest: Vec<&str> = rest.collect::<Option<_>>()?;
        let letter = rest.first()?.chars().next().filter(|letter| "_-. ".contains(*letter))?;
        let rest: Option<Vec<&str>> = rest.into_iter().map(|rest| rest.strip_prefix(letter)).collect();
        Some((letter, rest?))
    };
    let pattern = |code_at: usize| {
        let mut names: Vec<&str> = vec![CODE];
        let step = |(at, own): (usize, &&str)| {
            if at != code_at && alike.iter().all(|steps| steps[at] == *own) {
                return (*own).to_owned();
            }
            let (code, values) = match begins(at, code_at).filter(|_| at > code_at) {
                Some((letter, rest)) => (format!("{{{CODE}}}{letter}"), rest),
                None => (String::new(), values(at)),
            };
            let name = match () {
                () if at == code_at => CODE,
                () if values.iter().all(|value| value.len() == 4 && is_time(value)) => "year",
                () if values.iter().all(|value| is_date(value)) => "date",
                () if values.iter().all(|value| is_time(value)) => "period",
                () if at < code_at => "folder",
                () => ANYTHING,
            };
            let name = if names.contains(&name) && at != code_at { ANYTHING } else { name };
            names.push(name);
            format!("{}{code}{{{name}}}{}", key(at).unwrap_or_default(), ending(at).unwrap_or_default())
        };
        steps.iter().enumerate().map(step).collect::<Vec<_>>().join("/").parse::<Pattern>().ok()
    };
    let keys = (0..depth).filter(|&at| key(at).is_some());
    let names = (0..depth).rev().filter(|&at| key(at).is_none());
    // A name that begins with that of its directory says more than the code.
    let is_code = |at: &usize| (0..*at).all(|above| begins(*at, above).is_none());
    keys.chain(names).filter(is_code).filter_map(pattern).collect()
}

/// Patterns that read `file`, the likelier ones first: the code is the value of a key, or the name of the file, or that
/// of a directory.
fn candidates(file: &Path) -> Vec<Pattern> {
    let steps: Vec<&str> = file.iter().filter_map(OsStr::to_str).collect();
    let Some((name, directories)) = steps.split_last() else { return Vec::new() };
    let with = |at: usize, step: String| {
        let steps: Vec<String> =
            steps.iter().enumerate().map(|(n, own)| if n == at { step.clone() } else { (*own).to_owned() }).collect();
        steps.join("/").parse::<Pattern>().ok()
    };
    let keys = directories.iter().enumerate().filter_map(|(at, step)| {
        let (key, _) = step.split_once('=')?;
        with(at, format!("{key}={{code}}"))
    });
    let ending = InputFormat::any_ending(OsStr::new(name)).unwrap_or_default();
    let file_name = with(directories.len(), format!("{{code}}.{ending}"));
    let plain = directories.iter().enumerate().filter(|(_, step)| !step.contains('='));
    let plain = plain.filter_map(|(at, step)| match InputFormat::any_ending(OsStr::new(step)) {
        Some(ending) => with(at, format!("{{code}}.{ending}")),
        None => with(at, "{code}".to_owned()),
    });
    // A directory's only file is named after nothing.
    let alone = directories.len() == 1 && ["data", "part", "0"].iter().any(|begins| name.starts_with(begins));
    let mut found: Vec<Pattern> = keys.collect();
    if alone {
        found.extend(plain);
        found.extend(file_name);
    } else {
        found.extend(file_name);
        found.extend(plain);
    }
    found
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
    let example = most.map_or_else(String::new, |(folder, names)| {
        format!(", such as {} with {}", shown(folder.as_os_str()), listed(names))
    });
    let folders = counted(folders.len(), "folder", "folders");
    format!(
        "its {count} lie in {folders}{example}; give the pattern of their paths, such as {{code}}/{{year}}.{}",
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
