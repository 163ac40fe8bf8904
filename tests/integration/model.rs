//! A panel passes many hands: decoded, narrowed, gathered by blocks, sealed, widened, encoded again. Each is a chance
//! to lose the sign of a zero, a null, a row, or the order of two. Random panels go all the way here, beside a model
//! that is as plain as can be: a map from (date, code) to a row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, LargeBinaryBuilder, LargeStringBuilder, StringBuilder, StringDictionaryBuilder,
    StringViewBuilder,
};
use arrow_array::types::{ArrowPrimitiveType, Int8Type, UInt8Type};
use arrow_array::{ArrayRef, NullArray, PrimitiveArray, RecordBatch, StringArray, downcast_primitive, make_array};
use arrow_buffer::{ArrowNativeType, Buffer};
use arrow_cast::cast;
use arrow_data::ArrayData;
use arrow_ipc::reader::FileReader;
use arrow_schema::{DataType, TimeUnit};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use transect::panel::{DateForm, Spelling};
use transect::progress::Silent;
use transect::sink::{Format, Partition};
use transect::source::{SourceOptions, survey};
use transect::store::Fill;
use transect::{Build, Date, Request, Shape, Store, Transpose, verify_output, verify_source};

use super::panels::{Cell, Place, assert_whole, batch, cases, cell, header, read_parquet, rows, segment_path, workers};

/// Codes that have been trouble: differing in case only, CJK, dots, spaces, a leading dot's neighbour, long ones.
const CODES: [&str; 9] =
    ["000001.SZ", "BRK.B", "abr_a", "ABR_A", "ARE&M", "平安银行", "é", "a b", "zzzzzzzzzzzzzzzzzzzzzzzzzz"];

/// Days between which sections are near and far.
const DATES: [i64; 7] = [19000228, 19691231, 19700101, 20231229, 20240102, 20240103, 99991231];

/// The types that a column of an input may have.
fn types() -> Vec<DataType> {
    use DataType::*;
    let coded = |key, value| Dictionary(Box::new(key), Box::new(value));
    vec![
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float32,
        Float64,
        Decimal128(5, 2),
        Decimal128(18, 0),
        Decimal128(38, 10),
        Date32,
        Date64,
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Timestamp(TimeUnit::Second, None),
        Timestamp(TimeUnit::Millisecond, None),
        Timestamp(TimeUnit::Microsecond, Some("Asia/Shanghai".into())),
        Timestamp(TimeUnit::Nanosecond, Some("+08:00".into())),
        Utf8,
        LargeUtf8,
        Utf8View,
        coded(Int8, Utf8),
        coded(Int32, LargeUtf8),
        Binary,
        LargeBinary,
        BinaryView,
        Null,
    ]
}

/// The type that transect gives a column of this type.
fn logical(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => DataType::Dictionary(Box::new(DataType::Int32), value.clone()),
        other => other.clone(),
    }
}

