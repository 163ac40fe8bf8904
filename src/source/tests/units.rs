//! Several files a stock: which are one stock's, and what they make together.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;
use crate::source::{Duplicates, Known, KnownFile, Pattern, Scan, Trust, scan};

fn rows(dates: &[&str], values: &[f64]) -> Vec<(&'static str, ArrayRef)> {
    vec![("date", texts(dates)), ("x", floats(values))]
}

fn source(pattern: &str) -> Source {
    let mut source = Source::new();
    source.options(|options| options.pattern = pattern.parse().unwrap());
    source
}

/// Codes, each with the paths of its files.
fn units(survey: &Survey) -> Vec<String> {
    let paths = |input: &crate::source::Input| {
        input.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(" ")
    };
    survey.inputs.iter().map(|input| format!("{}: {}", input.unit, paths(input))).collect()
}

#[test]
fn a_code_takes_what_it_can_and_every_other_placeholder_something() {
    let values = |pattern: &str, path: &str| {
        let values = pattern.parse::<Pattern>().unwrap().values_of(Path::new(path))?;
        let text = |value: &crate::source::path::pattern::Value| String::from_utf8(value.decoded()).unwrap();
        Some(values.all().iter().map(text).collect::<Vec<_>>().join(" "))
    };
    let fits = |pattern: &str, path: &str, expected: &str| {
        assert_eq!(values(pattern, path).as_deref(), Some(expected), "{pattern} {path}");
    };
    fits("{exchange}_{code}.parquet", "SH_6000_00.parquet", "SH 6000_00");
    fits("{code}_{year}.parquet", "BRK_A_2024.parquet", "BRK_A 2024");
    fits("{code}.{exchange}.parquet", "BRK.B.US.parquet", "BRK.B US");
    fits("{a}_{code}_{b}_{c}", "1_2_3_4_5", "1 2_3 4 5");
    fits("{*}/{code}-{*}.pq", "x/A-B-1.pq", "x A-B 1");
    fits("{code}/{code}_{year}.parquet", "A/A_2024.parquet", "A 2024");
    fits("s={code}/{code}.parquet", "s=A%2FB/A%2FB.parquet", "A/B");
    fits("{code}.x/{code}", "A.x/A", "A");
    for (pattern, path) in [
        ("{exchange}_{code}.parquet", "_SH.parquet"),
        ("{code}_{year}.parquet", "A_.parquet"),
        ("{code}/{code}_{year}.parquet", "A/B_2024.parquet"),
        ("{code}/{year}.parquet", "A/2024.csv"),
        ("{code}/{year}.parquet", "A.parquet"),
        ("{code}/{year}.parquet", "A/B/2024.parquet"),
        ("{code}/{*}", "A"),
    ] {
        assert_eq!(values(pattern, path), None, "{pattern} {path}");
    }
}

