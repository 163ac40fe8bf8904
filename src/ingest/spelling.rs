//! Decides how a panel spells its dates: as most of its files do, or as a user decided. An update keeps what the store
//! has.

use std::collections::BTreeMap;
use std::path::Path;

use super::gather::intake::Read;
use crate::key::Date;
use crate::panel::{DateForm, Spelling};
use crate::source::{FileOutcome, Survey};

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
        None => !file.is_mixed,
    };
    if files().all(has_all) || dates.into_iter().all(|date| form.holds(date)) { form } else { common }
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

/// What to tell where some files do not spell dates as the panel does.
pub(super) fn date_note(survey: &Survey, read: &[Read], panel: &DateForm) -> Option<String> {
    let mut others: BTreeMap<String, (usize, &Path)> = BTreeMap::new();
    for (file, input) in read.iter().flat_map(|read| read.files.iter().zip(&survey.inputs[read.input].files)) {
        let form = match &file.date_form {
            None if !file.is_mixed => continue,
            Some(form) if form.spelt() == panel.spelt() => continue,
            Some(form) => form.to_string(),
            None => "several ways at once".to_owned(),
        };
        others.entry(form).or_insert((0, &input.path)).0 += 1;
    }
    let example =
        |(form, (count, path)): (&String, &(usize, &Path))| format!("{form} in {count} such as {}", path.display());
    // A user who decided on a type knows that files have others.
    (!others.is_empty() && survey.date_cast().is_none()).then(|| {
        let others: Vec<String> = others.iter().map(example).collect();
        format!("dates are {panel}, and some files spell them otherwise ({})", others.join(", "))
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