/// The value of type `data_type` that `seed` stands for. Small seeds are values that have been trouble.
fn value(data_type: &DataType, seed: u64) -> Cell {
    const F64: [u64; 10] = [
        0,
        1 << 63,
        0x7ff8_0000_0000_0000,
        0xfff8_0000_0000_0bad,
        0x7ff0_0000_0000_0001,
        0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000,
        1,
        0x3ff0_0000_0000_0000,
        0x7fef_ffff_ffff_ffff,
    ];
    const F32: [u32; 8] = [0, 1 << 31, 0x7fc0_0000, 0xffc0_0bad, 0x7f80_0001, 0x7f80_0000, 0xff80_0000, 0x3f80_0000];
    const INTEGERS: [i64; 16] =
        [0, 1, -1, 2, 127, 128, -128, -129, 255, 256, 32_767, -32_769, 65_536, i64::MAX, i64::MIN, 4_294_967_296];
    const TEXTS: [&str; 5] = ["", "a", "A", "平安", "a longer text than fits the prefix of a view"];
    let pick = seed as usize;
    match data_type {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Bits(u128::from(seed % 2)),
        DataType::Float64 => Cell::Bits(F64.get(pick).copied().unwrap_or(seed).into()),
        DataType::Float32 => Cell::Bits(F32.get(pick).copied().unwrap_or(seed as u32).into()),
        DataType::Decimal128(precision, _) => {
            let most = 10i128.pow(u32::from(*precision)) - 1;
            let number = match pick {
                0 => 0,
                1 => most,
                2 => -most,
                3 => -1,
                _ => i128::from(seed).wrapping_mul(i128::from(seed)).rem_euclid(most),
            };
            Cell::Bits(number as u128)
        }
        // Within a day, and whole ones where a type asks for them.
        DataType::Time32(TimeUnit::Second) => Cell::Bits(u128::from(seed % 86_400)),
        // What milliseconds reach, too.
        DataType::Timestamp(TimeUnit::Second, _) => Cell::Bits(u128::from((seed as i64 / 1000) as u64)),
        DataType::Time32(_) => Cell::Bits(u128::from(seed % 86_400_000)),
        DataType::Time64(TimeUnit::Microsecond) => Cell::Bits(u128::from(seed % 86_400_000_000)),
        DataType::Time64(_) => Cell::Bits(u128::from(seed % 86_400_000_000_000)),
        DataType::Date64 => Cell::Bits(u128::from(((seed % 60_000) as i64 - 30_000).wrapping_mul(86_400_000) as u64)),
        DataType::Dictionary(_, value_type) => value(value_type, seed),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Cell::Text(TEXTS.get(pick).map_or_else(|| format!("text {}", seed % 50), |text| (*text).to_owned()))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Cell::Bytes(match pick {
            0 => Vec::new(),
            1 => vec![0],
            2 => vec![0xff; 40],
            _ => seed.to_le_bytes()[..(seed % 9) as usize].to_vec(),
        }),
        fixed => {
            let bits = 8 * fixed.primitive_width().unwrap();
            let number = INTEGERS.get(pick).copied().unwrap_or(seed as i64);
            Cell::Bits(u128::from(number as u64) & ((1u128 << bits) - 1))
        }
    }
}

/// An array of these values.
fn array(data_type: &DataType, cells: &[Cell]) -> ArrayRef {
    let texts = || {
        cells.iter().map(|cell| match cell {
            Cell::Text(text) => Some(text.as_str()),
            _ => None,
        })
    };
    let bytes = || {
        cells.iter().map(|cell| match cell {
            Cell::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        })
    };
    let bits = |cell: &Cell| match cell {
        Cell::Bits(bits) => Some(*bits),
        _ => None,
    };
    macro_rules! built {
        ($builder:expr, $values:expr) => {{
            let mut builder = $builder;
            $values.for_each(|value| builder.append_option(value));
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    match data_type {
        DataType::Null => Arc::new(NullArray::new(cells.len())),
        DataType::Boolean => built!(BooleanBuilder::new(), cells.iter().map(|cell| bits(cell).map(|bit| bit == 1))),
        DataType::Utf8 => built!(StringBuilder::new(), texts()),
        DataType::LargeUtf8 => built!(LargeStringBuilder::new(), texts()),
        DataType::Utf8View => built!(StringViewBuilder::new(), texts()),
        DataType::Dictionary(key, value) if **key == DataType::Int8 && **value == DataType::Utf8 => {
            built!(StringDictionaryBuilder::<Int8Type>::new(), texts())
        }
        DataType::Dictionary(_, value) => cast(&array(value, cells), data_type).unwrap(),
        DataType::Binary => built!(BinaryBuilder::new(), bytes()),
        DataType::LargeBinary => built!(LargeBinaryBuilder::new(), bytes()),
        DataType::BinaryView => cast(&array(&DataType::Binary, cells), &DataType::BinaryView).unwrap(),
        fixed => {
            let width = fixed.primitive_width().unwrap();
            // What lies under a null must not matter.
            let values: Vec<u8> =
                cells.iter().flat_map(|cell| bits(cell).unwrap_or(0x55).to_le_bytes()[..width].to_vec()).collect();
            let data = ArrayData::builder(fixed.clone())
                .len(cells.len())
                .add_buffer(Buffer::from(values))
                .nulls(Some(cells.iter().map(|cell| *cell != Cell::Null).collect()))
                .align_buffers(true)
                .build();
            make_array(data.unwrap())
        }
    }
}

/// How the files of a panel spell dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dates {
    Digits,
    Dashes,
    Integers,
    Days,
    Millis,
}

impl Dates {
    const ALL: [Dates; 5] = [Dates::Digits, Dates::Dashes, Dates::Integers, Dates::Days, Dates::Millis];

    fn form(self) -> DateForm {
        let (data_type, spelling) = match self {
            Dates::Digits => (DataType::Utf8, Spelling::Digits),
            Dates::Dashes => (DataType::Utf8, Spelling::Dashes),
            Dates::Integers => (DataType::Int32, Spelling::Digits),
            Dates::Days => (DataType::Date32, Spelling::Day),
            Dates::Millis => (DataType::Timestamp(TimeUnit::Millisecond, None), Spelling::Day),
        };
        DateForm { data_type, spelling }
    }

    /// `dates` as a file has them, made without the code under test.
    fn array(self, dates: &[Date]) -> ArrayRef {
        let texts = |text: fn(&Date) -> String| -> ArrayRef {
            Arc::new(dates.iter().map(|date| Some(text(date))).collect::<StringArray>())
        };
        match self {
            Dates::Digits => texts(|date| date.to_string()),
            Dates::Dashes => texts(|date| {
                let (year, month, day) = date.ymd();
                format!("{year:04}-{month:02}-{day:02}")
            }),
            Dates::Integers => Arc::new(dates.iter().map(|date| date.yyyymmdd()).collect::<arrow_array::Int32Array>()),
            Dates::Days => Arc::new(arrow_array::Date32Array::from_iter_values(dates.iter().map(|date| date.days()))),
            Dates::Millis => {
                let millis = dates.iter().map(|date| i64::from(date.days()) * 86_400_000);
                Arc::new(arrow_array::TimestampMillisecondArray::from_iter_values(millis))
            }
        }
    }
}

/// One row: for each column of the panel a seed, or nothing for null.
type Seeds = Vec<Option<u64>>;

/// One file.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// Which of the panel's columns it has, and whether each is of type null there.
    columns: Vec<(usize, bool)>,
    dates: Dates,
    rows: BTreeMap<usize, Seeds>,
    /// Rows that stand in the file once more.
    twice: Vec<Index>,
    /// Where each row goes: sorted by these.
    order: Vec<u64>,
}

/// The files of a panel, by code.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) types: Vec<DataType>,
    pub(super) files: BTreeMap<&'static str, File>,
}

