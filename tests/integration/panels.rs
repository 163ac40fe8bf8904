//! Small panels for the other modules: written as Parquet files, built, and read back as values that compare bit by
//! bit.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowDictionaryKeyType, Int8Type, Int16Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaDataReader;
use proptest::prelude::ProptestConfig;
use tempfile::TempDir;
use transect::format::{Header, parse_catalog_name};
use transect::progress::Silent;
use transect::storage::list;
use transect::store::{DiffReport, VerifyReport};
use transect::workers::Workers;
use transect::{Build, BuildReport, Date, Store, TransposeReport, verify_output};

/// One value. Floats are their bits, so that NaN payloads and the sign of zero count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    Null,
    /// The bits of a value of fixed width.
    Bits(u128),
    Text(String),
    Bytes(Vec<u8>),
}

/// The value of `array` in `row`.
pub fn cell(array: &ArrayRef, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    let bytes = |bytes: &[u8]| Cell::Bytes(bytes.to_vec());
    match array.data_type() {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Bits(array.as_boolean().value(row).into()),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Cell::Text(array.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Cell::Text(array.as_string_view().value(row).to_owned()),
        DataType::Binary => bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => bytes(array.as_binary_view().value(row)),
        DataType::Dictionary(key, _) => match key.as_ref() {
            DataType::Int8 => coded::<Int8Type>(array, row),
            DataType::Int16 => coded::<Int16Type>(array, row),
            DataType::Int32 => coded::<Int32Type>(array, row),
            other => panic!("dictionary keys of type {other}"),
        },
        fixed => {
            let width = fixed.primitive_width().unwrap_or_else(|| panic!("no cell of type {fixed}"));
            let data = array.to_data();
            let start = (data.offset() + row) * width;
            let mut bits = [0; 16];
            bits[..width].copy_from_slice(&data.buffers()[0][start..start + width]);
            Cell::Bits(u128::from_le_bytes(bits))
        }
    }
}

fn coded<K: ArrowDictionaryKeyType>(array: &ArrayRef, row: usize) -> Cell {
    let codes = array.as_dictionary::<K>();
    let code = codes.key(row).expect("a row that is not null has a key");
    cell(codes.values(), code)
}

/// Column names and types.
pub fn header(batch: &RecordBatch) -> Vec<(String, DataType)> {
    batch.schema().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
}

/// All rows of `batch`.
pub fn rows(batch: &RecordBatch) -> Vec<Vec<Cell>> {
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| cell(column, row)).collect()).collect()
}

/// Header and rows: two batches are the same if these are equal.
pub type Contents = (Vec<(String, DataType)>, Vec<Vec<Cell>>);

/// What `batch` holds.
pub fn contents(batch: &RecordBatch) -> Contents {
    (header(batch), rows(batch))
}

/// A batch of these columns.
pub fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.iter().map(|(_, array)| array.clone()).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// Writes `batch` as the Parquet file `path`.
pub fn write_parquet(path: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// The rows of a Parquet file.
pub fn read_parquet(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    let schema = arrow_array::RecordBatchReader::schema(&reader);
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    arrow_select::concat::concat_batches(&schema, &batches).unwrap()
}

pub fn date(yyyymmdd: i64) -> Date {
    Date::from_yyyymmdd(yyyymmdd).unwrap()
}

pub fn workers(count: usize) -> Workers {
    Workers::new(Some(count)).unwrap()
}

/// A directory with a source and room for stores and outputs.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(place.source()).unwrap();
        place
    }

    /// In memory where the system has such a place, for tests that sync thousands of times and do not mean a real disk.
    pub fn in_memory() -> Place {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let place = Place { dir: dir.unwrap() };
        fs::create_dir(place.source()).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn source(&self) -> PathBuf {
        self.path("source")
    }

    pub fn store(&self) -> PathBuf {
        self.path("panel.store")
    }

    /// Adds the file of the stock `code`.
    pub fn add(&self, code: &str, batch: &RecordBatch) {
        write_parquet(&self.source().join(format!("{code}.parquet")), batch);
    }

    /// Builds the store with one worker.
    pub fn build(&self) -> BuildReport {
        Build::new(self.source(), self.store()).workers(1).run().unwrap()
    }
}

