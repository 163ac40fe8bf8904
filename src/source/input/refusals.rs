//! Why files are refused for their columns alone: those that a panel has no type for, or that would have one name.

use std::collections::HashMap;

use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};

use crate::hint::listed;
use crate::reason::{Kind, Reason};
use crate::remedy::{CastTo, Remedy, Setting, excluding};

/// The cast that keeps the values of a column for which a panel has no type.
pub(super) fn cast_that_keeps(name: &str, raw: &DataType) -> Option<Remedy> {
    let to = match raw {
        DataType::Float16 => "float32".to_owned(),
        DataType::FixedSizeBinary(_) => "binary".to_owned(),
        DataType::Duration(_) => "int64".to_owned(),
        // Most that are declared so wide hold no more digits than that.
        DataType::Decimal256(precision, scale) if scale.unsigned_abs() <= DECIMAL128_MAX_PRECISION => {
            format!("decimal128({},{scale})", precision.min(&DECIMAL128_MAX_PRECISION))
        }
        _ => return None,
    };
    let effect = match raw {
        DataType::Duration(TimeUnit::Second) => "keeps its values as bare numbers of seconds",
        DataType::Duration(TimeUnit::Millisecond) => "keeps its values as bare numbers of milliseconds",
        DataType::Duration(TimeUnit::Microsecond) => "keeps its values as bare numbers of microseconds",
        DataType::Duration(TimeUnit::Nanosecond) => "keeps its values as bare numbers of nanoseconds",
        _ => "keeps its values",
    };
    Some(Remedy::set(Setting::Cast(vec![CastTo { column: name.to_owned(), to }]), effect))
}

/// Says that a panel has no type for these columns: their names, their types, and the casts that keep them.
pub(super) fn tell_unheld(unheld: &[(&str, String, Option<Remedy>)]) -> Option<Reason> {
    let ((name, kind, cast), others) = unheld.split_first()?;
    let names: Vec<&str> = unheld.iter().map(|(name, ..)| *name).collect();
    let what = format!("its column {name:?} is {kind}, which a panel cannot hold");
    let reason = match others {
        [] => Reason::new(Kind::ColumnType, what).of_column(name).or(cast.clone()),
        _ => {
            let others: Vec<String> = others.iter().map(|(name, ..)| format!("{name:?}")).collect();
            Reason::new(Kind::ColumnType, format!("{what}; nor can it hold {}", listed(&others))).of_column(name)
        }
    };
    Some(reason.or(excluding(&names)))
}

/// Says that two columns would have one name in the panel; of each its name there, and in the file.
pub(super) fn tell_alike<'a>(names: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Reason> {
    let mut known: HashMap<&str, &str> = HashMap::new();
    let (name, first, second) =
        names.into_iter().find_map(|(name, own)| Some((name, known.insert(name, own)?, own)))?;
    let what = format!("its columns {first:?} and {second:?} would both be called {name:?}");
    let exclude = |own: &str, effect| Remedy::set(Setting::Exclude(vec![own.to_owned()]), effect);
    let reason = Reason::new(Kind::TwinColumns, what).of_column(second);
    Some(reason.or(exclude(first, "keeps the second")).or(exclude(second, "keeps the first")))
}