fn seeds(columns: usize) -> impl Strategy<Value = Seeds> {
    vec(prop_oneof![1 => Just(None), 3 => (0u64..16).prop_map(Some), 1 => any::<u64>().prop_map(Some)], columns)
}

fn file(column_count: usize, dates: Dates, rows: Range<usize>) -> impl Strategy<Value = File> {
    let columns = subsequence((0..column_count).collect::<Vec<_>>(), 0..=column_count)
        .prop_flat_map(|columns| {
            let is_null = vec(prop_oneof![9 => Just(false), 1 => Just(true)], columns.len());
            (Just(columns), is_null)
        })
        .prop_map(|(columns, is_null)| columns.into_iter().zip(is_null).collect());
    let dates = prop_oneof![12 => Just(dates), 1 => proptest::sample::select(&Dates::ALL[..])];
    let rows = btree_map(0..DATES.len(), seeds(column_count), rows);
    (columns, dates, rows, vec(any::<Index>(), 0..3), vec(any::<u64>(), 2 * DATES.len()))
        .prop_map(|(columns, dates, rows, twice, order)| File { columns, dates, rows, twice, order })
}

/// The panel of one day, and what is written over it on each of some later days.
pub(super) fn days() -> impl Strategy<Value = Vec<Files>> {
    let types = subsequence(types(), 1..12).prop_shuffle();
    let dates = proptest::sample::select(&Dates::ALL[..]);
    (types, dates, 2usize..5).prop_flat_map(|(types, dates, days)| {
        let count = types.len();
        let day = subsequence(CODES.to_vec(), 1..=CODES.len()).prop_flat_map(move |codes| {
            let first = file(count, dates, 1..DATES.len() + 1);
            let rest = vec(file(count, dates, 0..DATES.len() + 1), codes.len() - 1);
            (Just(codes), first, rest)
        });
        vec(day, days).prop_map(move |days| {
            let files = |(codes, first, rest): (Vec<&'static str>, File, Vec<File>)| Files {
                types: types.clone(),
                files: codes.into_iter().zip([first].into_iter().chain(rest)).collect(),
            };
            days.into_iter().map(files).collect()
        })
    })
}

