//! Minute bars: 240 rows a stock and date, told apart by the time in a column of its own.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::error::{Error, Result};
use crate::key::Date;

/// Minutes after midnight before the first bar of the morning and of the afternoon; each half day has 120.
const HALVES: [u32; 2] = [9 * 60 + 30, 13 * 60];
const HALF: u32 = 120;

/// The bars of one stock, which trades on every date.
pub(super) fn batch(days: &[Date], rng: &mut ChaCha8Rng) -> Result<RecordBatch> {
    let minutes: Vec<String> = HALVES
        .iter()
        .flat_map(|start| (1..=HALF).map(move |minute| start + minute))
        .map(|minute| format!("{:02}:{:02}:00", minute / 60, minute % 60))
        .collect();
    let rows = days.len() * minutes.len();
    let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    let cents = |price: f64| (price * 100.0).round().max(1.0) / 100.0;
    let mut close = cents(15.0 * (0.8 * normal(rng)).exp());
    let mut prices: [Vec<f64>; 4] = std::array::from_fn(|_| Vec::with_capacity(rows));
    let (mut volumes, mut amounts) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for _ in 0..rows {
        let open = close;
        close = cents(open * (1.0 + 0.001 * normal(rng)));
        let high = cents(open.max(close) * (1.0 + 0.0004 * normal(rng).abs()));
        let low = cents(open.min(close) * (1.0 - 0.0004 * normal(rng).abs()));
        prices.iter_mut().zip([open, high, low, close]).for_each(|(column, price)| column.push(price));
        let lots = (4.0 + normal(rng)).exp() as i64;
        volumes.push(lots * 100);
        amounts.push(lots as f64 * 100.0 * close);
    }
    let dates = days.iter().flat_map(|day| std::iter::repeat_n(day.to_string(), minutes.len()));
    let times = days.iter().flat_map(|_| &minutes);
    let [open, high, low, close] = prices.map(|column| Arc::new(Float64Array::from(column)) as ArrayRef);
    let columns: [(&str, DataType, ArrayRef); 8] = [
        ("trade_date", DataType::Utf8, Arc::new(StringArray::from_iter_values(dates))),
        ("time", DataType::Utf8, Arc::new(StringArray::from_iter_values(times))),
        ("open", DataType::Float64, open),
        ("high", DataType::Float64, high),
        ("low", DataType::Float64, low),
        ("close", DataType::Float64, close),
        ("volume", DataType::Int64, Arc::new(Int64Array::from(volumes))),
        ("amount", DataType::Float64, Arc::new(Float64Array::from(amounts))),
    ];
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) =
        columns.into_iter().map(|(name, data_type, array)| (Field::new(name, data_type, true), array)).unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(Error::failed("assemble a stock"))
}
