//! The columns that a Parquet footer declares, read from its own bytes: the `parquet` crate's reader of schemas follows
//! columns within columns by recursion, and gives a whole file up for one column that it does not know.

use super::thrift::{BINARY, BYTE, FALSE, I32, STRUCT, TRUE, Thrift};
use crate::reason::Reason;

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::source) struct Declared {
    pub(in crate::source) name: String,
    /// The first of its leaves. A column that is a group may have any number of them.
    pub(in crate::source) leaf: usize,
    pub(in crate::source) shape: Shape,
}

/// How many values a column has in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::source) enum Shape {
    /// One, or none where it is null.
    Flat(Flat),
    /// Any number of them; what such a column is called, and the levels of each of its leaves: of none, where the column
    /// itself cannot be null.
    Nested(&'static str, Vec<Levels>),
}

/// The highest levels that a leaf has: how many of the columns that it lies in are repeated, and may have no value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(in crate::source) struct Levels {
    pub(in crate::source) repetition: u8,
    pub(in crate::source) definition: u8,
}

/// What a footer says of the values of a flat column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::source) struct Flat {
    pub(in crate::source) physical: Physical,
    pub(in crate::source) is_required: bool,
    pub(in crate::source) mark: Mark,
}

/// What the pages of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::source) enum Physical {
    Boolean,
    Int32,
    Int64,
    Int96,
    Float,
    Double,
    Bytes,
    /// Bytes of this length each.
    Fixed(i32),
}

/// What the numbers or bytes of a column mean: its logical type, or the converted type of older files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::source) enum Mark {
    Nothing,
    Text,
    Json,
    Enum,
    Bson,
    Uuid,
    Decimal {
        precision: i64,
        scale: i64,
    },
    Date,
    Time {
        unit: Unit,
        is_utc: bool,
    },
    Timestamp {
        unit: Unit,
        is_utc: bool,
    },
    Integer {
        bits: i64,
        is_signed: bool,
    },
    Float16,
    Interval,
    /// Every value is null.
    Unknown,
    Geometry,
    Geography,
    Map,
    List,
    /// One that this program does not know.
    Other,
}

/// The unit of a [`Mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::source) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// The columns that the bytes of a FileMetaData declare, and the number of leaves.
///
/// # Errors
/// The reason to skip the file.
pub(in crate::source) fn declared(footer: &[u8]) -> Result<(Vec<Declared>, usize), Reason> {
    // It is no tree.
    columns(footer).ok_or_else(|| Reason::damaged("its schema cannot be read"))
}

fn columns(footer: &[u8]) -> Option<(Vec<Declared>, usize)> {
    let mut thrift = Thrift { bytes: footer };
    let mut last = 0;
    // The decoder takes the first schema and passes others by.
    let count = loop {
        match thrift.field(&mut last)?? {
            (2, 9) => match thrift.list()? {
                (count, 12) => break count,
                _ => return None,
            },
            (2, _) => return None,
            (_, kind) => thrift.skip(kind, 0)?,
        }
    };
    // The elements come parents first, and the first is the parent of all.
    let root = Element::read(&mut thrift).filter(|root| matches!(root.mark, Mark::Nothing | Mark::List | Mark::Map))?;
    let mut left = count.checked_sub(1)?;
    let mut columns = Vec::new();
    let mut leaves = 0;
    for _ in 0..root.children {
        let element = Element::read(&mut thrift)?;
        left = left.checked_sub(1)?;
        let leaf = leaves;
        leaves += usize::from(element.physical.is_some());
        // The groups that this one is in, each with its levels and how many of its elements are still to come.
        let mut groups = vec![(element.children, element.levels(Levels::default()))];
        let mut levels = Vec::new();
        while let Some((below, above)) = groups.last_mut() {
            if *below == 0 {
                groups.pop();
                continue;
            }
            *below -= 1;
            let above = *above;
            let inner = Element::read(&mut thrift)?;
            left = left.checked_sub(1)?;
            let own = inner.levels(above);
            if inner.physical.is_some() {
                leaves += 1;
                levels.extend(element.is_optional().then_some(own));
            }
            groups.push((inner.children, own));
        }
        columns.push(Declared { shape: element.shape(levels), name: element.name, leaf });
    }
    (left == 0).then_some((columns, leaves))
}

/// How often an element may be there, by the format's number.
const REQUIRED: i64 = 0;
const OPTIONAL: i64 = 1;
const REPEATED: i64 = 2;

/// A SchemaElement.
struct Element {
    name: String,
    physical: Option<Physical>,
    repetition: i64,
    children: u64,
    mark: Mark,
}

