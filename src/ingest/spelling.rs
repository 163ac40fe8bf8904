//! Decides how a panel spells its dates: as most of its files do, or as a user decided. An update keeps what the store
//! has.

use std::collections::BTreeMap;
use std::path::Path;

use super::gather::intake::Read;
use crate::error::{Error, Result};
use crate::key::Date;
use crate::panel::{DateForm, PanelSchema, Spelling};
use crate::remedy::{Remedy, Setting};
use crate::source::{FileOutcome, Survey};
use crate::store::Store;

/// The form of the dates of a new panel, which has these dates: that of most files, date32 where two forms have as
/// many. Under a cast the type is the user's, and the spelling of a text that of most files that spell one.
pub(super) fn date_form(survey: &Survey, read: &[Read], dates: impl IntoIterator<Item = Date>) -> DateForm {
    let cast = survey.date_cast();
    let cast_to = |form: &DateForm| cast.map_or_else(|| form.clone(), |data_type| form.cast_to(data_type));
    let common = cast_to(&DateForm::COMMON);
    let files = || read.iter().flat_map(|read| &read.files);
    let forms = files().filter_map(|file| match &file.date_form {
        // What is no text says nothing of how a text is spelt.
        Some(form) if common.spelling != Spelling::Day && cast.is_some() && form.spelling == Spelling::Day => None,
        form => form.as_ref().map(cast_to),
    });
    let form = usual(forms).unwrap_or_else(|| common.clone());
    // A form holds the dates of files that have it; those of others, such as of a year with two digits, it may not.
    let has_all = |file: &FileOutcome| match &file.date_form {
        Some(other) => *other == form,
        None => file.other_form.is_none(),
    };
    if files().all(has_all) || dates.into_iter().all(|date| form.holds(date)) { form } else { common }
}

/// `panel` with dates in text spelt as most of the files that were `read` spell them, where a user casts to text what was
/// none in the source `before`.
pub(super) fn recast(mut panel: PanelSchema, read: &[Read], before: &Store) -> Result<PanelSchema> {
    let is_text = |form: &DateForm| form.spelling != Spelling::Day && !form.data_type.is_integer();
    let then = &before.schema()?.date_form;
    if is_text(then) || !is_text(&panel.date_form) {
        return Ok(panel);
    }
    let forms = || read.iter().flat_map(|read| &read.files).map(|file| &file.date_form);
    let texts = forms().flatten().filter(|form| is_text(form));
    let Some(form) = usual(texts.map(|form| form.cast_to(&panel.date_form.data_type))) else { return Ok(panel) };
    // One of a user's own may not hold the dates of files that spell them otherwise.
    let is_of_all = || forms().all(|own| own.as_ref().is_some_and(|own| own.spelling == form.spelling));
    if !matches!(form.spelling, Spelling::Custom(_)) || is_of_all() {
        panel.date_form = form;
    }
    Ok(panel)
}

/// Refuses a type of dates that cannot hold those which the source has.
pub(super) fn check_dates(before: &Store, form: &DateForm) -> Result<()> {
    let Some(date) = form.first_without(before.dates()?) else { return Ok(()) };
    let why = format!("of the dates to {form}: the store's date {date} has no place in it");
    Err(Error::invalid(Setting::Cast(Vec::new()), why, [Remedy::Do("choose another type".to_owned())]))
}

/// The form that most have; `None` where there is none or two have as many. Texts of one spelling count together, of
/// the kind of text that most of them have.
fn usual(forms: impl Iterator<Item = DateForm>) -> Option<DateForm> {
    let mut counts: BTreeMap<String, (usize, DateForm)> = BTreeMap::new();
    for form in forms {
        counts.entry(form.to_string()).or_insert((0, form)).0 += 1;
    }
    let mut alike: BTreeMap<String, (usize, usize, DateForm)> = BTreeMap::new();
    for (count, form) in counts.into_values() {
        let key = form.spelt();
        let (sum, most, kept) = alike.entry(key).or_insert((0, 0, form.clone()));
        *sum += count;
        if count > *most {
            (*most, *kept) = (count, form);
        }
    }
    let most = alike.values().map(|(sum, ..)| *sum).max()?;
    let mut winners = alike.into_values().filter(|(sum, ..)| *sum == most);
    let (_, _, winner) = winners.next()?;
    winners.next().is_none().then_some(winner)
}

/// What to tell where some files do not spell dates as the panel does, of which all are `read` where it is `new`.
pub(super) fn date_note(survey: &Survey, read: &[Read], panel: &DateForm, new: bool) -> Option<String> {
    let mut others: BTreeMap<String, (usize, &Path)> = BTreeMap::new();
    let mut is_of_some = false;
    for (file, input) in read.iter().flat_map(|read| read.files.iter().zip(&survey.inputs[read.input].files)) {
        let form = match (&file.date_form, &file.other_form) {
            (Some(form), _) if form.spelt() == panel.spelt() => {
                is_of_some = true;
                continue;
            }
            (Some(form), _) => form.to_string(),
            (None, Some(other)) => other.clone(),
            (None, None) => continue,
        };
        others.entry(form).or_insert((0, &input.path)).0 += 1;
    }
    let example =
        |(form, (count, path)): (&String, &(usize, &Path))| format!("{form} in {count} such as {}", path.display());
    // A user who decided on a type knows that files have others; a column that the key keeps comes out as it is.
    let is_meant = || survey.date_cast().is_some() || survey.keeps_file_dates();
    (!others.is_empty() && !is_meant()).then(|| {
        let others: Vec<String> = others.iter().map(example).collect();
        let who = if new && !is_of_some { "all" } else { "some" };
        format!("dates are {panel}, and {who} files spell them otherwise ({})", others.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;

    fn form(data_type: DataType, spelling: Spelling) -> DateForm {
        DateForm { data_type, spelling }
    }

    #[test]
    fn most_files_decide_and_a_tie_does_not() {
        let digits = form(DataType::Utf8, Spelling::Digits);
        let large = form(DataType::LargeUtf8, Spelling::Digits);
        let dashes = form(DataType::Utf8, Spelling::Dashes);
        let day = form(DataType::Date32, Spelling::Day);
        let of = |forms: &[&DateForm]| usual(forms.iter().map(|form| (*form).clone()));
        assert_eq!(of(&[&digits, &dashes, &digits]), Some(digits.clone()));
        assert_eq!(of(&[&digits, &dashes]), None);
        assert_eq!(of(&[]), None);
        // Kinds of text are one spelling: two against two would be a tie.
        assert_eq!(of(&[&day, &large, &digits, &large, &day]), Some(large.clone()));
    }
}
