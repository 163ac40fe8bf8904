//! What other options of a source make of the columns that it has, and whether its files must be read again for them.

use super::options::SourceOptions;

/// What becomes of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// It keeps its name, or gets this one.
    Named(String),
    /// It is no longer wanted.
    Gone,
}

impl SourceOptions {
    /// What the column `name`, which these options gave it, becomes under `other` ones; and whether only its files can tell:
    /// some may call it as it was renamed, and are no longer to be taken together with the others.
    pub(crate) fn column_under(&self, other: &SourceOptions, name: &str) -> (Becomes, bool) {
        let under = |own: &str| match other.wants(own) {
            true => Becomes::Named(other.name_of(own)),
            false => Becomes::Gone,
        };
        let becomes = under(&self.file_name(name));
        let is_torn = self.other_file_name(name).is_some_and(|own| under(&own) != becomes);
        (becomes, is_torn)
    }

    /// What files may call the panel's column `name`, too, where another of their columns gets that name.
    fn other_file_name(&self, name: &str) -> Option<String> {
        let renamed = self.renames.iter().find(|rename| rename.to == name)?;
        let own = name.strip_prefix(&self.prefix)?;
        let is_other = own != renamed.from && self.renames.iter().all(|rename| rename.from != own);
        (is_other && self.wants(own)).then(|| own.to_owned())
    }

    /// What the files call the panel's column `name`.
    pub(crate) fn file_name(&self, name: &str) -> String {
        let renamed = self.renames.iter().find(|rename| rename.to == name);
        let is_key = self.key.iter().any(|key| key == name);
        match renamed {
            Some(rename) => rename.from.clone(),
            None if is_key => name.to_owned(),
            None => name.strip_prefix(&self.prefix).unwrap_or(name).to_owned(),
        }
    }

    /// What the key calls the files' column `name`, if that is part of it.
    pub(super) fn key_of(&self, name: &str) -> Option<&String> {
        self.key.iter().find(|key| self.file_name(key) == name)
    }

    /// Whether files give the same values under `other` options: no more than names differ, columns that go, and files
    /// that are left out.
    pub(crate) fn reads_as(&self, other: &SourceOptions) -> bool {
        let keeps_no_more = match (&self.columns, &other.columns) {
            (_, None) => self.columns.is_none(),
            (None, Some(_)) => true,
            (Some(then), Some(now)) => now.iter().all(|name| then.contains(name)),
        };
        let as_before = SourceOptions {
            ignore: self.ignore.clone(),
            columns: self.columns.clone(),
            exclude: self.exclude.clone(),
            renames: self.renames.clone(),
            prefix: self.prefix.clone(),
            // Files that another code map touches are looked for one by one.
            code_map: self.code_map.clone(),
            // What another calendar says is known once that is read.
            calendar: if other.calendar.is_some() { self.calendar.clone() } else { None },
            ..other.clone()
        };
        as_before == *self
            && keeps_no_more
            && self.exclude.iter().all(|name| other.excludes(name))
            && self.key.iter().all(|name| self.file_name(name) == other.file_name(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(change: impl FnOnce(&mut SourceOptions)) -> SourceOptions {
        let mut options = SourceOptions::default();
        change(&mut options);
        options
    }

    #[test]
    fn a_column_gets_another_name_or_goes() {
        let old = options(|o| {
            o.prefix = "v_".to_owned();
            o.renames = vec!["amount=flow".parse().unwrap()];
        });
        let named = |name: &str| (Becomes::Named(name.to_owned()), false);
        let gone = (Becomes::Gone, false);
        assert_eq!((old.file_name("v_close"), old.file_name("flow")), ("close".to_owned(), "amount".to_owned()));
        let bare = options(|o| o.exclude = vec!["close".to_owned()]);
        assert_eq!(old.column_under(&bare, "v_close"), gone);
        assert_eq!(old.column_under(&bare, "flow"), named("amount"));
        assert_eq!(old.column_under(&old, "v_close"), named("v_close"));
        let few = options(|o| o.columns = Some(vec!["amount".to_owned()]));
        assert_eq!((old.column_under(&few, "v_close"), old.column_under(&few, "flow")), (gone, named("amount")));
    }

    #[test]
    fn only_files_tell_who_called_a_column_as_others_were_renamed() {
        let old = options(|o| o.renames = vec!["vol=volume".parse().unwrap()]);
        let named = |name: &str| Becomes::Named(name.to_owned());
        let plain = SourceOptions::default();
        assert_eq!(old.column_under(&plain, "volume"), (named("vol"), true));
        assert_eq!(old.column_under(&plain, "close"), (named("close"), false));
        let more = options(|o| o.renames = vec!["vol=volume".parse().unwrap(), "a=b".parse().unwrap()]);
        assert_eq!(old.column_under(&more, "volume"), (named("volume"), false));
        let bare = options(|o| o.exclude = vec!["vol".to_owned()]);
        assert_eq!(old.column_under(&bare, "volume"), (Becomes::Gone, true));
    }

    #[test]
    fn files_are_read_again_where_options_change_more_than_names() {
        let plain = SourceOptions::default();
        let excluding = |names: &[&str]| options(|o| o.exclude = names.iter().map(|n| (*n).to_owned()).collect());
        let choosing = |names: &[&str]| options(|o| o.columns = Some(names.iter().map(|n| (*n).to_owned()).collect()));
        for other in [
            options(|o| o.prefix = "x_".to_owned()),
            options(|o| o.renames = vec!["a=b".parse().unwrap()]),
            options(|o| o.ignore = vec!["_*".parse().unwrap()]),
            excluding(&["a"]),
            choosing(&["a"]),
        ] {
            assert!(plain.reads_as(&other), "{other:?}");
        }
        assert!(!excluding(&["a", "b"]).reads_as(&excluding(&["a"])));
        assert!(!choosing(&["a"]).reads_as(&plain) && !choosing(&["a"]).reads_as(&choosing(&["a", "b"])));
        assert!(choosing(&["a", "b"]).reads_as(&choosing(&["b"])));
        assert!(!plain.reads_as(&options(|o| o.date_format = Some("%d.%m.%Y".to_owned()))));
        let trading = |calendar: Option<&str>| options(|o| o.calendar = calendar.map(str::to_owned));
        assert!(trading(None).reads_as(&trading(Some("a"))) && trading(Some("a")).reads_as(&trading(Some("b"))));
        assert!(!trading(Some("a")).reads_as(&trading(None)));
        assert!(!plain.reads_as(&options(|o| o.roll = "20:30".parse().ok())));
        let keyed = |renames: &[&str]| {
            options(|o| {
                o.key = vec!["time".to_owned()];
                o.renames = renames.iter().map(|name| name.parse().unwrap()).collect();
            })
        };
        assert!(!keyed(&[]).reads_as(&keyed(&["bar_time=time"])));
        assert!(keyed(&[]).reads_as(&keyed(&["a=b"])));
    }
}
