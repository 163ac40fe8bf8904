//! Looks at every input once, by its footer, and agrees on what the panel will be.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::DataType;

use super::by_date::refuse_times;
use super::candidate::{Candidate, schemas};
use super::date_advice::{Advised, DateAdvice};
use super::fields::join_fields;
use super::roles::{
    check_changed_names, check_names, check_unique, code_column, date_cast, date_name, key_columns, meets_date,
};
use super::settle::{Look, has_free_date_name, settle};
use super::talks::{Party, Talks};
use super::trading::trading;
use crate::error::{Error, Result};
use crate::hint::counted;
use crate::panel::{Column, DateForm, check_columns};
use crate::progress::Observer;
use crate::reason::Reason;
use crate::skipped::Skipped;
use crate::source::agreement::agree::Agreement;
use crate::source::agreement::exact::Small;
use crate::source::agreement::prior::Prior;
use crate::source::allowance::Allowance;
use crate::source::content::{Content, Stamp, WHOLE};
use crate::source::date::rules::DateRules;
use crate::source::folder::discover::{Found, skip};
use crate::source::folder::scan::once;
use crate::source::input::formats::{format_of, survey_file, told_format};
use crate::source::input::interner::Interner;
use crate::source::input::parts::INDEX_NAME;
use crate::source::input::schema::{FileSchema, Footer, Value};
use crate::source::losses::Losses;
use crate::source::options::SourceOptions;
use crate::source::path::files_by::FilesBy;
use crate::source::path::input_format::InputFormat;
use crate::source::path::naming::shown;
use crate::source::path::unit::beside_unusable;
use crate::source::survey::{Input, InputFile, Layout, Survey, Target};
use crate::source::trouble::check_machine;
use crate::workers::Workers;

/// Schemas without a date of which files are looked into for an advice.
const LOOKED_INTO: usize = 100;

/// Files with one such schema that are looked into, until one has dates.
const LOOKED_INTO_ALIKE: usize = 3;

/// Columns that are text for the sake of some fields, of which it is told.
const TOLD: usize = 10;

/// Why files that have a footer cannot be used all the same, by unit and path.
pub(super) type LeftOut = HashMap<(String, PathBuf), Reason>;