impl Element {
    fn read(thrift: &mut Thrift) -> Option<Element> {
        let (mut name, mut kind, mut length, mut repetition, mut children) = (None, None, 0, 0, 0);
        let (mut converted, mut scale, mut precision, mut logical) = (None, 0, 0, None);
        let mut last = 0;
        while let Some(field) = thrift.field(&mut last)? {
            match field {
                (1, I32) => kind = Some(thrift.integer()?),
                (2, I32) => length = i32::try_from(thrift.integer()?).ok()?,
                (3, I32) => repetition = thrift.integer().filter(|kind| (0..=2).contains(kind))?,
                (4, BINARY) => name = Some(String::from_utf8(thrift.binary()?.to_vec()).ok()?),
                (5, I32) => children = u64::try_from(thrift.integer()?).ok()?,
                (6, I32) => converted = Some(thrift.integer()?),
                (7, I32) => scale = thrift.integer()?,
                (8, I32) => precision = thrift.integer()?,
                (10, STRUCT) => logical = Some(logical_mark(thrift)?),
                (1..=8 | 10, _) => return None,
                (_, kind) => thrift.skip(kind, 0)?,
            }
        }
        let physical = match kind {
            // A group; the decoder looks at its children, too.
            None => None,
            Some(_) if children > 0 => return None,
            Some(0) => Some(Physical::Boolean),
            Some(1) => Some(Physical::Int32),
            Some(2) => Some(Physical::Int64),
            Some(3) => Some(Physical::Int96),
            Some(4) => Some(Physical::Float),
            Some(5) => Some(Physical::Double),
            Some(6) => Some(Physical::Bytes),
            Some(7) => Some(Physical::Fixed(length)),
            Some(_) => return None,
        };
        let older = || converted.map_or(Mark::Nothing, |converted| converted_mark(converted, precision, scale));
        Some(Element { name: name?, physical, repetition, children, mark: logical.unwrap_or_else(older) })
    }

    fn is_optional(&self) -> bool {
        self.repetition == OPTIONAL
    }

    /// The levels of what it holds, where what it lies in has those `above`.
    fn levels(&self, above: Levels) -> Levels {
        Levels {
            repetition: above.repetition.saturating_add(u8::from(self.repetition == REPEATED)),
            definition: above.definition.saturating_add(u8::from(self.repetition != REQUIRED)),
        }
    }

    fn shape(&self, levels: Vec<Levels>) -> Shape {
        match (self.physical, self.repetition, self.mark) {
            (Some(_), REPEATED, _) | (None, _, Mark::List) => Shape::Nested("a list", levels),
            (None, _, Mark::Map) => Shape::Nested("a map", levels),
            (None, ..) => Shape::Nested("a struct", levels),
            (Some(physical), repetition, mark) => {
                Shape::Flat(Flat { physical, is_required: repetition == REQUIRED, mark })
            }
        }
    }
}

/// The member of the union LogicalType that is set: one, and a struct.
fn logical_mark(thrift: &mut Thrift) -> Option<Mark> {
    let mut mark = None;
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        if kind != STRUCT || mark.is_some() {
            return None;
        }
        let facts = Facts::read(thrift)?;
        mark = Some(match id {
            1 => Mark::Text,
            2 => Mark::Map,
            3 => Mark::List,
            4 => Mark::Enum,
            5 => Mark::Decimal { precision: facts.numbers[1]?, scale: facts.numbers[0]? },
            6 => Mark::Date,
            7 => Mark::Time { unit: facts.unit?, is_utc: facts.flags[0]? },
            8 => Mark::Timestamp { unit: facts.unit?, is_utc: facts.flags[0]? },
            10 => Mark::Integer { bits: facts.bits?, is_signed: facts.flags[1]? },
            11 => Mark::Unknown,
            12 => Mark::Json,
            13 => Mark::Bson,
            14 => Mark::Uuid,
            15 => Mark::Float16,
            17 => Mark::Geometry,
            18 => Mark::Geography,
            _ => Mark::Other,
        });
    }
    Some(mark.unwrap_or(Mark::Other))
}

/// What a member of LogicalType says, by the number of the field, from 1. "required": each must be there in members that
/// have it.
#[derive(Default)]
struct Facts {
    numbers: [Option<i64>; 2],
    bits: Option<i64>,
    flags: [Option<bool>; 2],
    unit: Option<Unit>,
}

impl Facts {
    fn read(thrift: &mut Thrift) -> Option<Facts> {
        let mut facts = Facts::default();
        let mut last = 0;
        while let Some((id, kind)) = thrift.field(&mut last)? {
            let place = usize::try_from(id).ok().and_then(|id| id.checked_sub(1)).filter(|place| *place < 2);
            match (place, kind) {
                (Some(place), TRUE | FALSE) => facts.flags[place] = Some(kind == TRUE),
                (Some(0), BYTE) => facts.bits = Some(i64::from(thrift.byte()? as i8)),
                (Some(place), I32) => facts.numbers[place] = Some(thrift.integer()?),
                (Some(1), STRUCT) => facts.unit = Some(time_unit(thrift)?),
                (_, kind) => thrift.skip(kind, 0)?,
            }
        }
        Some(facts)
    }
}

/// The member of the union TimeUnit that is set: one, and a struct.
fn time_unit(thrift: &mut Thrift) -> Option<Unit> {
    let mut unit = None;
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        if kind != STRUCT || unit.is_some() {
            return None;
        }
        unit = Some(match id {
            1 => Unit::Millis,
            2 => Unit::Micros,
            3 => Unit::Nanos,
            _ => return None,
        });
        thrift.skip(kind, 0)?;
    }
    unit
}

