//! An input that is left out, and such inputs grouped by their reasons.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Serialize, Serializer};

use crate::reason::{Kind, Reason};
use crate::remedy::{Remedy, Setting, sentence};

/// Columns with one kind of reason and the same ways out are told apart where they are no more than these.
pub(crate) const FEW_COLUMNS: usize = 3;

/// An input that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The source that it is of, where it is told of one of several.
    pub source: Option<String>,
    /// Its path relative to the source directory; control characters and bytes that are not UTF-8 are escaped.
    pub path: String,
    /// Why it is left out.
    pub reason: Reason,
}

impl Skipped {
    /// An input at `path` that is left out.
    pub(crate) fn new(path: impl Into<String>, reason: Reason) -> Skipped {
        Skipped { source: None, path: path.into(), reason }
    }

    /// Says that it is of the source `name`, and that ways out are for that one.
    pub(crate) fn be_of_source(&mut self, name: &str) {
        self.source = Some(name.to_owned());
        self.reason.be_of_source(name);
    }

    /// `A.parquet`, `prices: A.parquet`.
    fn named(&self) -> String {
        self.source.iter().chain([&self.path]).map(String::as_str).collect::<Vec<_>>().join(": ")
    }
}

/// Skipped inputs as plans and receipts have them, with all that a reason says.
pub(crate) mod in_full {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Reason, Skipped};

    pub(crate) fn serialize<S: Serializer>(all: &[Skipped], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().map(|one| (&one.path, &one.reason)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Skipped>, D::Error> {
        let all = Vec::<(String, Reason)>::deserialize(deserializer)?;
        Ok(all.into_iter().map(|(path, reason)| Skipped::new(path, reason)).collect())
    }
}

impl Serialize for Skipped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            source: &'a Option<String>,
            path: &'a str,
            kind: Kind,
            reason: &'a str,
            remedies: &'a [Remedy],
        }
        let Skipped { source, path, reason } = self;
        Told { source, path, kind: reason.kind(), reason: reason.what(), remedies: reason.remedies() }
            .serialize(serializer)
    }
}

/// Inputs with one kind of reason, told together.
#[derive(Debug)]
pub struct Group<'a> {
    /// How many there are.
    pub count: u64,
    /// The first.
    pub example: &'a Skipped,
    /// The ways out for all of them.
    pub remedies: Vec<Remedy>,
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(f, &self.what(), &self.remedies)
    }
}

impl Group<'_> {
    /// `a.parquet: has zero bytes`, `3 inputs, such as a.parquet: has zero bytes`; without the ways out.
    pub fn what(&self) -> String {
        let (path, what) = (self.example.named(), self.example.reason.what());
        match self.count {
            1 => format!("{path}: {what}"),
            count => format!("{count} inputs, such as {path}: {what}"),
        }
    }

    /// Takes in another input: a figure must be enough for all.
    fn add(&mut self, other: &Reason) {
        self.count += 1;
        for (ours, theirs) in self.remedies.iter_mut().zip(other.remedies()) {
            if let (Remedy::Set { settings: ours, .. }, Remedy::Set { settings: theirs, .. }) = (ours, theirs)
                && let ([Setting::Memory(most)], [Setting::Memory(bytes)]) = (&mut ours[..], &theirs[..])
            {
                *most = (*most).max(*bytes);
            }
        }
    }
}

/// `skipped` by kind of reason, way out and column, unless the columns are many; the most usual first.
pub fn grouped(skipped: &[Skipped]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    let facts: Vec<_> = skipped.iter().map(|one| one.reason.facts()).collect();
    let mut columns: HashMap<_, HashSet<&str>> = HashMap::new();
    for (alike, column) in &facts {
        columns.entry(alike).or_default().extend(*column);
    }
    let mut known = HashMap::new();
    for (example, (alike, column)) in skipped.iter().zip(&facts) {
        let reason = &example.reason;
        // Where nothing helps, such as against damage, the column is what there is to tell.
        let column = column.filter(|_| reason.remedies().is_empty() || columns[alike].len() <= FEW_COLUMNS);
        let at = *known.entry((alike, column)).or_insert_with(|| {
            groups.push(Group { count: 0, example, remedies: reason.remedies().to_vec() });
            groups.len() - 1
        });
        groups[at].add(reason);
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

/// The usual reasons of `skipped`, of which a message names a few, each as `tell` says it.
pub fn usual(skipped: &[Skipped], tell: impl Fn(&Group) -> String) -> String {
    const NAMED: usize = 3;
    let groups = grouped(skipped);
    let mut told: Vec<String> = groups.iter().take(NAMED).map(tell).collect();
    if groups.len() > NAMED {
        told.push(format!("and {} more reasons", groups.len() - NAMED));
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(path: &str, reason: Reason) -> Skipped {
        Skipped::new(path, reason)
    }

    #[test]
    fn reasons_of_one_kind_are_told_once_whatever_their_rows_and_values() {
        let time = |row, time| {
            Reason::new(Kind::TimeOfDay, format!("row {row} of \"date\": 2024-01-0{row}T{time} has a time of day"))
        };
        let types = |column| Reason::new(Kind::TypesDiffer, format!("its column {column:?} is Utf8")).of_column(column);
        let all = [
            skipped("Z", Reason::new(Kind::ZeroBytes, "has zero bytes")),
            skipped("A", time(1, "09:30:00")),
            skipped("B", time(2, "15:00:00")),
            skipped("C", types("x")),
            skipped("D", types("y")),
        ];
        let told: Vec<String> = grouped(&all).iter().map(Group::what).collect();
        assert_eq!(
            told,
            [
                "2 inputs, such as A: row 1 of \"date\": 2024-01-01T09:30:00 has a time of day",
                "Z: has zero bytes",
                "C: its column \"x\" is Utf8",
                "D: its column \"y\" is Utf8",
            ]
        );
    }

    #[test]
    fn one_figure_is_enough_for_all_files_of_a_group() {
        let large =
            |bytes| Reason::new(Kind::TooLarge, "is large").or(Remedy::set(Setting::Memory(bytes), "allows it"));
        let all = [skipped("A", large(82)), skipped("B", large(83)), skipped("C", large(81))];
        let groups = grouped(&all);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].remedies, [Remedy::set(Setting::Memory(83), "allows it")]);
    }

    #[test]
    fn one_of_a_source_says_which() {
        let mut one = skipped("A.parquet", Reason::new(Kind::ZeroBytes, "has zero bytes"));
        one.be_of_source("prices");
        assert_eq!(grouped(&[one.clone()])[0].what(), "prices: A.parquet: has zero bytes");
        let json = serde_json::to_string(&one).unwrap();
        assert!(json.starts_with(r#"{"source":"prices","path":"A.parquet","kind":"#), "{json}");
    }

    #[test]
    fn json_has_the_kind_and_the_ways_out() {
        let reason = Reason::new(Kind::ZeroBytes, "has zero bytes").or(Remedy::Do("write it anew".to_owned()));
        let json = serde_json::to_string(&skipped("a.parquet", reason)).unwrap();
        assert_eq!(
            json,
            r#"{"path":"a.parquet","kind":"zero-bytes","reason":"has zero bytes","remedies":[{"do":"write it anew"}]}"#
        );
    }
}