/// Reads the footers of the files that were `found`, on all workers, but of those that are `left_out`; then agrees on one
/// schema. A trial does not look for other date columns.
///
/// # Errors
/// As [`survey`](super::surveyor::survey).
pub(super) fn look_at(
    root: &Path,
    (found, left_out, is_trial): (&Found, &LeftOut, bool),
    prior: Option<&Prior>,
    options: &SourceOptions,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Survey> {
    let rules = DateRules::new(options)?;
    let Found { files, .. } = found;
    let (mut skipped, mut notes) = (found.skipped.clone(), found.notes.clone());
    let allowance = Allowance::new(workers.memory(), workers.count());
    let interner = Interner::new(options, &allowance);
    observer.begin("survey", "files", files.len() as u64);
    let looked = workers.try_map(files.len(), |n| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        observer.advance(1);
        if let Some(reason) = left_out.get(&files[n]) {
            return Ok(Err(reason.clone()));
        }
        let path = root.join(&files[n].1);
        let result = look(&path, &interner);
        if result.is_err() {
            check_machine(&path)?;
        }
        interner.check(n + 1, files.len())?;
        Ok(result)
    })?;
    observer.end();

    let mut candidates = Vec::new();
    let mut bad: Vec<(String, PathBuf)> = Vec::new();
    let is_first = prior.is_none_or(|prior| prior.is_new);
    let format = if is_first && looked.iter().all(Result::is_err) { common_format(root, files) } else { None };
    for ((unit, path), looked) in files.iter().cloned().zip(looked) {
        let looked = looked.map_err(|reason| told_format(reason, format));
        match looked {
            Ok((stamp, footer)) => candidates.push(Candidate { unit, path, stamp, footer, small: Small::default() }),
            Err(reason) => {
                skipped.push(skip(&path, reason));
                bad.push((unit, path));
            }
        }
    }
    candidates = leave_out(candidates, &bad, options.files_by, &mut skipped);
    let told = join_fields(&mut candidates, prior, &interner);
    let are_all_read = skipped.is_empty();
    let look = Look { root, rules: &rules, allowance: &allowance, workers, observer };
    if is_first && options.files_by == FilesBy::Stock {
        refuse_times(&candidates, options, &look)?;
    }
    let options = &match prior {
        Some(prior) if !prior.is_new => options.clone(),
        _ => settle(options, &mut candidates, (&look, prior), &mut notes)?,
    };
    let dates = DateRules::new(options)?;
    notes.extend(notes_of(told, &candidates));
    // Of names in the options, those that no changed file has may stand in the others.
    match prior {
        Some(prior) if !prior.is_new => check_changed_names(prior, &schemas(&candidates), !are_all_read, &mut notes)?,
        _ => {
            let may_be_elsewhere = !are_all_read || prior.is_some_and(|prior| prior.shares_options);
            check_names(options, &schemas(&candidates), may_be_elsewhere, &mut notes)?;
        }
    }
    let is_free = has_free_date_name(options, &schemas(&candidates));
    let meets = |candidate: &Candidate| meets_date(&candidate.footer.schema, prior?.date_name);
    let (usable, mut refused): (Vec<Candidate>, Vec<Candidate>) =
        candidates.into_iter().partition(|candidate| candidate.refusal().is_none() && meets(candidate).is_none());
    let bad: Vec<(String, PathBuf)> = refused.iter().map(Candidate::name).collect();
    candidates = leave_out(usable, &bad, options.files_by, &mut skipped);
    let before = prior.map(|prior| prior.date_name);
    let advice = DateAdvice::new(options, &dates, before, schemas(&candidates), is_free, &allowance);
    let mut advices: HashMap<*const FileSchema, (Advised, usize)> = HashMap::new();
    // What is told of a file's own columns needs no look into it.
    let is_own = |candidate: &Candidate| candidate.footer.schema.refusal.is_some();
    let open = |candidate: &&Candidate| !is_trial && candidate.refusal().is_some() && !is_own(candidate);
    for Candidate { path, stamp, footer, .. } in refused.iter().filter(open) {
        // Of files with one schema a few are looked into, and not each where all differ.
        let count = match advices.get(&Arc::as_ptr(&footer.schema)) {
            None if advices.len() < LOOKED_INTO => 0,
            Some((Advised::Nothing(_), count)) if *count < LOOKED_INTO_ALIKE => *count,
            _ => continue,
        };
        let advised = advice.tell(&root.join(path), *stamp, &footer.schema);
        advices.insert(Arc::as_ptr(&footer.schema), (advised, count + 1));
    }
    let mut reasons = Vec::with_capacity(refused.len());
    for candidate in &refused {
        let Some(reason) = candidate.refusal() else {
            reasons.extend(meets(candidate));
            continue;
        };
        let advised = advices.get(&Arc::as_ptr(&candidate.footer.schema)).filter(|_| !is_own(candidate));
        reasons.push(advised.map_or_else(|| reason.clone(), |(advised, _)| advised.add_to(reason)));
    }

    let talks = Talks { root, options, prior, allowance: &allowance, workers, observer };
    let columns = loop {
        let Agreement { columns, refused: disputed } =
            talks.agree(&candidates.iter().map(party).collect::<Vec<_>>())?;
        let mut kept = Vec::with_capacity(candidates.len());
        let mut bad: Vec<(String, PathBuf)> = Vec::new();
        for (candidate, reason) in candidates.into_iter().zip(disputed) {
            match reason {
                Some(reason) => {
                    bad.push(candidate.name());
                    refused.push(candidate);
                    reasons.push(reason);
                }
                None => kept.push(candidate),
            }
        }
        let kept_count = kept.len();
        candidates = leave_out(kept, &bad, options.files_by, &mut skipped);
        // The other files of a stock that is left out have no say in the types.
        if candidates.len() == kept_count {
            break columns;
        }
    };
    skipped.extend(refused.iter().zip(reasons).map(|(candidate, reason)| skip(&candidate.path, reason)));
    once(&mut skipped);

    let date_name = match prior {
        Some(prior) => prior.date_name.to_owned(),
        None => date_name(options, &schemas(&candidates), &mut notes),
    };
    let code = code_column(options, prior, &schemas(&candidates))?;
    let date_cast = date_cast(options, prior, &date_name, &schemas(&candidates))?;
    let date_form = match (prior.map(|prior| prior.date_form), &date_cast) {
        (Some(form), Some(cast)) if form.data_type != *cast => Some(form.cast_to(cast)),
        (Some(form), _) => Some(form.clone()),
        (None, Some(cast)) => Some(DateForm::COMMON.cast_to(cast)),
        (None, None) => None,
    };
    check_unique(&code.name, &date_name, &columns)?;
    let key = match prior {
        // A file that lacks a column of it is refused when it is read.
        Some(prior) => prior.key.to_vec(),
        // Where no file can be used, that is what is told.
        None if candidates.is_empty() => Vec::new(),
        None => key_columns(options, &code.name, &date_name, &columns)?,
    };
    notes.extend(losses(&candidates, options).notes());
    let dropping = candidates.iter().filter(|candidate| candidate.footer.schema.drops_index).count();
    if dropping > 0 {
        let files = counted(dropping, "file", "files");
        notes.push(format!("{files} with an unnamed index of integers ({INDEX_NAME}), which is left out"));
    }
    check_columns(&columns, workers.memory())?;
    let inputs = inputs(candidates, &columns, &key, options);
    let mut survey = Survey {
        root: root.to_owned(),
        code,
        date_name,
        columns,
        key,
        inputs,
        unread: Vec::new(),
        skipped,
        notes,
        options: options.clone(),
        dates,
        date_cast,
        date_form,
        whole_len: WHOLE,
        trading: None,
        allowance,
    };
    survey.trading = trading(&mut survey, prior.map_or(&[], |prior| prior.trading_days), workers, observer)?;
    Ok(survey)
}