#[test]
fn files_of_one_code_are_one_stock_unless_they_may_be_of_two() {
    let day = || rows(&["20240102"], &[1.0]);
    let with = |pattern: &str, paths: &[&str]| {
        let source = source(pattern);
        paths.iter().for_each(|path| _ = source.add_at(path, &day()));
        source
    };
    let found = |pattern: &str, paths: &[&str]| units(&with(pattern, paths).survey()).join("; ");
    assert_eq!(
        found("{code}/{year}.parquet", &["A/2023.parquet", "A/2024.parquet", "B/2023.parquet"]),
        "A: A/2023.parquet A/2024.parquet; B: B/2023.parquet"
    );
    assert_eq!(found("{code}/{*}.parquet", &["A/x.parquet", "A/y.parquet"]), "A: A/x.parquet A/y.parquet");
    assert_eq!(found("{*}/{code}.parquet", &["2023/A.parquet", "2024/A.parquet"]), "A: 2023/A.parquet 2024/A.parquet");
    assert_eq!(
        found("{year}/{month}/{code}.parquet", &["2023/1/A.parquet", "2023/2/A.parquet"]),
        "A: 2023/1/A.parquet 2023/2/A.parquet"
    );
    assert_eq!(
        found("{code}_{year}.parquet", &["A_2023.parquet", "A_2024.parquet"]),
        "A: A_2023.parquet A_2024.parquet"
    );
    assert_eq!(
        found("{exchange}/{code}.parquet", &["SH/A.parquet", "SZ/B.parquet"]),
        "A: SH/A.parquet; B: SZ/B.parquet"
    );

    let paths = ["NYSE/3M.parquet", "SP/3M.parquet", "SP/B.parquet"];
    let mut source = with("{exchange}/{code}.parquet", &paths);
    assert_eq!(
        source.refused(),
        "NYSE/3M.parquet and SP/3M.parquet both give the code \"3M\", and may be of two stocks; code template \
         {code}.{exchange} tells them apart, or code template {code} takes them for files of one stock"
    );
    // Advised before there is such a pattern: as many stocks as files.
    let refused = with("{code}.parquet", &paths).refused();
    assert!(refused.ends_with(".{folder} reads the Parquet files there"), "{refused}");
    source.options(|options| options.code_template = Some("{code}.{exchange}".parse().unwrap()));
    assert_eq!(units(&source.survey()), ["3M.NYSE: NYSE/3M.parquet", "3M.SP: SP/3M.parquet", "B.SP: SP/B.parquet"]);
    source.options(|options| options.code_template = Some("{code}".parse().unwrap()));
    assert_eq!(units(&source.survey()), ["3M: NYSE/3M.parquet SP/3M.parquet", "B: SP/B.parquet"]);
    source.options(|options| options.code_template = Some("{code}.{market}".parse().unwrap()));
    assert_eq!(
        source.refused(),
        "code template names {market}, which the pattern {exchange}/{code}.parquet does not have; put {market} where \
         it stands in the paths"
    );

    let paths = ["NYSE/3M.parquet", "SP/3M.parquet", "NYSE/B.parquet", "SP/B.parquet"];
    let refused = with("{*}/{code}.parquet", &paths).refused();
    assert_mentions(
        &refused,
        &["so it is with 1 more code", "pattern {folder}/{code}.parquet with code template {code}.{folder}"],
    );
    // Of two folders, whatever else stands in the paths.
    let paths = ["SH/A_2023.parquet", "SZ/A_2024.parquet"];
    assert_mentions(
        &with("{exchange}/{code}_{year}.parquet", &paths).refused(),
        &["code template {code}.{exchange} tells"],
    );
    for bad in ["{exchange}", "x", "{code}{*}"] {
        assert!(bad.parse::<crate::source::CodeTemplate>().is_err(), "{bad}");
    }
}

#[test]
fn what_is_ignored_is_neither_read_nor_named() {
    let mut source = Source::new();
    source.add("A", &rows(&["20240102"], &[1.0])).write("_meta.parquet", b"no").write("old/x.parquet", b"no");
    source.options(|options| options.ignore = vec!["_*".parse().unwrap(), "old".parse().unwrap()]);
    let survey = source.survey();
    assert_eq!((units(&survey), survey.skipped.len(), survey.notes.len()), (vec!["A: A.parquet".to_owned()], 0, 0));
}

#[test]
fn a_stock_with_a_bad_file_is_left_out_whole_and_has_no_say() {
    let source = source("{code}/{year}.parquet");
    source
        .add_at("A/2023.parquet", &[("date", texts(&["20230102"])), ("only_a", floats(&[1.0])), ("x", texts(&["a"]))]);
    source.write("A/2024.parquet", b"no").add_at("B/2023.parquet", &rows(&["20230102"], &[1.0]));
    source.add_at("C/2023.parquet", &[("date", texts(&["20230102"])), ("only_c", ints(&[1]))]);
    source.add_at("C/2024.parquet", &[("day", texts(&["20230102"]))]);
    let survey = source.survey();
    assert_eq!((units(&survey), names(&survey)), (vec!["B: B/2023.parquet".to_owned()], vec!["x"]));
    let skipped: Vec<String> = survey.skipped.iter().map(|s| format!("{} {}", s.path, s.reason.what())).collect();
    assert_eq!(skipped[0], "A/2023.parquet another file of its stock cannot be used: A/2024.parquet");
    assert_mentions(&skipped[1], &["A/2024.parquet is not a Parquet file"]);
    assert_eq!(skipped[2], "C/2023.parquet another file of its stock cannot be used: C/2024.parquet");
    assert_mentions(&skipped[3], &["C/2024.parquet", "date column"]);
}