pub(super) fn files() -> impl Strategy<Value = Files> {
    let types = subsequence(types(), 1..12).prop_shuffle();
    let dates = proptest::sample::select(&Dates::ALL[..]);
    let codes = subsequence(CODES.to_vec(), 1..=CODES.len());
    (types, dates, codes).prop_flat_map(|(types, dates, codes)| {
        let count = types.len();
        let first = file(count, dates, 1..DATES.len() + 1);
        let rest = vec(file(count, dates, 0..DATES.len() + 1), codes.len() - 1);
        (first, rest).prop_map(move |(first, rest)| {
            let files = codes.iter().copied().zip([first].into_iter().chain(rest)).collect();
            Files { types: types.clone(), files }
        })
    })
}

/// Rows by date and code: values by name of column.
pub(super) type Rows = BTreeMap<(Date, String), BTreeMap<String, Cell>>;

/// What a store of some files must hold.
#[derive(Debug)]
struct Model {
    /// Name, type and place in the panel's list of types.
    columns: Vec<(String, DataType, usize)>,
    dates: DateForm,
    rows: BTreeMap<(Date, String), Vec<Cell>>,
    merged: u64,
}

fn name(column: usize) -> String {
    format!("column {column}")
}

impl File {
    /// Whether it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Files {
    /// Writes the files into `place`.
    pub(super) fn write(&self, place: &Place) {
        for (code, file) in &self.files {
            let all: Vec<(usize, &Seeds)> = file.rows.iter().map(|(&date, seeds)| (date, seeds)).collect();
            let mut rows = all.clone();
            if !all.is_empty() {
                rows.extend(file.twice.iter().map(|index| *index.get(&all)));
            }
            let mut ordered: Vec<(u64, (usize, &Seeds))> = file.order.iter().copied().zip(rows).collect();
            ordered.sort_by_key(|&(order, _)| order);
            let dates: Vec<Date> = ordered.iter().map(|(_, (date, _))| super::panels::date(DATES[*date])).collect();
            let mut columns = vec![("trade_date".to_owned(), file.dates.array(&dates))];
            for &(column, is_null) in &file.columns {
                let data_type = if is_null { &DataType::Null } else { &self.types[column] };
                let cells: Vec<Cell> =
                    ordered.iter().map(|(_, (_, seeds))| self.cell(data_type, seeds[column])).collect();
                columns.push((name(column), array(data_type, &cells)));
            }
            let columns: Vec<(&str, ArrayRef)> =
                columns.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
            place.add(code, &batch(&columns));
        }
    }

    fn cell(&self, data_type: &DataType, seed: Option<u64>) -> Cell {
        seed.map_or(Cell::Null, |seed| value(data_type, seed))
    }

    /// Takes the rows of some dates away: those whose bit is set.
    pub(super) fn lose_dates(&mut self, dates: u8) {
        for file in self.files.values_mut() {
            file.rows.retain(|date, _| dates >> date & 1 == 0);
        }
    }

    /// Every row with its values, nulls left out, by name of column.
    pub(super) fn rows(&self) -> Rows {
        let model = self.model();
        let named = |row: Vec<Cell>| {
            let cells = model.columns.iter().map(|(name, ..)| name.clone()).zip(row);
            cells.filter(|(_, cell)| *cell != Cell::Null).collect()
        };
        model.rows.into_iter().map(|(key, row)| (key, named(row))).collect()
    }

    fn model(&self) -> Model {
        let mut columns: Vec<(String, DataType, usize)> = Vec::new();
        for &(column, is_null) in self.files.values().flat_map(|file| &file.columns) {
            let data_type = if is_null { DataType::Null } else { logical(&self.types[column]) };
            match columns.iter_mut().find(|(_, _, known)| *known == column) {
                None => columns.push((name(column), data_type, column)),
                Some((_, known, _)) if *known == DataType::Null => *known = data_type,
                Some(_) => {}
            }
        }
        let forms: Vec<DateForm> =
            self.files.values().filter(|file| !file.rows.is_empty()).map(|file| file.dates.form()).collect();
        // The form of most files, and days where two forms have as many.
        let count = |wanted: &DateForm| forms.iter().filter(|form| *form == wanted).count();
        let most = forms.iter().map(count).max();
        let usual: Vec<&DateForm> = forms.iter().filter(|form| Some(count(form)) == most).collect();
        let is_alone = usual.iter().all(|form| *form == usual[0]);
        let mut rows = BTreeMap::new();
        let mut merged = 0;
        for (code, file) in &self.files {
            for (&date, seeds) in &file.rows {
                let cell = |(_, _, column): &(String, DataType, usize)| match file
                    .columns
                    .iter()
                    .find(|(known, _)| known == column)
                {
                    Some((_, false)) => self.cell(&self.types[*column], seeds[*column]),
                    _ => Cell::Null,
                };
                let row = columns.iter().map(cell).collect();
                rows.insert((super::panels::date(DATES[date]), (*code).to_owned()), row);
            }
            if !file.rows.is_empty() {
                merged += file.twice.len() as u64;
            }
        }
        let dates = usual.first().filter(|_| is_alone).map_or(Dates::Days.form(), |form| (*form).clone());
        Model { columns, dates, rows, merged }
    }
}

