//! The date that an update is to bring, of several sources: who is asked for it, and who stops the night.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatchIterator, StringArray};
use transect::{AddSource, Date, Guard, GuardMet, Join, Update};

use super::panels::{Place, batch, write_parquet};

/// Ten stocks on 30 trading dates, of four sources: two that have all of them on every date, one that comes a day later,
/// and one of reports, which has two of them a date. A fifth joins left, and a sixth has all of them, but no files.
struct Nights(Place);

const SOURCES: [&str; 5] = ["source", "factors", "margin", "reports", "weights"];

fn day(n: i32) -> Date {
    Date::from_days(19_700 + n).unwrap()
}

impl Nights {
    fn new() -> Nights {
        let nights = Nights(Place::new());
        for source in SOURCES {
            nights.bring(source, 29 - i32::from(source == "margin"), 0..10);
        }
        nights.0.build();
        for source in &SOURCES[1..] {
            let join = if *source == "weights" { Join::Left } else { Join::Outer };
            let add = AddSource::new(nights.0.store(), [nights.0.path(source)]);
            add.join(join).allow(Guard::ALL).workers(1).run().unwrap();
        }
        let all = || (0..300).map(|row| (row / 10, row % 10));
        let held = batch(&[
            ("date", Arc::new(StringArray::from_iter_values(all().map(|(n, _)| day(n).to_string())))),
            ("ts_code", Arc::new(StringArray::from_iter_values(all().map(|(_, stock)| format!("S{stock}"))))),
            ("held", Arc::new(Float64Array::from_iter_values(all().map(|(n, _)| f64::from(n))))),
        ]);
        let rows = RecordBatchIterator::new([Ok(held.clone())], held.schema());
        AddSource::of_rows(nights.0.store(), "held", rows).workers(1).run().unwrap();
        nights
    }

    /// Writes files of a source with all dates up to `last`; on that one it has these stocks.
    fn bring(&self, source: &str, last: i32, stocks: std::ops::Range<i32>) {
        for stock in 0..10 {
            let has = |&n: &i32| (source != "reports" || n % 5 == stock % 5) && (n < last || stocks.contains(&stock));
            let rows: Vec<i32> = (0..=last).filter(has).collect();
            let columns: [(&str, ArrayRef); 2] = [
                ("date", Arc::new(StringArray::from_iter_values(rows.iter().map(|&n| day(n).to_string())))),
                (source, Arc::new(rows.iter().map(|&n| Some(f64::from(n))).collect::<Float64Array>())),
            ];
            let path = self.0.path(source).join(format!("S{stock}.parquet"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            write_parquet(&path, &batch(&columns));
        }
    }

    /// What stops an update that is to bring the `n`-th date.
    fn stops(&self, n: i32, least: &str, change: impl FnOnce(Update<'_>) -> Update<'_>) -> Vec<String> {
        let update = Update::new(self.0.store()).expect(day(n), least.parse().unwrap()).workers(1);
        let report = change(update).run().unwrap();
        assert_eq!(report.is_stopped(), report.guards.iter().any(|met| !met.allowed));
        let told = |met: &GuardMet| format!("{}: {}", met.source.as_deref().unwrap_or("all"), met.what);
        report.guards.iter().filter(|met| !met.allowed).map(told).collect()
    }
}

#[test]
fn a_source_that_has_not_come_stops_the_night_and_one_that_comes_later_or_seldom_does_not() {
    let nights = Nights::new();
    nights.bring("source", 30, 0..10);
    nights.bring("weights", 30, 0..10);
    let (today, before) = (day(30), day(29));
    let absent = |source: &str| format!("{source}: {today} is not there; 10 stocks have {before}");
    assert_eq!(nights.stops(30, "90%", |update| update), [absent("factors")]);
    // Half of it is not there.
    nights.bring("factors", 30, 0..6);
    let half = format!("factors: 6 stocks have {today}, and 10 stocks have {before}; at least 90% should have it");
    assert_eq!(nights.stops(30, "90%", |update| update), [half]);
    assert_eq!(nights.stops(30, "60%", |update| update.dry_run(true)), [""; 0]);
    // A number is of all together, and only who is updated is asked.
    assert_eq!(nights.stops(30, "10", |update| update.dry_run(true)), [""; 0]);
    assert_eq!(nights.stops(30, "90%", |update| update.sources(["source"]).dry_run(true)), [""; 0]);
    // Who is named and follows another is asked all the same.
    assert_eq!(nights.stops(30, "90%", |update| update.sources(["source"])), [""; 0]);
    nights.bring("factors", 29, 0..10);
    assert_eq!(nights.stops(30, "90%", |update| update.sources(["factors"])), [absent("factors")]);
    // The other one is behind by a day, as every night, and has yesterday's rows now.
    nights.bring("factors", 30, 0..10);
    nights.bring("margin", 29, 0..10);
    assert_eq!(nights.stops(30, "100%", |update| update), [""; 0]);
    assert_eq!(nights.stops(30, "100%", |update| update), [""; 0], "again, with nothing new");
    // A source that joins left is asked, too; the whole panel is told before any source.
    nights.bring("source", 31, 0..10);
    nights.bring("factors", 31, 0..10);
    let left = format!("weights: {} is not there; 10 stocks have {today}", day(31));
    assert_eq!(nights.stops(31, "90%", |update| update), [left]);
    let all = format!("all: {} is not there; 10 stocks have {today}", day(32));
    assert_eq!(nights.stops(32, "90%", |update| update.dry_run(true)), [all]);
    // What is allowed once is not asked again.
    assert_eq!(nights.stops(31, "90%", |update| update.allow([Guard::ExpectedDate])), [""; 0]);
    nights.bring("source", 32, 0..10);
    nights.bring("factors", 32, 0..10);
    assert_eq!(nights.stops(32, "90%", |update| update), [""; 0]);
}