/// What a ConvertedType means. Its instants are in UTC, by the specification's table of converted types.
fn converted_mark(converted: i64, precision: i64, scale: i64) -> Mark {
    let integer = |bits, is_signed| Mark::Integer { bits, is_signed };
    match converted {
        0 => Mark::Text,
        1 | 2 => Mark::Map,
        3 => Mark::List,
        4 => Mark::Enum,
        5 => Mark::Decimal { precision, scale },
        6 => Mark::Date,
        // By the same table these are, too, but nothing else was to be had then.
        7 => Mark::Time { unit: Unit::Millis, is_utc: false },
        8 => Mark::Time { unit: Unit::Micros, is_utc: false },
        9 => Mark::Timestamp { unit: Unit::Millis, is_utc: true },
        10 => Mark::Timestamp { unit: Unit::Micros, is_utc: true },
        unsigned @ 11..=14 => integer(8 << (unsigned - 11), false),
        signed @ 15..=18 => integer(8 << (signed - 15), true),
        19 => Mark::Json,
        20 => Mark::Bson,
        21 => Mark::Interval,
        _ => Mark::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(bytes: &[u8]) -> Option<Mark> {
        logical_mark(&mut Thrift { bytes })
    }

    #[test]
    fn a_union_has_one_member_of_the_type_that_it_should_be() {
        const END: u8 = 0;
        // Field 8, TIMESTAMP: isAdjustedToUTC is true, and the unit, a union, has field 2, MICROS, an empty struct.
        let micros = Mark::Timestamp { unit: Unit::Micros, is_utc: true };
        assert_eq!(mark(&[0x8c, 0x11, 0x1c, 0x2c, END, END, END, END]), Some(micros));
        // MICROS is an empty text; is not there; is field 4; MILLIS beside MICROS.
        assert_eq!(mark(&[0x8c, 0x11, 0x1c, 0x28, 0, END, END, END]), None);
        assert_eq!(mark(&[0x8c, 0x11, 0x1c, END, END, END]), None);
        assert_eq!(mark(&[0x8c, 0x11, 0x1c, 0x4c, END, END, END, END]), None);
        assert_eq!(mark(&[0x8c, 0x11, 0x1c, 0x1c, END, 0x1c, END, END, END, END]), None);
        // STRING alone, STRING beside ENUM, and STRING as a text.
        assert_eq!(mark(&[0x1c, END, END]), Some(Mark::Text));
        assert_eq!(mark(&[0x1c, END, 0x3c, END, END]), None);
        assert_eq!(mark(&[0x18, 0, END]), None);
        // INTEGER of 16 bits, which are a byte and not an i32; the scale of a decimal is an i32 and not a byte.
        let short = Mark::Integer { bits: 16, is_signed: true };
        assert_eq!(mark(&[0xac, 0x13, 16, 0x11, END, END]), Some(short));
        assert_eq!(mark(&[0xac, 0x15, 32, 0x11, END, END]), None);
        assert_eq!(mark(&[0x5c, 0x15, 4, 0x15, 18, END, END]), Some(Mark::Decimal { precision: 9, scale: 2 }));
        assert_eq!(mark(&[0x5c, 0x13, 2, 0x15, 18, END, END]), None);
        // TIMESTAMP and TIME without isAdjustedToUTC, and INTEGER without isSigned.
        assert_eq!(mark(&[0x8c, 0x2c, 0x2c, END, END, END, END]), None);
        assert_eq!(mark(&[0x7c, 0x2c, 0x2c, END, END, END, END]), None);
        assert_eq!(mark(&[0xac, 0x13, 16, END, END]), None);
    }

    #[test]
    fn what_is_known_of_a_column_has_the_type_that_it_should_have() {
        // A root with one child: of the type INT64, OPTIONAL, of the name x, and what else there is.
        let leaf = |repetition: [u8; 2], more: &[u8]| {
            let root = [0x29, 0x2c, 0x48, 1, b's', 0x15, 2, 0];
            let column = [&[0x15, 4], &repetition[..], &[0x18, 1, b'x'], more, &[0, 0]].concat();
            columns(&[&root[..], &column].concat()).map(|(columns, _)| columns[0].shape.clone())
        };
        let optional = [0x25, 2];
        let flat = |mark| Some(Shape::Flat(Flat { physical: Physical::Int64, is_required: false, mark }));
        assert_eq!(leaf(optional, &[]), flat(Mark::Nothing));
        // A logical type is a struct, and OPTIONAL an i32 of three.
        assert_eq!(leaf(optional, &[0x6c, 0x6c, 0, 0]), flat(Mark::Date));
        assert_eq!(leaf(optional, &[0x68, 0]), None);
        assert_eq!(leaf([0x25, 6], &[]), None);
        assert_eq!(leaf([0x23, 1], &[]), None);
    }
}