impl Model {
    fn header(&self) -> Vec<(String, DataType)> {
        let mut header =
            vec![("ts_code".to_owned(), DataType::Utf8), ("trade_date".to_owned(), self.dates.data_type.clone())];
        header.extend(self.columns.iter().map(|(name, data_type, _)| (name.clone(), data_type.clone())));
        header
    }

    fn dates(&self) -> BTreeSet<Date> {
        self.rows.keys().map(|(date, _)| *date).collect()
    }

    fn codes(&self) -> BTreeSet<&str> {
        self.rows.keys().map(|(_, code)| code.as_str()).collect()
    }

    /// The rows with these keys, whole, in order.
    fn select(&self, wanted: impl Fn(Date, &str) -> bool) -> Vec<Vec<Cell>> {
        let kind = Dates::ALL.into_iter().find(|kind| kind.form() == self.dates).unwrap();
        let whole = |((date, code), row): (&(Date, String), &Vec<Cell>)| {
            let date = cell(&kind.array(&[*date]), 0);
            [Cell::Text(code.clone()), date].into_iter().chain(row.iter().cloned()).collect()
        };
        self.rows.iter().filter(|((date, code), _)| wanted(*date, code)).map(whole).collect()
    }

    fn check(&self, found: &RecordBatch, wanted: impl Fn(Date, &str) -> bool, what: &str) {
        assert_eq!(header(found), self.header(), "{what}");
        assert_eq!(rows(found), self.select(wanted), "{what}");
    }

    fn check_store(&self, store: &Store) {
        assert_whole(store);
        assert_eq!(store.row_count(), self.rows.len() as u64);
        assert!(store.dates().unwrap().iter().eq(&self.dates()));
        assert!(store.stocks().unwrap().into_iter().eq(self.codes()));
        assert_eq!(store.schema().unwrap().date_form, self.dates);
        for &date in &self.dates() {
            let section = store.section(date).unwrap();
            assert!(
                section.codes().unwrap().into_iter().eq(self.rows.keys().filter(|key| key.0 == date).map(|key| &key.1))
            );
            self.check(&section.batch().unwrap(), |day, _| day == date, &format!("section of {date}"));
        }
        for code in self.codes() {
            self.check(&store.series(code).unwrap(), |_, other| other == code, &format!("series of {code}"));
        }
        for (at, (name, data_type, _)) in self.columns.iter().enumerate() {
            macro_rules! check {
                ($type:ty) => {
                    self.check_matrix::<$type>(store, at)
                };
            }
            downcast_primitive! {
                data_type => (check),
                DataType::Boolean | DataType::Null => self.check_matrix::<UInt8Type>(store, at),
                _ => {
                    let matrix = store.answer(&Request::of([name])).unwrap().matrix(&Fill::of::<UInt8Type>(0), &workers(1), &Silent);
                    assert!(matches!(matrix, Err(transect::Error::Refused { .. })), "{name}: {data_type}");
                }
            }
        }
        let nulls: Vec<u64> = (0..self.columns.len())
            .map(|at| self.rows.values().filter(|row| row[at] == Cell::Null).count() as u64)
            .collect();
        let counted: Vec<u64> = store.info().unwrap().columns[2..].iter().map(|column| column.nulls).collect();
        assert_eq!(counted, nulls);
    }

