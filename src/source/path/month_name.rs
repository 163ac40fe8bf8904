//! Months by their names, in the languages in which people name files.

/// The names of each month; of a longer one, what begins it with three letters at least is a name, too.
const NAMES: [&[&str]; 12] = [
    &["january", "januar", "janvier", "enero", "gennaio", "janeiro", "ene", "gen"],
    &["february", "februar", "février", "fevrier", "febrero", "febbraio", "fevereiro"],
    &["march", "märz", "maerz", "mars", "marzo", "março", "marco", "mrz"],
    &["april", "avril", "abril", "aprile"],
    &["may", "mai", "mayo", "maggio", "maio"],
    &["june", "juni", "juin", "junio", "giugno", "junho"],
    &["july", "juli", "juillet", "julio", "luglio", "julho"],
    &["august", "août", "aout", "agosto"],
    &["september", "septembre", "septiembre", "settembre", "setembro"],
    &["october", "oktober", "octobre", "octubre", "ottobre", "outubro"],
    &["november", "novembre", "noviembre", "novembro"],
    &["december", "dezember", "décembre", "decembre", "diciembre", "dicembre", "dezembro"],
];

/// The number of the month that `text` names.
pub(super) fn month_named(text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    let begins = |name: &&str| text.chars().count() >= 3 && name.starts_with(&text);
    let of = |names: &[&str]| names.iter().any(begins);
    let mut found = (1..).zip(NAMES).filter(|(_, names)| of(names)).map(|(number, _)| number);
    // What begins the names of two months, as `jui` does, is none.
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_known_by_their_names() {
        for (text, month) in [
            ("Jan", Some(1)),
            ("january", Some(1)),
            ("JAN", Some(1)),
            ("Mär", Some(3)),
            ("märz", Some(3)),
            ("Mrz", Some(3)),
            ("févr", Some(2)),
            ("août", Some(8)),
            ("Sept", Some(9)),
            ("Dez", Some(12)),
            ("dic", Some(12)),
            ("jui", None),
            ("ju", None),
            ("mara", None),
            ("", None),
            ("AAPL", None),
        ] {
            assert_eq!(month_named(text), month, "{text}");
        }
    }
}