/// The days of the small panel.
pub const SMALL_DATES: [i64; 3] = [20231229, 20240102, 20240103];

/// Fills `place` with four stocks of [`SMALL_DATES`], one column of each stored width, and a value of each awkward
/// kind. `salt` changes values, but neither keys nor lengths.
pub fn small_panel(place: &Place, salt: i64) {
    let nan = f64::from_bits(0x7ff8_0000_0000_1234);
    let all = SMALL_DATES;
    add_small(place, "000001.SZ", &all, &[Some(0.5), Some(nan), None], salt);
    add_small(place, "600000.SH", &all[1..], &[Some(-0.0), Some(f64::NEG_INFINITY)], salt);
    add_small(place, "BRK.B", &[all[2], all[0]], &[None, Some(f64::MIN_POSITIVE)], salt);
    add_small(place, "平安", &all[1..2], &[Some(1e300)], salt);
}

fn add_small(place: &Place, code: &str, dates: &[i64], sizes: &[Option<f64>], salt: i64) {
    let len = dates.len() as i64;
    let dates = dates.iter().map(|date| Some(date.to_string()));
    let name = |row: i64| (row != 1).then(|| format!("name {}", (row + salt) % 10));
    let columns: [(&str, ArrayRef); 8] = [
        ("trade_date", Arc::new(dates.collect::<StringArray>())),
        ("size", Arc::new(sizes.iter().map(|size| size.map(|size| size + salt as f64)).collect::<Float64Array>())),
        ("ind_bank", Arc::new((0..len).map(|row| Some((row + salt) % 2)).collect::<Int64Array>())),
        ("volume", Arc::new((0..len).map(|row| (row != 2).then_some(70_000 + row + salt)).collect::<Int64Array>())),
        ("halted", Arc::new((0..len).map(|row| (row == 1).then_some(salt % 2 == 0)).collect::<BooleanArray>())),
        ("name", Arc::new((0..len).map(name).collect::<StringArray>())),
        (
            "price",
            Arc::new(
                (0..len)
                    .map(|row| Some(i128::from(1_234_567 + row + salt)))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(20, 4)
                    .unwrap(),
            ),
        ),
        ("raw", Arc::new((0..len).map(|row| Some(vec![row as u8, salt as u8])).collect::<BinaryArray>())),
    ];
    place.add(code, &batch(&columns));
}

/// The store of the small panel.
pub fn small_store() -> (Place, Store) {
    let place = Place::new();
    small_panel(&place, 0);
    place.build();
    let store = Store::open(place.store()).unwrap();
    (place, store)
}

/// Verifies all of `store`.
pub fn verify(store: &Store) -> VerifyReport {
    store.verify(&workers(1), &Silent).unwrap()
}

/// Asserts that `store` is whole, and that its last change is told as it was.
pub fn assert_whole(store: &Store) {
    assert_eq!(verify(store).damages, Vec::<String>::new());
    assert_told(store);
}

/// Asserts that what was noted of the store's version against the one before is what a comparison of all their rows says,
/// where that one can be opened.
pub fn assert_told(store: &Store) {
    let history = store.history().unwrap();
    let [.., before, entry] = &history[..] else { return };
    let Ok(older) = store.other_version(before.version) else { return };
    let Some(noted) = store.changes_of(entry.version).unwrap() else {
        assert!(["build", "write"].contains(&entry.command.as_str()), "{entry:?}");
        return;
    };
    let diff = store.diff(&older).unwrap().report(&workers(1), &Silent).unwrap();
    let columns = |report: &DiffReport| {
        let differing = report.columns.iter().filter(|of| of.differs()).cloned();
        let told = differing.map(|of| (of.name, of.older_type, of.newer_type, of.restated, of.filled));
        told.collect::<Vec<_>>()
    };
    assert_eq!((columns(&noted), noted.columns.len()), (columns(&diff), columns(&diff).len()), "{entry:?}");
    assert_eq!((&noted.dates, &noted.stocks), (&diff.dates, &diff.stocks), "{entry:?}");
    let counts = |of: &DiffReport| (of.older, of.newer, of.added, of.restated, of.filled, of.removed);
    let of_entry = (Some(before.version), entry.version, entry.added, entry.restated, entry.filled, entry.removed);
    assert_eq!((counts(&noted), of_entry), (counts(&diff), of_entry));
}

