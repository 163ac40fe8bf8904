//! Walks a footer before it is decoded: each field must be of the format's type, and what the decoder would make of it
//! must fit the memory. A million row groups take a few bytes each in the file, and a kilobyte each decoded.

use super::thrift::{BINARY, FALSE, I16, I32, I64, LIST, STRUCT, TRUE, Thrift};

/// A kind of value.
enum Kind {
    I16,
    I32,
    I64,
    Binary,
    List(&'static Kind),
    Struct(&'static Shape),
    /// A struct or a list of them whose inside does not matter here.
    Group,
    /// The type of a column in the schema.
    Declared,
    /// How many children the schema's element has; one that has some is no column.
    Children,
    /// Where a chunk's metadata was once written; each chunk has it, and before its type.
    Place,
    /// The type of a column by its chunk.
    Found,
}

/// A struct: the bytes that it takes decoded, about, and its fields from 1 on.
struct Shape {
    len: u64,
    /// The fields that must be there, where the decoder does not ask for them.
    required: &'static [i64],
    fields: &'static [Kind],
}

const FILE: Shape = Shape {
    len: 0,
    required: &[],
    fields: &[
        Kind::I32,
        Kind::List(&Kind::Struct(&SCHEMA_ELEMENT)),
        Kind::I64,
        Kind::List(&Kind::Struct(&ROW_GROUP)),
        Kind::List(&Kind::Struct(&KEY_VALUE)),
        Kind::Binary,
        Kind::Group,
        Kind::Group,
        Kind::Binary,
    ],
};

const SCHEMA_ELEMENT: Shape = Shape {
    // Many may be of one column, of which little is kept.
    len: 150,
    required: &[],
    fields: &[
        Kind::Declared,
        Kind::I32,
        Kind::I32,
        Kind::Binary,
        Kind::Children,
        Kind::I32,
        Kind::I32,
        Kind::I32,
        Kind::I32,
        Kind::Group,
    ],
};

const ROW_GROUP: Shape = Shape {
    len: 160,
    required: &[],
    fields: &[
        Kind::List(&Kind::Struct(&COLUMN_CHUNK)),
        Kind::I64,
        Kind::I64,
        Kind::Group,
        Kind::I64,
        Kind::I64,
        Kind::I16,
    ],
};

const COLUMN_CHUNK: Shape = Shape {
    len: 450,
    required: &[],
    fields: &[
        Kind::Binary,
        Kind::Place,
        Kind::Struct(&COLUMN),
        Kind::I64,
        Kind::I32,
        Kind::I64,
        Kind::I32,
        Kind::Group,
        Kind::Binary,
    ],
};

const COLUMN: Shape = Shape {
    len: 0,
    required: &[1, 2, 3, 4, 5, 6, 7, 9],
    fields: &[
        Kind::Found,
        Kind::List(&Kind::I32),
        Kind::List(&Kind::Binary),
        Kind::I32,
        Kind::I64,
        Kind::I64,
        Kind::I64,
        Kind::List(&Kind::Struct(&KEY_VALUE)),
        Kind::I64,
        Kind::I64,
        Kind::I64,
        Kind::Group,
        Kind::List(&Kind::Struct(&ENCODING_STATS)),
        Kind::I64,
        Kind::I32,
        Kind::Group,
        Kind::Group,
    ],
};

const KEY_VALUE: Shape = Shape { len: 64, required: &[1], fields: &[Kind::Binary, Kind::Binary] };

const ENCODING_STATS: Shape = Shape { len: 32, required: &[1, 2, 3], fields: &[Kind::I32, Kind::I32, Kind::I32] };

/// The bytes that a footer takes decoded, at most about; `None` where it is no footer.
pub(in crate::source) fn decoded_len(footer: &[u8]) -> Option<u64> {
    let mut walk = Walk { thrift: Thrift { bytes: footer }, len: 0, declared: Vec::new(), has_type: false, chunks: 0 };
    walk.shape(&FILE)?;
    Some(walk.len)
}

struct Walk<'a> {
    thrift: Thrift<'a>,
    len: u64,
    /// The types of the schema's columns.
    declared: Vec<i64>,
    /// Whether the last of them is of the element that is being read.
    has_type: bool,
    /// How many chunks there were.
    chunks: usize,
}

impl Walk<'_> {
    fn shape(&mut self, shape: &Shape) -> Option<()> {
        self.len += shape.len;
        self.has_type = false;
        let (mut last, mut seen) = (0, 0u32);
        while let Some((id, kind)) = self.thrift.field(&mut last)? {
            // Each counts once, however often it is there.
            seen |= u32::try_from(id).ok().and_then(|id| 1u32.checked_shl(id)).unwrap_or(0);
            match usize::try_from(id).ok().and_then(|id| shape.fields.get(id.checked_sub(1)?)) {
                Some(field) => self.value(field, kind)?,
                None => self.thrift.skip(kind, 0)?,
            }
        }
        shape.required.iter().all(|id| seen >> id & 1 == 1).then_some(())
    }

