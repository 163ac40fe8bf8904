//! Which codes of the files stand for which codes of the panel, and on which dates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::path::naming::absolute;
use crate::key::Date;

/// Which codes of the files stand for which codes of the panel, and on which dates. All others stand for themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Listed", into = "Listed")]
pub struct CodeMap {
    /// The file that has it.
    path: String,
    /// By code of the files, as the file was last read; those of a code by date, and none for a date of another.
    entries: Arc<Entries>,
}

type Entries = BTreeMap<String, Vec<Entry>>;

/// What a code stands for on some dates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The first date and the last one, where there are such.
    pub(super) from: Option<Date>,
    pub(super) until: Option<Date>,
    pub(super) to: String,
}

/// A code map as a store keeps it: each entry as from, to, the first date and the last one.
#[derive(Serialize, Deserialize)]
struct Listed {
    path: String,
    entries: Vec<(String, String, Option<Date>, Option<Date>)>,
}

/// What two maps make different.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// The codes of the panel of which some rows may come or go.
    codes: BTreeSet<String>,
    /// Where they may, as the first date and the last one.
    spans: Vec<(Option<Date>, Option<Date>)>,
}

impl Entry {
    fn has(&self, day: i32) -> bool {
        self.from.is_none_or(|from| from.days() <= day) && self.until.is_none_or(|until| day <= until.days())
    }

    /// Whether there is a date that both are for; `other` begins no earlier.
    pub(super) fn reaches(&self, other: &Entry) -> bool {
        self.until.is_none_or(|until| other.from.is_none_or(|from| from <= until))
    }

    /// Adds the dates of `other`, which begins no earlier.
    pub(super) fn extend(&mut self, other: &Entry) {
        self.until = self.until.zip(other.until).map(|(until, later)| until.max(later));
    }
}

impl CodeMap {
    /// That of the file at `path`, which is not read yet.
    pub fn at(path: &str) -> CodeMap {
        CodeMap { path: absolute(path), entries: Arc::default() }
    }

    /// The same with these entries.
    pub(super) fn with(self, entries: Entries) -> CodeMap {
        CodeMap { entries: Arc::new(entries), ..self }
    }

    /// The file that has it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it names the code `from` of the files.
    pub(super) fn names(&self, from: &str) -> bool {
        self.entries.contains_key(from)
    }

    /// The code of the panel that rows of this day have whose code in the files is `from`.
    pub(super) fn code_on<'m>(&'m self, from: &'m str, day: i32) -> &'m str {
        let entries = self.entries.get(from).map_or(&[][..], Vec::as_slice);
        let begun = entries.partition_point(|entry| entry.from.is_none_or(|from| from.days() <= day));
        let last = begun.checked_sub(1).map(|last| &entries[last]);
        last.filter(|entry| entry.has(day)).map_or(from, |entry| &entry.to)
    }

    /// What the panel has on this day in the place of `code`, where no code stands for that one.
    pub(super) fn other_code_of(&self, code: &str, day: i32) -> Option<&str> {
        let entries = self.entries.get(code)?;
        let other = entries.iter().find(|entry| entry.to != code && entry.has(day))?;
        let is_given = self.entries.values().flatten().any(|entry| entry.to == code && entry.has(day));
        (!is_given).then_some(&other.to)
    }

    /// The codes of the panel that rows may have whose code in the files is `from`, ascending.
    pub(super) fn codes_of(&self, from: &str) -> BTreeSet<String> {
        let entries = self.entries.get(from).map_or(&[][..], Vec::as_slice);
        let is_always = entries.iter().any(|entry| entry.from.is_none() && entry.until.is_none());
        let own = (!is_always).then(|| from.to_owned());
        entries.iter().map(|entry| entry.to.clone()).chain(own).collect()
    }
}