/// What a file says of itself, and its size and time.
///
/// # Errors
/// The reason to skip it.
pub(super) fn look(path: &Path, interner: &Interner) -> Result<(Stamp, Footer), Reason> {
    let (content, stamp) = Content::open(path)?;
    Ok((stamp, survey_file(&content, interner)?))
}

/// The one format that all of `files` have by their first bytes.
fn common_format(root: &Path, files: &[(String, PathBuf)]) -> Option<InputFormat> {
    let format = |path: &PathBuf| format_of(&Content::open(&root.join(path)).ok()?.0);
    let first = format(&files.first()?.1)?;
    files.iter().all(|(_, path)| format(path) == Some(first)).then_some(first)
}

/// Notes of columns that are text, of those which become values of the panel.
fn notes_of(told: Vec<(String, String)>, candidates: &[Candidate]) -> Vec<String> {
    let schemas = schemas(candidates);
    let is_value = |name: &str| schemas.iter().any(|schema| schema.values.iter().any(|value| value.own_name == name));
    let mut notes: Vec<String> = told.into_iter().filter(|(name, _)| is_value(name)).map(|(_, note)| note).collect();
    let more = notes.len().saturating_sub(TOLD);
    notes.truncate(TOLD);
    notes.extend((more > 0).then(|| format!("so are {}", counted(more, "other column", "other columns"))));
    notes
}

fn party(candidate: &Candidate) -> Party<'_> {
    let Candidate { path, stamp, footer, small, .. } = candidate;
    Party { path, stamp: *stamp, schema: Arc::clone(&footer.schema), row_count: footer.row_count, small }
}

/// What `candidates` say of themselves that outputs do not carry.
fn losses(candidates: &[Candidate], options: &SourceOptions) -> Losses {
    let mut losses = Losses::default();
    schemas(candidates).into_iter().for_each(|schema| losses.join(Losses::of(schema, options)));
    losses.count_attrs(candidates.iter().filter(|candidate| candidate.footer.has_attrs).count());
    losses
}