    fn check_matrix<T: ArrowPrimitiveType>(&self, store: &Store, column: usize) {
        let name = &self.columns[column].0;
        let fill = T::Native::usize_as(3);
        let matrix =
            store.answer(&Request::of([name])).unwrap().matrix(&Fill::of::<T>(fill), &workers(2), &Silent).unwrap();
        assert!(matrix.dates().iter().copied().eq(self.dates()) && matrix.stocks().iter().eq(self.codes()));
        let bits = |value: T::Native| cell(&(Arc::new(PrimitiveArray::<T>::from_value(value, 1)) as ArrayRef), 0);
        for (d, &date) in matrix.dates().iter().enumerate() {
            for (s, code) in matrix.stocks().iter().enumerate() {
                let row = self.rows.get(&(date, code.to_owned()));
                let expected = row.map_or(&Cell::Null, |row| &row[column]);
                assert_eq!(matrix.has_row(d, s), row.is_some(), "{name}: {date} {code}");
                assert_eq!(&matrix.value::<T>(d, s).map_or(Cell::Null, bits), expected, "{name}: {date} {code}");
                let dense = if *expected == Cell::Null { bits(fill) } else { expected.clone() };
                assert_eq!(bits(matrix.date_values::<T>(d).unwrap()[s]), dense, "{name}: {date} {code}");
            }
        }
    }

    fn check_output(&self, store: &Store, out: &Path, format: Format, by: Partition) {
        let shape = Shape { by, format, ..Shape::default() };
        let report = Transpose::new(store, out).shape(shape).workers(2).run().unwrap();
        assert_eq!(report.rows, self.rows.len() as u64);
        // What each file should be of.
        let name = |day: Date, code: &str| match by {
            Partition::Date => day.to_string(),
            Partition::Month => day.to_string()[..6].to_owned(),
            Partition::Stock => code.to_owned(),
            other => other.to_string(),
        };
        let names: BTreeSet<String> = self.rows.keys().map(|(day, code)| name(*day, code)).collect();
        assert_eq!(report.written, names.len() as u64);
        for of in names {
            let path = out.join(format!("{of}.{format}"));
            let found = match format {
                Format::Parquet => with_seconds(&read_parquet(&path), &self.columns),
                _ => {
                    let mut reader = FileReader::try_new(fs::File::open(&path).unwrap(), None).unwrap();
                    reader.next().unwrap().unwrap()
                }
            };
            self.check(&found, |day, code| name(day, code) == of, &format!("{}", path.display()));
        }
        assert_eq!(verify_output(store, out, &workers(2), &Silent).unwrap().differences, Vec::<String>::new());
    }
}

/// `found` with the seconds of `columns` for the milliseconds that Parquet has instead.
fn with_seconds(found: &RecordBatch, columns: &[(String, DataType, usize)]) -> RecordBatch {
    use DataType::{Time32, Timestamp};
    let schema = found.schema();
    let columns = schema.fields().iter().zip(found.columns()).map(|(field, array)| {
        let own = columns.iter().find(|(name, ..)| name == field.name()).map_or(field.data_type(), |(_, own, _)| own);
        let array = match (own, field.data_type()) {
            (Timestamp(TimeUnit::Second, _), Timestamp(TimeUnit::Millisecond, _))
            | (Time32(TimeUnit::Second), Time32(TimeUnit::Millisecond)) => cast(array, own).unwrap(),
            (Timestamp(TimeUnit::Second, _) | Time32(TimeUnit::Second), other) => panic!("seconds as {other}"),
            _ => array.clone(),
        };
        (field.name().as_str(), array)
    });
    batch(&columns.collect::<Vec<_>>())
}

fn assert_same_segment(a: &Path, b: &Path) {
    let (a, b) = (fs::read(segment_path(a)).unwrap(), fs::read(segment_path(b)).unwrap());
    let differs = a.iter().zip(&b).position(|(a, b)| a != b);
    assert!(
        a.len() == b.len() && differs.is_none(),
        "segments of {} and {} bytes differ at {differs:?}",
        a.len(),
        b.len()
    );
}

