//! Schemas as flatbuffers hold them. Integers of 128 bits, which Polars writes and Arrow does not know, are bytes of
//! that width under a mark, so that all other columns can be read.

use std::collections::HashMap;

use arrow_ipc::convert::try_fb_to_schema;
use arrow_schema::{DataType, Field, Schema};

use crate::reason::{Kind, Reason};
use crate::remedy::excluding;
use crate::source::content::guarded;

/// What columns of such integers are noted with.
const WIDE: &str = "transect.integer128";

/// The schema that `schema` holds.
///
/// # Errors
/// `what`, unless a column has such integers within.
pub(in crate::source) fn schema_of(schema: arrow_ipc::Schema, what: &str) -> Result<Schema, Reason> {
    if let Ok(read) = try_fb_to_schema(schema) {
        return Ok(read);
    }
    let fields = || schema.fields().into_iter().flatten();
    if !fields().any(|field| has_wide(&field)) {
        return Err(Reason::damaged(what));
    }
    let field = |field: arrow_ipc::Field| {
        let name = field.name().unwrap_or_default();
        match (is_wide(&field), has_wide(&field)) {
            (true, _) => {
                let mark = HashMap::from([(WIDE.to_owned(), String::new())]);
                Ok(Field::new(name, DataType::FixedSizeBinary(16), field.nullable()).with_metadata(mark))
            }
            (_, true) => {
                let what = format!("its column {name:?} has integers of 128 bits, which Arrow does not know");
                Err(Reason::new(Kind::ColumnType, what).of_column(name).or(excluding(&[name])))
            }
            // It panics where it cannot, and there is no other that is public.
            _ => guarded(|| Ok(Field::from(field))).map_err(|_| Reason::damaged(what)),
        }
    };
    let fields = fields().map(field).collect::<Result<Vec<Field>, _>>()?;
    let notes = schema.custom_metadata().into_iter().flatten();
    let notes: HashMap<_, _> =
        notes.filter_map(|note| Some((note.key()?.to_owned(), note.value()?.to_owned()))).collect();
    Ok(Schema::new_with_metadata(fields, notes))
}

/// What a column of such integers is called.
pub(in crate::source) fn wide_integer(field: &Field) -> Option<String> {
    field.metadata().contains_key(WIDE).then(|| "an integer of 128 bits".to_owned())
}

fn is_wide(field: &arrow_ipc::Field) -> bool {
    field.type_as_int().is_some_and(|integer| integer.bitWidth() == 128)
}

fn has_wide(field: &arrow_ipc::Field) -> bool {
    is_wide(field) || field.children().is_some_and(|children| children.iter().any(|child| has_wide(&child)))
}
