//! What writers note beside the values that outputs do not carry: each is told of once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::input::schema::FileSchema;
use super::options::SourceOptions;
use crate::hint::{counted, listed};

/// What files and frames say of themselves that outputs do not carry.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Losses {
    /// By what is lost, the columns.
    columns: BTreeMap<String, BTreeSet<String>>,
    /// Files with attributes of pandas.
    with_attrs: usize,
}

impl Losses {
    /// Those of files of this schema.
    pub(super) fn of(schema: &FileSchema, options: &SourceOptions) -> Losses {
        let mut losses = Losses::default();
        let taken: HashSet<&str> = schema.values.iter().map(|value| value.name.as_str()).collect();
        for column in &schema.columns {
            if let Some(loss) = column.loss.as_ref().filter(|_| taken.contains(options.name_of(&column.name).as_str()))
            {
                losses.columns.entry(loss.clone()).or_default().insert(column.name.clone());
            }
        }
        losses
    }

    /// Adds files with attributes of pandas.
    pub(super) fn count_attrs(&mut self, files: usize) {
        self.with_attrs += files;
    }

    /// Adds those of others.
    pub(crate) fn join(&mut self, other: Losses) {
        for (loss, columns) in other.columns {
            self.columns.entry(loss).or_default().extend(columns);
        }
        self.with_attrs += other.with_attrs;
    }

    /// A sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for (loss, names) in &self.columns {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (noun, verb) = if names.len() == 1 { ("column", "comes") } else { ("columns", "come") };
            notes.push(format!("the {noun} {} {verb} out without {loss}", listed(&names)));
        }
        if self.with_attrs > 0 {
            let files = counted(self.with_attrs, "file has", "files have");
            notes.push(format!("{files} attributes of pandas (attrs), which outputs do not carry"));
        }
        notes
    }
}