fn check(files: &Files) {
    let place = Place::new();
    files.write(&place);
    let model = files.model();
    let report = Build::new(place.source(), place.store()).workers(1).run().unwrap();
    assert_eq!(report.skipped, [], "files are skipped");
    assert_eq!((report.rows, report.merged_rows), (model.rows.len() as u64, model.merged));
    let store = Store::open(place.store()).unwrap();
    model.check_store(&store);
    let source = verify_source(&store, &place.source(), &workers(1).within(64 << 20), &Silent).unwrap();
    assert!(source.is_complete(), "{source:?}");
    assert_eq!(source.rows, model.rows.len() as u64);
    for by in [Partition::Date, Partition::Month, Partition::All, Partition::Stock] {
        model.check_output(&store, &place.path(&format!("parquet-{by}")), Format::Parquet, by);
        model.check_output(&store, &place.path(&format!("arrow-{by}")), Format::Arrow, by);
    }

    // Less memory and more workers make other blocks, and the same store.
    let other = place.path("other.store");
    Build::new(place.source(), &other).workers(3).memory(64 << 20).run().unwrap();
    assert_same_segment(&place.store(), &other);
    model.check_store(&Store::open(other).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 300, ..cases(64) })]

    #[test]
    fn a_store_of_random_files_holds_what_the_model_holds(files in files()) {
        check(&files);
    }
}

/// Every type at once, so that none depends on the luck of the draw, with every awkward value and a null each.
#[test]
fn every_type_keeps_every_awkward_value() {
    let types = types();
    let columns: Vec<(usize, bool)> = (0..types.len()).map(|column| (column, false)).collect();
    let file = |shift: u64| File {
        columns: columns.clone(),
        dates: Dates::Digits,
        rows: (0..DATES.len())
            .map(|row| {
                let seed = |column: usize| (row as u64 + shift) * 2 + column as u64 % 2;
                (row, (0..types.len()).map(|column| (row != column % 7).then(|| seed(column))).collect())
            })
            .collect(),
        twice: Vec::new(),
        order: (0..DATES.len() as u64).rev().collect(),
    };
    let files = CODES.iter().zip([0, 3, 6, 1, 2, 4, 5, 7, 8]).map(|(code, shift)| (*code, file(shift))).collect();
    check(&Files { types, files });
}

/// Files that do not fit a worker's share of the memory are read a few columns at a time; here that share is small.
#[test]
fn files_too_large_for_a_block_give_the_same_store() {
    let place = Place::new();
    let columns = 12;
    let first = super::panels::date(19900101).days();
    for (stock, code) in ["A", "B", "C"].into_iter().enumerate() {
        let len = if code == "B" { 2_000 } else { 40 };
        let dates: Vec<Date> = (0..len).rev().map(|day| Date::from_days(first + day).unwrap()).collect();
        let mut all: Vec<(String, ArrayRef)> = vec![("date".to_owned(), Dates::Digits.array(&dates))];
        for column in 0..columns {
            let data_type = if column == 3 { DataType::Utf8 } else { DataType::Float64 };
            let cells: Vec<Cell> = (0..len as u64)
                .map(|row| match (row + column + stock as u64) % 11 {
                    0 => Cell::Null,
                    _ if data_type == DataType::Utf8 => Cell::Text(format!("{row:04000}")),
                    _ => value(&data_type, row * 31 + column),
                })
                .collect();
            all.push((name(column as usize), array(&data_type, &cells)));
        }
        let all: Vec<(&str, ArrayRef)> = all.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
        place.add(code, &batch(&all));
    }
    place.build();
    let other = place.path("other.store");
    // Less 16 MiB that a run takes in any case, half of 64 MiB among four workers, of which there are no more.
    let share = ((64 - 16) << 20) / 2 / 4;
    let found = survey(&place.source(), &SourceOptions::default(), &workers(1), &Silent).unwrap();
    let large: Vec<&str> = found.inputs.iter().filter(|i| i.decoded_len > share).map(|i| i.unit.as_str()).collect();
    assert_eq!(large, ["B"]);
    Build::new(place.source(), &other).workers(64).memory(64 << 20).run().unwrap();
    assert_same_segment(&place.store(), &other);
    let store = Store::open(&other).unwrap();
    assert_whole(&store);
    let report = verify_source(&store, &place.source(), &workers(1).within(64 << 20), &Silent).unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.rows, 2_080);
}

#[test]
fn memory_that_is_too_little_is_refused_before_anything_is_written() {
    let place = Place::new();
    super::panels::small_panel(&place, 0);
    let result = Build::new(place.source(), place.store()).memory((64 << 20) - 1).run();
    assert!(matches!(result, Err(transect::Error::Invalid { .. })));
    assert!(!place.store().exists());
}