#[test]
fn rows_of_one_key_in_two_files_are_duplicates() {
    let mut source = source("{code}/{year}.parquet");
    source.add_at("A/2023.parquet", &rows(&["20231229", "20240102"], &[1.0, 2.0]));
    source.add_at("A/2024.parquet", &rows(&["20240103", "20240102"], &[4.0, 3.0]));
    let read = |source: &Source| {
        let survey = source.survey();
        let (reader, columns) = read_all(&survey, 0).map_err(|bad| bad.to_string())?;
        let counts: Vec<(u64, u64)> = reader.files().iter().map(|file| (file.rows, file.merged)).collect();
        let values = columns[0].clone().unwrap();
        Ok::<_, String>((days(&reader), values, counts))
    };
    assert_eq!(
        read(&source).unwrap_err(),
        "has differing rows for 20240102: \"x\" is 2.0 in row 2 of A/2023.parquet and 3.0 in row 2; duplicates first \
         keeps the one, or duplicates last the other"
    );
    source.options(|options| options.duplicates = Duplicates::First);
    let dates = ["20231229", "20240102", "20240103"].map(str::to_owned).to_vec();
    assert_eq!(read(&source).unwrap(), (dates.clone(), floats(&[1.0, 2.0, 4.0]), vec![(2, 0), (1, 1)]));
    source.options(|options| options.duplicates = Duplicates::Last);
    assert_eq!(read(&source).unwrap(), (dates.clone(), floats(&[1.0, 3.0, 4.0]), vec![(1, 1), (2, 0)]));
    source.options(|options| options.duplicates = Duplicates::Error);
    source.add_at("A/2024.parquet", &rows(&["20240103", "20240102"], &[4.0, 2.0]));
    assert_eq!(read(&source).unwrap(), (dates, floats(&[1.0, 2.0, 4.0]), vec![(2, 0), (1, 1)]));
}

#[test]
fn files_that_do_not_stay_open_are_read_again_unless_they_changed() {
    let source = source("{code}/{year}.parquet");
    for year in 2000..2010 {
        source.add_at(&format!("A/{year}.parquet"), &rows(&[&format!("{year}0102")], &[f64::from(year)]));
    }
    let mut survey = source.survey();
    let len = survey.inputs[0].files[0].byte_len;
    survey.whole_file_limit(len * 3);
    let (reader, columns) = read_all(&survey, 0).unwrap();
    let expected: Vec<f64> = (2000..2010).map(f64::from).collect();
    assert_eq!((reader.dates().len(), columns[0].clone().unwrap()), (10, floats(&expected)));
    let path = source.path().join("A/2009.parquet");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, encoded(&rows(&["20090102"], &[1.0]))).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    let bad = reader.read(0..1).unwrap_err();
    assert_eq!(bad.file, 9);
    assert_mentions(&bad, &["changed since it was surveyed"]);
}

