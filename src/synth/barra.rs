//! The columns of a Barra CNE5 panel: ten styles and thirty industry dummies.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Open01, StandardNormal};

use crate::error::{Error, Result};
use crate::key::Date;

use super::life::Life;

/// How one style behaves over a stock's life.
struct Style {
    name: &'static str,
    /// Correlation of one day with the day before.
    persistence: f64,
    /// Share of the variance that lies between stocks and not within one.
    between: f64,
    /// Rows after the listing for which there is no history to compute it from.
    warm_up: usize,
    /// Whether reports go missing for months.
    gaps: bool,
}

const fn style(name: &'static str, persistence: f64, between: f64, warm_up: usize, gaps: bool) -> Style {
    Style { name, persistence, between, warm_up, gaps }
}

const STYLES: [Style; 10] = [
    style("size", 0.9992, 0.80, 0, false),
    style("beta", 0.9950, 0.30, 60, false),
    style("momentum", 0.9900, 0.05, 252, false),
    style("volatility", 0.9930, 0.25, 60, false),
    style("non_linear_size", 0.9990, 0.70, 0, false),
    style("book_to_price", 0.9970, 0.55, 0, false),
    style("liquidity", 0.9850, 0.35, 0, false),
    style("earnings_yield", 0.9960, 0.45, 0, true),
    style("growth", 0.9940, 0.30, 0, true),
    style("leverage", 0.9980, 0.65, 0, false),
];

const INDUSTRIES: [&str; 30] = [
    "ind_energy",
    "ind_chemicals",
    "ind_construction_materials",
    "ind_diversified_metals",
    "ind_materials",
    "ind_aerospace_defense",
    "ind_building_products",
    "ind_construction_engineering",
    "ind_electrical_equipment",
    "ind_industrial_conglomerates",
    "ind_industrial_machinery",
    "ind_trading_distributors",
    "ind_commercial_services",
    "ind_airlines_airports",
    "ind_marine",
    "ind_road_rail",
    "ind_automobiles",
    "ind_household_durables",
    "ind_leisure_apparel",
    "ind_hotels_restaurants",
    "ind_media",
    "ind_retail",
    "ind_food_beverages",
    "ind_health",
    "ind_banks",
    "ind_diversified_financials",
    "ind_real_estate",
    "ind_software",
    "ind_hardware_semiconductors",
    "ind_utilities",
];

/// Each style is cut off at these quantiles of its own history, as the pipeline does; so the two values recur.
const CLIP: (f64, f64) = (0.01, 0.99);

/// The rows of one stock, oldest first.
pub(super) fn batch(days: &[Date], life: &Life, rng: &mut ChaCha8Rng) -> Result<RecordBatch> {
    let rows = life.days.len();
    let mut fields = vec![Field::new("trade_date", DataType::Utf8, true)];
    let dates = life.days.iter().map(|&day| days[day].to_string());
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(dates))];

    let industry: f64 = Open01.sample(rng);
    let industry = (industry * INDUSTRIES.len() as f64) as usize;
    for style in &STYLES {
        fields.push(Field::new(style.name, DataType::Float64, true));
        columns.push(Arc::new(style.column(rows, rng)));
    }

    let zeros: ArrayRef = Arc::new(Int64Array::from_value(0, rows));
    for (place, name) in INDUSTRIES.iter().enumerate() {
        fields.push(Field::new(*name, DataType::Int64, true));
        columns.push(if place == industry { Arc::new(Int64Array::from_value(1, rows)) } else { zeros.clone() });
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::failed("assemble a stock"))
}

impl Style {
    /// The style over `rows` rows: slow, about standardised, clipped, with nulls where it cannot be known.
    fn column(&self, rows: usize, rng: &mut ChaCha8Rng) -> Float64Array {
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        let mean = self.between.sqrt() * normal(rng);
        let within = (1.0 - self.between).sqrt();
        // Drawn so that the variance stays the same from the first day on.
        let shock = (1.0 - self.persistence * self.persistence).sqrt();
        let mut state = normal(rng);
        let values: Vec<f64> = (0..rows)
            .map(|_| {
                let value = mean + within * state;
                state = self.persistence * state + shock * normal(rng);
                value
            })
            .collect();

        let known = self.known(rows, rng);
        let mut history: Vec<f64> =
            values.iter().zip(&known).filter(|&(_, known)| *known).map(|(value, _)| *value).collect();
        if history.is_empty() {
            return Float64Array::new_null(rows);
        }
        let (low, high) = (quantile(&mut history, CLIP.0), quantile(&mut history, CLIP.1));
        values.iter().zip(&known).map(|(value, known)| known.then(|| value.clamp(low, high))).collect()
    }

    /// In which rows the style has a value.
    fn known(&self, rows: usize, rng: &mut ChaCha8Rng) -> Vec<bool> {
        let mut known: Vec<bool> = (0..rows).map(|row| row >= self.warm_up).collect();
        if self.gaps {
            // A gap opens about once in 1,500 rows, six years, and lasts half a year; one stock in ten begins in one.
            let mut draw = || -> f64 { Open01.sample(rng) };
            let mut missing = draw() < 0.1;
            for row in &mut known {
                *row &= !missing;
                missing = if missing { draw() > 1.0 / 120.0 } else { draw() < 1.0 / 1_500.0 };
            }
        }
        known
    }
}

/// The `q` quantile of `values`, interpolated as numpy and pandas do. Reorders them.
///
/// # Panics
/// When `values` is empty.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    let place = q * (values.len() - 1) as f64;
    let below = place as usize;
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    match above.iter().copied().min_by(f64::total_cmp) {
        Some(high) => low + (high - low) * (place - below as f64),
        None => low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_numpy() {
        let mut values = [9.0, 1.0, 4.0, 2.0];
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(quantile(&mut values, 0.0), 1.0);
        assert_eq!(quantile(&mut values, 1.0), 9.0);
        assert!((quantile(&mut values, 0.9) - 7.5).abs() < 1e-12);
        assert_eq!(quantile(&mut [7.0], 0.99), 7.0);
    }
}