impl Touched {
    /// What is different where codes were mapped by `then`, and are by `now`.
    pub(crate) fn new(then: Option<&CodeMap>, now: Option<&CodeMap>) -> Touched {
        let mut touched = Touched::default();
        let codes_of = |map: Option<&CodeMap>, from: &str| {
            map.map_or_else(|| BTreeSet::from([from.to_owned()]), |map| map.codes_of(from))
        };
        let entries = |map: Option<&'_ CodeMap>, from: &str| -> Vec<Entry> {
            map.and_then(|map| map.entries.get(from)).cloned().unwrap_or_default()
        };
        let names = [then, now].into_iter().flatten().flat_map(|map| map.entries.keys());
        for from in names.collect::<BTreeSet<&String>>() {
            let (before, after) = (entries(then, from), entries(now, from));
            if before == after {
                continue;
            }
            touched.codes.extend(codes_of(then, from));
            touched.codes.extend(codes_of(now, from));
            let changed = before.iter().filter(|entry| !after.contains(entry));
            let changed = changed.chain(after.iter().filter(|entry| !before.contains(entry)));
            touched.spans.extend(changed.map(|entry| (entry.from, entry.until)));
        }
        touched
    }

    /// Whether there is no difference.
    pub(crate) fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Whether rows of the panel's code `code` may come or go.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.codes.contains(code)
    }

    /// Whether rows from `first` to `last` may get another code.
    pub(crate) fn has_dates(&self, first: Date, last: Date) -> bool {
        let meets = |(from, until): &(Option<Date>, Option<Date>)| {
            from.is_none_or(|from| from <= last) && until.is_none_or(|until| first <= until)
        };
        self.spans.iter().any(meets)
    }
}

impl From<Listed> for CodeMap {
    fn from(Listed { path, entries: listed }: Listed) -> CodeMap {
        let mut entries = Entries::new();
        for (code, to, from, until) in listed {
            entries.entry(code).or_default().push(Entry { from, until, to });
        }
        CodeMap { path, entries: Arc::new(entries) }
    }
}

impl From<CodeMap> for Listed {
    fn from(map: CodeMap) -> Listed {
        let of = |(code, entries): (&String, &Vec<Entry>)| {
            let listed = entries.iter().map(|entry| (code.clone(), entry.to.clone(), entry.from, entry.until));
            listed.collect::<Vec<_>>()
        };
        Listed { path: map.path, entries: map.entries.iter().flat_map(of).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str, Option<&str>, Option<&str>)]) -> CodeMap {
        let date = |text: &Option<&str>| text.map(|text| text.parse().unwrap());
        let mut all = Entries::new();
        for (code, to, from, until) in entries {
            let entry = Entry { from: date(from), until: date(until), to: (*to).to_owned() };
            all.entry((*code).to_owned()).or_default().push(entry);
        }
        CodeMap::at("/map.csv").with(all)
    }

    fn day(text: &str) -> i32 {
        text.parse::<Date>().unwrap().days()
    }

    #[test]
    fn a_code_stands_for_another_on_the_dates_of_its_entries() {
        let map = map(&[("GM", "MTLQQ", None, Some("20090601")), ("FB", "META", None, None)]);
        assert_eq!(map.code_on("GM", day("20090601")), "MTLQQ");
        assert_eq!(map.code_on("GM", day("20090602")), "GM");
        assert_eq!((map.code_on("FB", 0), map.code_on("A", 0)), ("META", "A"));
        assert_eq!(map.codes_of("GM").into_iter().collect::<Vec<_>>(), ["GM", "MTLQQ"]);
        assert_eq!(map.codes_of("FB").into_iter().collect::<Vec<_>>(), ["META"]);
        assert_eq!(map.codes_of("A").into_iter().collect::<Vec<_>>(), ["A"]);
    }

    #[test]
    fn a_change_touches_the_codes_and_dates_of_the_entries_that_differ() {
        let then = map(&[("FB", "META", None, None), ("GM", "MTLQQ", None, Some("20090601"))]);
        let now = map(&[("FB", "META", None, None), ("GM", "MTLQQ", None, Some("20090602"))]);
        assert!(Touched::new(Some(&then), Some(&then)).is_empty());
        let touched = Touched::new(Some(&then), Some(&now));
        assert!(touched.has_code("GM") && touched.has_code("MTLQQ") && !touched.has_code("META"));
        let date = |text: &str| text.parse::<Date>().unwrap();
        assert!(touched.has_dates(date("20090501"), date("20090531")));
        assert!(!touched.has_dates(date("20090603"), date("20090603")));
        let touched = Touched::new(None, Some(&now));
        assert!(touched.has_code("FB") && touched.has_code("META"));
    }

    #[test]
    fn a_store_keeps_it_as_a_list() {
        let map = map(&[("GM", "MTLQQ", None, Some("20090601"))]);
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(text, r#"{"path":"/map.csv","entries":[["GM","MTLQQ",null,"20090601"]]}"#);
        assert_eq!(serde_json::from_str::<CodeMap>(&text).unwrap(), map);
    }
}