#[test]
fn a_stock_whose_files_take_too_much_together_is_refused_with_the_figure() {
    let source = source("{code}/{year}.parquet");
    let dates: Vec<String> =
        (0..120_000).map(|n| format!("{:04}{:02}{:02}", 1700 + n / 336, n / 28 % 12 + 1, n % 28 + 1)).collect();
    let dates: Vec<&str> = dates.iter().map(String::as_str).collect();
    for (n, dates) in dates.chunks(12_000).enumerate() {
        let column = |name| (name, floats(&vec![n as f64; dates.len()]));
        source.add_at(
            &format!("A/{}.parquet", 2000 + n),
            &[("date", texts(dates)), column("x"), column("y"), column("z")],
        );
    }
    let workers = Workers::new(Some(1)).unwrap().within(16 << 20);
    let survey = survey(source.path(), &source.options, &workers, &Silent).unwrap();
    let reader = survey.open(&survey.inputs[0]).unwrap();
    let bad = reader.read(0..3).unwrap_err();
    assert!(reader.was_too_large());
    assert_mentions(
        &bad,
        &["what its stock's files hold would take", "more than a quarter of the memory, which is 16 MiB"],
    );
    assert_eq!(reader.read(1..2).map(|columns| columns.len()).map_err(|bad| bad.to_string()), Ok(1));
}

fn scanned(source: &Source, known: &[&str], goes: bool, changed: &[&str]) -> Scan {
    let file = |path: &&str| {
        let metadata = fs::metadata(source.path().join(path));
        let modified = |metadata: fs::Metadata| {
            let modified =
                metadata.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64;
            KnownFile {
                byte_len: metadata.len(),
                modified_ns: modified - i64::from(changed.contains(path)),
                content_hash: 0,
            }
        };
        let gone = KnownFile { byte_len: 1, modified_ns: 1, content_hash: 1 };
        ((*path).to_owned(), metadata.map_or(gone, modified))
    };
    let files: HashMap<String, KnownFile> = known.iter().map(file).collect();
    let known = Known { files: &files, goes: &|_| goes, again: &|_| false, trust: Trust::Stamp };
    scan(source.path(), &source.options, &known, &Workers::new(Some(1)).unwrap(), &Silent).unwrap()
}

#[test]
fn when_one_file_of_a_stock_changed_all_are_read_and_none_when_one_is_gone() {
    let source = source("{code}/{year}.parquet");
    for path in ["A/2023.parquet", "A/2024.parquet", "B/2023.parquet", "B/2024.parquet"] {
        source.add_at(path, &rows(&["20240102"], &[1.0]));
    }
    let all = ["A/2023.parquet", "A/2024.parquet", "B/2023.parquet", "B/2024.parquet"];
    let paths =
        |scan: &Scan| scan.changed.iter().map(|(_, path)| path.display().to_string()).collect::<Vec<_>>().join(" ");
    let scan = scanned(&source, &all, false, &[]);
    assert_eq!((paths(&scan), scan.unchanged), (String::new(), 4));
    let scan = scanned(&source, &all, false, &["B/2024.parquet"]);
    assert_eq!((paths(&scan), scan.unchanged), ("B/2023.parquet B/2024.parquet".to_owned(), 2));
    // A new file, too.
    let scan = scanned(&source, &all[..3], false, &[]);
    assert_eq!((paths(&scan), scan.unchanged), ("B/2023.parquet B/2024.parquet".to_owned(), 2));
    let known = [&all[..], &["B/2022.parquet"]].concat();
    let scan = scanned(&source, &known, false, &["B/2024.parquet", "A/2023.parquet"]);
    assert_eq!(
        (paths(&scan), scan.unchanged, scan.missing),
        ("A/2023.parquet A/2024.parquet".to_owned(), 1, vec!["B/2022.parquet".to_owned()])
    );
    let told: Vec<String> =
        scan.skipped.iter().map(|skipped| format!("{}: {}", skipped.path, skipped.reason)).collect();
    assert_eq!(
        told,
        [
            "B/2024.parquet: another file of its stock is gone: B/2022.parquet; prune reads what is left, and removes the \
          rows of what is gone"
        ]
    );
    let scan = scanned(&source, &known, true, &[]);
    assert_eq!(
        (paths(&scan), scan.pruned, scan.missing.len()),
        ("B/2023.parquet B/2024.parquet".to_owned(), vec!["B/2022.parquet".to_owned()], 0)
    );
}