    fn value(&mut self, field: &Kind, kind: u8) -> Option<()> {
        match (field, kind) {
            (Kind::I16, I16) | (Kind::I32, I32) | (Kind::I64, I64) => self.thrift.integer().map(drop),
            (Kind::Declared, I32) => {
                let number = self.thrift.integer()?;
                self.declared.push(number);
                self.has_type = true;
                Some(())
            }
            (Kind::Children, I32) => {
                if self.thrift.integer()? > 0 && self.has_type {
                    self.declared.pop();
                }
                Some(())
            }
            (Kind::Place, I64) => {
                self.chunks += 1;
                self.thrift.integer().map(drop)
            }
            // The decoder goes by the schema alone.
            (Kind::Found, I32) => {
                let column = self.chunks.checked_sub(1)?.checked_rem(self.declared.len())?;
                (self.thrift.integer()? == self.declared[column]).then_some(())
            }
            // Texts are copied.
            (Kind::Binary, BINARY) => self.thrift.binary().map(|bytes| self.len += 2 * bytes.len() as u64),
            (Kind::Struct(shape), STRUCT) => self.shape(shape),
            (Kind::List(element), LIST) => {
                let (count, kind) = self.thrift.list()?;
                (0..count).try_for_each(|_| self.value(element, kind))
            }
            (Kind::Group, LIST) => {
                let before = self.thrift.bytes.len();
                self.thrift.skip(LIST, 0)?;
                // An element takes a byte at least, and some words decoded.
                self.len += 32 * (before - self.thrift.bytes.len()) as u64;
                Some(())
            }
            (Kind::Group, STRUCT | TRUE | FALSE) => self.thrift.skip(kind, 0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_another_type_is_no_footer() {
        // Version, no schema, no rows, no row groups.
        let footer = [0x15, 2, 0x19, 0x0c, 0x16, 0, 0x19, 0x0c, 0];
        assert_eq!(decoded_len(&footer), Some(0));
        for (at, byte) in [(0, 0x16), (2, 0x15), (4, 0x15), (6, 0x1c)] {
            let mut wrong = footer;
            wrong[at] = byte;
            assert_eq!(decoded_len(&wrong), None, "{at}");
        }
        assert_eq!(decoded_len(&footer[..8]), None, "the end is missing");
    }

    #[test]
    fn a_chunk_is_of_its_columns_type_and_has_all_that_it_must() {
        // A schema of a root with two columns, of types 2 and 5, and one row group.
        let footer = |second: u8, has_path: bool, codec: &[u8]| {
            let schema =
                [0x15, 2, 0x19, 0x3c, 0x48, 0, 0x15, 4, 0, 0x15, 4, 0x38, 1, b'a', 0, 0x15, 10, 0x38, 1, b'b', 0];
            let mut footer = [&schema[..], &[0x16, 2, 0x19, 0x1c, 0x19, 0x2c]].concat();
            for of in [4, second] {
                let path: &[u8] = if has_path { &[0x19, 0x18, 1, b'x', 0x15, 0] } else { &[0x25, 0] };
                footer.extend(
                    [&[0x26, 0, 0x1c, 0x15, of, 0x19, 5][..], path, codec, &[0x16, 2, 0x16, 2, 0x16, 2, 0x26, 8, 0, 0]]
                        .concat(),
                );
            }
            [&footer[..], &[0x16, 2, 0x16, 2, 0, 0]].concat()
        };
        assert!(decoded_len(&footer(10, true, &[])).is_some());
        assert_eq!(decoded_len(&footer(8, true, &[])), None, "FLOAT where the schema says DOUBLE");
        assert_eq!(decoded_len(&footer(10, false, &[])), None, "no path");
        // Field 4 once more in place of field 3.
        assert_eq!(decoded_len(&footer(10, false, &[0x05, 8, 0])), None, "the codec twice is no path");
    }

    #[test]
    fn row_groups_are_weighed_as_they_will_be_decoded() {
        let mut footer = vec![0x15, 2, 0x19, 0x0c, 0x16, 0, 0x19, 0xfc, 0xc0, 0x84, 0x3d];
        footer.extend(vec![0; 1_000_000]);
        footer.push(0);
        assert_eq!(decoded_len(&footer), Some(160_000_000));
    }
}
