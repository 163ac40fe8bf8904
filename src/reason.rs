//! Why an input is left out: what kind of reason it is, what is wrong in a sentence, and the ways out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::remedy::{Remedy, Setting, sentence, shortened};

/// Bytes of a reason, of the column that it is about, and of a way out, at most.
const LONGEST: usize = 2000;

/// Why an input is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    kind: Kind,
    /// On one line.
    what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remedies: Vec<Remedy>,
}

/// What is wrong with an input, whatever its rows, values and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// It has zero bytes.
    ZeroBytes,
    /// It has no rows.
    NoRows,
    /// It is encrypted.
    Encrypted,
    /// It is cut off.
    Truncated,
    /// It is not of the format that its source has.
    #[serde(alias = "not-parquet")]
    OtherFormat,
    /// It is a directory.
    Directory,
    /// It is a device, a pipe or a socket.
    NotAFile,
    /// It changed while it was looked at.
    Changed,
    /// Its bytes contradict themselves or cannot be decoded.
    Damaged,
    /// It would take more memory than there is.
    TooLarge,
    /// Its name, or a row, gives no code.
    NoCode,
    /// Another file has its code.
    SharedCode,
    /// Another file of its stock is gone or cannot be used.
    OtherFile,
    /// Its own codes are not that of its name.
    OtherCode,
    /// Its column of codes is no text.
    CodeType,
    /// No column is known to hold its dates.
    NoDateColumn,
    /// Several columns may hold its dates.
    SeveralDateColumns,
    /// Its dates have a time of day.
    TimeOfDay,
    /// The zone of its times is unknown.
    UnknownZone,
    /// Its date column is of a type that is no date.
    DateType,
    /// A date cannot be read, or not be held.
    BadDate,
    /// Its rows, or its name, are of other dates.
    OtherDate,
    /// A row has no value in a further key column.
    NoKey,
    /// It has differing rows of one key.
    DifferingRows,
    /// Two of its columns have one name.
    TwinColumns,
    /// A column is of a type that a panel cannot hold.
    ColumnType,
    /// A column's type does not meet that of the other files.
    TypesDiffer,
    /// A value is not exact in the column's type.
    InexactValue,
    /// Its columns are not those of the store.
    OtherColumns,
    /// The system cannot open or read it.
    Unreadable,
    /// Something else.
    #[serde(other)]
    Other,
}

impl Kind {
    /// Whether it may be so only because of what other files make of a column.
    pub(crate) fn is_of_types(self) -> bool {
        matches!(self, Kind::InexactValue | Kind::TypesDiffer | Kind::TooLarge)
    }
}

impl Reason {
    /// A reason of this kind; `what` is wrong, in words that follow the file's name.
    pub fn new(kind: Kind, what: impl AsRef<str>) -> Reason {
        // What a decoder says may have several lines, and a name a million letters.
        let lines = what.as_ref().split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
        let what = shortened(&lines.collect::<Vec<_>>().join("; "), LONGEST).into_owned();
        Reason { kind, what, column: None, remedies: Vec::new() }
    }

    /// A file whose bytes contradict themselves, by what follows `is damaged: `.
    pub(crate) fn damaged(what: impl fmt::Display) -> Reason {
        Reason::new(Kind::Damaged, format!("is damaged: {what}"))
    }

    /// A file that the decoder gives up, by what it said.
    pub(crate) fn undecodable(error: impl fmt::Display) -> Reason {
        Reason::new(Kind::Damaged, format!("is damaged or of a kind that cannot be decoded: {error}"))
    }

    /// This reason about the column `name`.
    pub(crate) fn of_column(self, name: &str) -> Reason {
        Reason { column: Some(shortened(name, LONGEST).into_owned()), ..self }
    }

    /// This reason after these words, which say where in the file it lies.
    pub(crate) fn within(self, place: fmt::Arguments) -> Reason {
        Reason { what: format!("{place}{}", self.what), ..self }
    }

    /// This reason with more to know at the end of its sentence.
    pub(crate) fn but(self, more: &str) -> Reason {
        Reason { what: format!("{}; {more}", self.what), ..self }
    }

    /// This reason without its ways out, which are for other files.
    pub(crate) fn alone(self) -> Reason {
        Reason { remedies: Vec::new(), ..self }
    }

    /// This reason with those of its ways out that `keep` holds of; with one `in_words` where none is left.
    pub(crate) fn keep_ways(self, keep: impl Fn(&Remedy) -> bool, in_words: &str) -> Reason {
        let kept: Vec<Remedy> = self.remedies.iter().filter(|remedy| keep(remedy)).cloned().collect();
        let is_lost = kept.is_empty() && !self.remedies.is_empty();
        kept.into_iter().fold(self.alone(), Reason::or).or(is_lost.then(|| Remedy::Do(in_words.to_owned())))
    }