#[test]
fn files_below_what_cannot_be_looked_at_are_not_gone() {
    let source = source("{code}/{year}.parquet");
    source.add_at("A/2023.parquet", &rows(&["20240102"], &[1.0]));
    std::os::unix::fs::symlink("loop", source.path().join("loop")).unwrap();
    let scan = scanned(&source, &["A/2023.parquet", "loop/2023.parquet"], false, &[]);
    assert_eq!((scan.missing.len(), scan.unchanged, scan.skipped[0].path.as_str()), (0, 1, "loop"));
}

/// The rows of some files of one stock, each with keys and values; `None` as a value is null.
fn files() -> impl Strategy<Value = Vec<Vec<(u32, u8, Option<i64>)>>> {
    prop::collection::vec(prop::collection::vec((0..40_u32, 0..3_u8, prop::option::of(0..3_i64)), 0..20), 1..6)
}

proptest! {
    /// A model: the rows of all files by key, in the order of the files.
    #[test]
    fn files_make_what_a_map_of_their_rows_makes(files in files(), keyed: bool, keep in 0..3_usize) {
        let mut source = source("{code}/{*}.parquet");
        let duplicates = [Duplicates::Error, Duplicates::First, Duplicates::Last][keep];
        source.options(|options| {
            options.duplicates = duplicates;
            options.key = if keyed { vec!["k".to_owned()] } else { Vec::new() };
        });
        let mut model: BTreeMap<(u32, u8), Option<i64>> = BTreeMap::new();
        let mut differ = false;
        for (n, rows) in files.iter().enumerate() {
            let date = |day: u32| format!("2024{:02}{:02}", 1 + day / 28, 1 + day % 28);
            let dates: Vec<String> = rows.iter().map(|row| date(row.0)).collect();
            let keys: Vec<i64> = rows.iter().map(|row| i64::from(row.1)).collect();
            let values: Int64Array = rows.iter().map(|row| row.2).collect();
            let mut columns = vec![("date", texts(&dates.iter().map(String::as_str).collect::<Vec<_>>())), ("x", Arc::new(values) as ArrayRef)];
            if keyed {
                columns.push(("k", ints(&keys)));
            }
            source.add_at(&format!("A/{n}.parquet"), &columns);
            for &(day, key, value) in rows {
                let entry = model.entry((day, if keyed { key } else { 0 }));
                match (entry, duplicates) {
                    (std::collections::btree_map::Entry::Vacant(vacant), _) => _ = vacant.insert(value),
                    (std::collections::btree_map::Entry::Occupied(mut known), Duplicates::Last) => _ = known.insert(value),
                    (std::collections::btree_map::Entry::Occupied(known), _) => differ |= *known.get() != value,
                }
            }
        }
        let mut survey = source.survey();
        if files.len() % 2 == 0 {
            survey.whole_file_limit(1000);
        }
        let input = &survey.inputs[0];
        let read = survey.open(input).and_then(|reader| Ok((reader.read(0..survey.columns.len())?, reader)));
        if duplicates == Duplicates::Error && differ {
            prop_assert!(read.is_err_and(|bad| bad.to_string().contains("has differing rows for")));
            return Ok(());
        }
        let (columns, reader) = read.map_err(|bad| TestCaseError::fail(bad.to_string()))?;
        let x = survey.columns.iter().position(|column| column.name == "x").unwrap();
        let columns = arrays(&reader, columns);
        let expected: Int64Array = model.values().copied().collect();
        let found = columns[x].clone().unwrap_or_else(|| ints(&[]));
        let expected: ArrayRef = Arc::new(expected);
        prop_assert_eq!(&found, &expected);
        let dates: Vec<u32> = reader.dates().iter().map(|date| { let (_, month, day) = date.ymd(); (month - 1) * 28 + day - 1 }).collect();
        prop_assert_eq!(dates, model.keys().map(|key| key.0).collect::<Vec<_>>());
        let counted: u64 = reader.files().iter().map(|file| file.rows + file.merged).sum();
        prop_assert_eq!(counted, files.iter().map(Vec::len).sum::<usize>() as u64);
    }
}