/// Every section of `store`, by date.
pub fn sections(store: &Store) -> Vec<(Date, Contents)> {
    let dates = store.dates().unwrap();
    dates.iter().map(|&date| (date, contents(&store.section(date).unwrap().batch().unwrap()))).collect()
}

/// What is in the directory `dir`, in order.
pub fn paths_in(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = list(dir).unwrap().map(|name| dir.join(name.unwrap())).collect();
    paths.sort_unstable();
    paths
}

/// The one segment of a small store.
pub fn segment_path(store: &Path) -> PathBuf {
    let mut found = paths_in(&store.join("segment"));
    found.retain(|path| path.extension().is_some_and(|ending| ending == "arrow"));
    assert_eq!(found.len(), 1, "segments of {}: {found:?}", store.display());
    found.remove(0)
}

/// The versions that have a catalog in `store`, by the commits that wrote them, as names have them.
pub fn commits(store: &Path) -> BTreeMap<String, u64> {
    let names = paths_in(&store.join("catalog")).into_iter().filter_map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        parse_catalog_name(&name)?;
        let version = fs::read(&path).unwrap()[offset_of!(Header, version)..][..8].try_into().unwrap();
        Some((name, u64::from_le_bytes(version)))
    });
    names.collect()
}

/// `text` with versions in place of the commits that wrote them.
pub fn by_version(commits: &BTreeMap<String, u64>, text: &str) -> String {
    commits.iter().fold(text.to_owned(), |text, (commit, version)| text.replace(commit, &version.to_string()))
}

/// Where a file of `store` lies that is named by version: `catalog/1`, `catalog/1-0000`, `segment/1-0000.arrow` or
/// `segment/1.chunks`.
pub fn named(store: &Path, name: &str) -> PathBuf {
    let (dir, name) = name.split_once('/').unwrap();
    let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    let version: u64 = name[..digits].parse().unwrap();
    let (commit, _) = commits(store).into_iter().find(|(_, of)| *of == version).unwrap();
    store.join(dir).join(format!("{commit}{}", &name[digits..]))
}

/// Every file and directory below `root`, relative to it.
pub fn entries(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for path in paths_in(&dir) {
            found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            if path.symlink_metadata().unwrap().is_dir() {
                open.push(path);
            }
        }
    }
    found.sort_unstable();
    found
}

/// Makes the ledger of an output directory one that a test can read and change: bare JSON, as earlier versions had it.
pub fn bare_ledger(out: &Path) -> PathBuf {
    let wrapped = out.join(".transect.parquet");
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&File::open(&wrapped).unwrap()).unwrap();
    let pairs = metadata.file_metadata().key_value_metadata().unwrap();
    let text = pairs.iter().find(|pair| pair.key == "transect").unwrap().value.clone().unwrap();
    fs::remove_file(wrapped).unwrap();
    let path = out.join(".transect.json");
    fs::write(&path, text).unwrap();
    path
}

/// Fails unless `out` has what transpose writes of `store`, and nothing half-written.
pub fn assert_clean(store: &Store, out: &Path) {
    let report = verify_output(store, out, &workers(1), &Silent).unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    assert_no_leftovers(out);
}

/// How many files a run wrote, left and removed.
pub fn counts(report: &TransposeReport) -> (u64, u64, u64) {
    (report.written, report.unchanged_files, report.removed_files)
}

/// Asserts that nothing temporary is left below `root`.
pub fn assert_no_leftovers(root: &Path) {
    let left: Vec<String> = entries(root)
        .into_iter()
        .filter(|path| path.rsplit('/').next().unwrap().starts_with(".transect-") || path.contains("spill"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "in {}", root.display());
}

/// So many random cases, or `TRANSECT_TIMES` as many, without a file of those that failed.
pub fn cases(count: u32) -> ProptestConfig {
    let cases = count * setting("TRANSECT_TIMES", 1) as u32;
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A number from the environment, for runs that try more than usual.
pub fn setting(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => usual,
    }
}

/// Copies a store.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in paths_in(from) {
        let target = to.join(path.file_name().unwrap());
        if path.symlink_metadata().unwrap().is_dir() {
            copy_dir(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