    /// This reason with another way out.
    pub(crate) fn or(mut self, remedy: impl Into<Option<Remedy>>) -> Reason {
        let shorter = || Remedy::Do("write the file with shorter names".to_owned());
        self.remedies.extend(remedy.into().map(|remedy| match remedy.to_string().len() {
            0..=LONGEST => remedy,
            _ => shorter(),
        }));
        self
    }

    /// Makes its ways out those of the source `name`.
    pub(crate) fn be_of_source(&mut self, name: &str) {
        self.remedies.iter_mut().for_each(|remedy| remedy.be_of_source(name));
    }

    /// Makes its ways out those of any source.
    pub(crate) fn be_of_any_source(&mut self) {
        for remedy in &mut self.remedies {
            if let Remedy::Set { settings, .. } = remedy {
                settings.retain(|setting| !matches!(setting, Setting::Source(_)));
            }
        }
    }

    /// Makes ways out that have a setting of which this holds replace what is there.
    pub(crate) fn force(&mut self, replaces: impl Fn(&Setting) -> bool) {
        for remedy in &mut self.remedies {
            if let Remedy::Set { settings, .. } = remedy
                && settings.iter().any(&replaces)
            {
                settings.push(Setting::Force);
            }
        }
    }

    /// The memory that is said to help.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.remedies.iter().find_map(|remedy| match remedy {
            Remedy::Set { settings, .. } => settings.iter().find_map(|setting| match setting {
                Setting::Memory(bytes) => Some(*bytes),
                _ => None,
            }),
            _ => None,
        })
    }

    /// Makes the memory that is said to help so much at least.
    pub(crate) fn raise_memory(&mut self, least: u64) {
        for remedy in &mut self.remedies {
            let Remedy::Set { settings, .. } = remedy else { continue };
            for setting in settings {
                if let Setting::Memory(bytes) = setting {
                    *bytes = least.max(*bytes);
                }
            }
        }
    }

    /// What kind of reason it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The column that it is about, where it is about one.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// What is wrong, without the ways out.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The ways out, the best first.
    pub fn remedies(&self) -> &[Remedy] {
        &self.remedies
    }

    /// What tells it from others: its kind and what helps, figures aside; and the column that it is about.
    pub(crate) fn facts(&self) -> ((Kind, Vec<Remedy>), Option<&str>) {
        let remedies = self.remedies.iter().map(|remedy| match remedy {
            Remedy::Set { settings, effect } if matches!(settings[..], [Setting::Memory(_)]) => {
                Remedy::set(Setting::Memory(0), effect.as_str())
            }
            other => other.clone(),
        });
        ((self.kind, remedies.collect()), self.column.as_deref())
    }

    /// The text that a store keeps of it.
    pub(crate) fn stored(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| self.what.clone())
    }

    /// The reason that a store keeps as `text`. One that a newer transect wrote may be of no known form, and is still
    /// worth telling.
    pub(crate) fn from_stored(text: &str) -> Reason {
        serde_json::from_str(text).unwrap_or_else(|_| Reason::new(Kind::Other, text))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(f, &self.what, &self.remedies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_million_letters_is_cut_wherever_it_stands() {
        for letter in ["x", "é", "平"] {
            let name = letter.repeat(1 << 20);
            let reason = Reason::new(Kind::ColumnType, format!("its column {name:?} is a list"));
            let reason = reason.of_column(&name).or(Remedy::set(Setting::Exclude(vec![name]), "leaves it out"));
            assert!(reason.stored().len() < 3 * LONGEST, "{}", reason.stored().len());
            let end = format!("{}\" is a list; write the file with shorter names", letter.repeat(3));
            assert!(reason.to_string().ends_with(&end));
        }
    }

    #[test]
    fn a_reason_is_one_line() {
        let reason = Reason::new(Kind::Damaged, "Parquet error: bad\n\n  at page 3\r\n");
        assert_eq!(reason.to_string(), "Parquet error: bad; at page 3");
    }

    #[test]
    fn a_store_gives_a_reason_back_with_its_kind_and_its_ways_out() {
        let reason = Reason::new(Kind::ColumnType, "its column \"a\" is a list, which a panel cannot hold")
            .of_column("a")
            .or(Remedy::set(Setting::Exclude(vec!["a".to_owned()]), "leaves it out"));
        assert_eq!(Reason::from_stored(&reason.stored()), reason);
        assert_eq!(
            reason.stored(),
            r#"{"kind":"column-type","what":"its column \"a\" is a list, which a panel cannot hold","column":"a","remedies":[{"set":{"settings":[{"exclude":["a"]}],"effect":"leaves it out"}}]}"#
        );
        assert_eq!(Reason::from_stored("in words"), Reason::new(Kind::Other, "in words"));
        let newer = r#"{"kind":"odd","what":"is odd"}"#;
        assert_eq!(Reason::from_stored(newer), Reason::new(Kind::Other, "is odd"));
    }
}