/// The inputs that `candidates` make, which are in the order of their units: where the panel's columns stand in each.
pub(super) fn inputs(
    candidates: Vec<Candidate>,
    columns: &[Column],
    key: &[usize],
    options: &SourceOptions,
) -> Vec<Input> {
    let decided: HashSet<String> = options.casts.iter().map(|cast| options.name_of(&cast.column)).collect();
    let target = |column: &Column| Target {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        is_decided: decided.contains(&column.name),
    };
    let targets: Arc<[Target]> = columns.iter().map(target).collect();
    let by_name: HashMap<&str, u32> =
        columns.iter().enumerate().map(|(column, known)| (known.name.as_str(), column as u32)).collect();
    let mut layouts: HashMap<*const FileSchema, (Arc<Layout>, u64)> = HashMap::new();
    let mut inputs: Vec<Input> = Vec::with_capacity(candidates.len());
    for Candidate { unit, path, stamp, footer, .. } in candidates {
        let (layout, row_bits) = layouts.entry(Arc::as_ptr(&footer.schema)).or_insert_with(|| {
            let values = &footer.schema.values;
            let slot = |(slot, value): (usize, &Value)| Some((*by_name.get(value.name.as_str())?, slot as u32));
            let mut slots: Vec<(u32, u32)> = values.iter().enumerate().filter_map(slot).collect();
            slots.sort_unstable();
            let taken = slots.iter().map(|&(column, slot)| (&columns[column as usize], &values[slot as usize]));
            let row_bits = taken.map(|(column, value)| 1 + bits(&column.data_type).max(bits(&value.raw))).sum();
            let layout =
                Layout { schema: Arc::clone(&footer.schema), slots, targets: Arc::clone(&targets), key: key.into() };
            (Arc::new(layout), row_bits)
        });
        let Stamp { byte_len, modified_ns } = stamp;
        let row_count = footer.row_count;
        let decoded_len = row_count.saturating_mul(*row_bits).div_ceil(8).saturating_add(footer.text_len);
        let file = InputFile { path, byte_len, modified_ns, row_count, layout: Arc::clone(layout) };
        match inputs.last_mut().filter(|input| input.unit == unit) {
            Some(input) => {
                input.row_count = input.row_count.saturating_add(row_count);
                input.decoded_len = input.decoded_len.saturating_add(decoded_len);
                input.files.push(file);
            }
            None => inputs.push(Input { unit, files: vec![file], row_count, decoded_len }),
        }
    }
    inputs
}

/// `candidates` without those of units that have a file among `bad`, which are told of among `skipped`.
fn leave_out(
    candidates: Vec<Candidate>,
    bad: &[(String, PathBuf)],
    files_by: FilesBy,
    skipped: &mut Vec<Skipped>,
) -> Vec<Candidate> {
    let mut others: HashMap<&str, &Path> = HashMap::new();
    for (unit, path) in bad {
        others.entry(unit).or_insert(path);
    }
    let (whole, torn): (Vec<Candidate>, Vec<Candidate>) =
        candidates.into_iter().partition(|candidate| !others.contains_key(candidate.unit.as_str()));
    for candidate in torn {
        let other = others.get(candidate.unit.as_str()).map_or_else(String::new, |path| shown(path.as_os_str()));
        skipped.push(skip(&candidate.path, beside_unusable(files_by, &other)));
    }
    whole
}

/// Bits of one value, validity and the bytes of texts aside.
fn bits(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Null => 0,
        DataType::Boolean => 1,
        DataType::Utf8 | DataType::Binary => 32,
        DataType::LargeUtf8 | DataType::LargeBinary => 64,
        DataType::Utf8View | DataType::BinaryView => 128,
        DataType::Dictionary(..) => 64,
        other => other.primitive_width().unwrap_or(16) as u64 * 8,
    }
}
