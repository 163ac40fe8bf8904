//! Daily prices as Tushare exports them.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Open01, StandardNormal};

use crate::error::{Error, Result};
use crate::key::Date;

use super::life::Life;

const COLUMNS: [&str; 9] = ["open", "high", "low", "close", "pre_close", "change", "pct_chg", "vol", "amount"];

/// Share of files with the newest row first: 217 of 256 in a sample of real exports.
const NEWEST_FIRST: f64 = 0.85;

/// A day's move ends at the exchange's limit.
const LIMIT: f64 = 0.10;

/// The rows of one stock.
pub(super) fn batch(days: &[Date], life: &Life, rng: &mut ChaCha8Rng) -> Result<RecordBatch> {
    let order: f64 = Open01.sample(rng);
    let mut rows = walk(life.days.len(), rng);
    let mut dates: Vec<String> = life.days.iter().map(|&day| days[day].to_string()).collect();
    if order < NEWEST_FIRST {
        rows.reverse();
        dates.reverse();
    }

    let mut fields = vec![Field::new("trade_date", DataType::Utf8, true)];
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(dates))];
    for (place, name) in COLUMNS.iter().enumerate() {
        fields.push(Field::new(*name, DataType::Float64, true));
        columns.push(Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row[place]))));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::failed("assemble a stock"))
}

/// `rows` days of prices, oldest first, in the order of [`COLUMNS`].
fn walk(rows: usize, rng: &mut ChaCha8Rng) -> Vec<[f64; COLUMNS.len()]> {
    let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    let mut pre_close = round(15.0 * (0.8 * normal(rng)).exp(), 100.0).max(1.0);
    let typical_volume = 11.0 + normal(rng);
    let mut activity = 0.0;
    (0..rows)
        .map(|_| {
            let day = (0.0003 + 0.025 * normal(rng)).clamp(-LIMIT, LIMIT);
            let close = round(pre_close * (1.0 + day), 100.0).max(1.0);
            let open = round(pre_close * (1.0 + 0.3 * day + 0.004 * normal(rng)), 100.0).max(1.0);
            let high = round(open.max(close) * (1.0 + 0.006 * normal(rng).abs()), 100.0);
            let low = round(open.min(close) * (1.0 - 0.006 * normal(rng).abs()), 100.0);
            let change = round(close - pre_close, 100.0);
            let percent = round(change / pre_close * 100.0, 10_000.0);
            activity = 0.9 * activity + 0.2 * normal(rng);
            // Volume is in lots of 100 shares, amount in thousands of yuan.
            let volume = round((typical_volume + activity).exp(), 100.0);
            let amount = round(volume * (open + close) / 20.0, 1_000.0);
            let row = [open, high, low, close, pre_close, change, percent, volume, amount];
            pre_close = close;
            row
        })
        .collect()
}

/// `value` to the nearest multiple of `1 / parts`.
fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
