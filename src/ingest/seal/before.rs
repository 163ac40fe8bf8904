//! What a section held in the version before an update, its columns in the types of now.

use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, ScalarBuffer};
use arrow_schema::DataType;

use crate::codec::{fixed_bytes, natural_stored};
use crate::compare::ColumnRows;
use crate::error::Result;
use crate::format::Stored;
use crate::segment::{Room, SegmentColumn};
use crate::store::{Piece, RawColumn, Section};

/// A part of a section of the version before, its columns in the types of now.
pub(in crate::ingest) struct Before {
    section: Section,
    /// Where it lies in one piece, which is mostly.
    piece: Option<Piece>,
    stocks: ScalarBuffer<u32>,
    /// For each column of now, its place among the section's; `None` where it has no value there, or is not asked for.
    places: Vec<Option<usize>>,
    /// For each column of now, its values in the new type where the old one's bytes do not serve.
    converted: Vec<Option<Converted>>,
}

struct Converted {
    stored: Stored,
    values: Buffer,
    validity: Option<Buffer>,
}

impl Before {
    /// `section`, for these `columns`, code and date included. `places` says where each of them stands among the section's,
    /// if it does. What has to be converted lies in `room`.
    ///
    /// # Errors
    /// When it is damaged, or the room is a file, and that cannot be written.
    pub(in crate::ingest) fn new(
        section: Section,
        columns: &[SegmentColumn],
        places: Vec<Option<usize>>,
        room: &Room,
    ) -> Result<Before> {
        let piece = section.only_piece()?.cloned();
        let serves = |index: usize, logical: &DataType| match &piece {
            Some(piece) => Ok(piece.raw(index)?.is_none_or(|raw| serves(raw.logical, logical))),
            // Several pieces are joined in any case.
            None => Ok(false),
        };
        let rows = u32::try_from(section.row_count()).unwrap_or(u32::MAX);
        let lens = columns[2..].iter().zip(&places).filter(|(_, place)| place.is_some());
        let byte_len: u64 = lens.map(|(column, _)| natural_stored(&column.logical).byte_len(rows)).sum();
        let fits = room.holds(byte_len as usize);
        let converted = columns[2..].iter().zip(&places).map(|(column, &place)| {
            let Some(index) = place else { return Ok(None) };
            if serves(index, &column.logical)? || !section.has_value(index)? {
                return Ok(None);
            }
            let converted = match natural_stored(&column.logical) {
                Stored::Codes => Converted::of_codes(&section, index)?,
                stored => {
                    let array = section.column_as(index, &column.logical, 0..section.row_count())?;
                    Converted::new(&array, stored)?
                }
            };
            if fits { Ok(Some(converted)) } else { converted.put_away(room).map(Some) }
        });
        let converted = converted.collect::<Result<_>>()?;
        let stocks = match &piece {
            Some(piece) => piece.stock_numbers()?,
            None => {
                let mut stocks = Vec::with_capacity(section.row_count());
                for piece in section.pieces() {
                    stocks.extend_from_slice(piece?.raw_stock_numbers()?);
                }
                stocks.into()
            }
        };
        Ok(Before { section, piece, stocks, places, converted })
    }

    /// The stock number of each row.
    pub(in crate::ingest) fn stock_numbers(&self) -> &[u32] {
        &self.stocks
    }

    /// The part of the section itself.
    pub(in crate::ingest) fn section(&self) -> &Section {
        &self.section
    }

    /// A column of now; `None` when it has no value here.
    pub(in crate::ingest) fn column(&self, index: usize) -> Option<ColumnRows<'_>> {
        if let Some(converted) = self.converted.get(index)?.as_ref() {
            return Some(ColumnRows {
                stored: converted.stored,
                values: &converted.values,
                validity: converted.validity.as_deref(),
                codes: None,
            });
        }
        let (piece, place) = (self.piece.as_ref()?, (*self.places.get(index)?)?);
        // That it can be had was seen when this was made.
        let raw = piece.raw(place).ok()??.filled()?;
        Some(ColumnRows { stored: raw.stored, values: raw.values, validity: raw.validity, codes: None })
    }
}

/// Whether bytes stored for type `then` mean the same for type `now`.
fn serves(then: &DataType, now: &DataType) -> bool {
    let is_coded = |data_type| natural_stored(data_type) == Stored::Codes;
    let is_signed = |data_type: &DataType| data_type.is_signed_integer();
    then == now
        || *then == DataType::Null
        || (is_coded(then) && is_coded(now))
        || (then.is_integer() && now.is_integer() && is_signed(then) == is_signed(now))
}

/// The width at which values of type `then`, stored as `stored`, lie before a reader of type `now`; `None` without
/// values.
pub(super) fn stored_as(then: &DataType, stored: Stored, now: &DataType) -> Option<Stored> {
    match (then, serves(then, now)) {
        (DataType::Null, _) if *now != DataType::Null => None,
        (_, true) => Some(stored),
        (_, false) => Some(natural_stored(now)),
    }
}

impl Converted {
    /// `array`, of a type that is stored so, not as codes.
    fn new(array: &ArrayRef, stored: Stored) -> Result<Converted> {
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let values = match stored {
            Stored::Bits => match array.as_boolean_opt() {
                Some(bits) => bits.values().sliced(),
                // A column of nulls has no values.
                None => Buffer::from(vec![0; array.len().div_ceil(8)]),
            },
            _ => fixed_bytes(array)?,
        };
        Ok(Converted { stored, values, validity: nulls.map(|nulls| nulls.inner().sliced()) })
    }

    /// A column of codes, which are the same in all pieces and in the type of now: nothing but texts is coded.
    fn of_codes(section: &Section, index: usize) -> Result<Converted> {
        let mut values: Vec<u8> = Vec::with_capacity(section.row_count() * size_of::<u32>());
        let mut validity = BooleanBufferBuilder::new(section.row_count());
        for piece in section.pieces() {
            let piece = piece?;
            let (rows, end) = (piece.row_count(), values.len() + piece.row_count() * size_of::<u32>());
            let raw = piece.raw(index)?.and_then(RawColumn::filled);
            match raw.as_ref().and_then(|raw| raw.validity) {
                Some(bits) => validity.append_packed_range(0..rows, bits),
                None => validity.append_n(rows, raw.is_some()),
            }
            values.extend_from_slice(raw.map_or(&[], |raw| raw.values));
            values.resize(end, 0);
        }
        let validity = validity.finish();
        let has_nulls = validity.count_set_bits() < validity.len();
        let (values, validity) = (Buffer::from_vec(values), has_nulls.then(|| validity.into_inner()));
        Ok(Converted { stored: Stored::Codes, values, validity })
    }

    fn put_away(self, room: &Room) -> Result<Converted> {
        let validity = self.validity.map(|validity| room.put_away(validity)).transpose()?;
        Ok(Converted { stored: self.stored, values: room.put_away(self.values)?, validity })
    }
}
