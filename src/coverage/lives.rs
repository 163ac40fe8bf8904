//! Stocks over time: when each came, where it has holes, whether it is stale; and what that makes of each date.

use super::facts::{DateCoverage, MonthCoverage, StockCoverage, StockMonth, StockState};
use super::months::Month;
use super::pass::Seen;
use crate::error::Result;
use crate::store::{STALE, Store};

/// Dates around one whose median says what share of absent stocks is usual.
const AROUND: usize = 21;

/// By how much of all stocks of the date the share of absent ones has to be larger to be unusual.
const UNUSUAL: f64 = 0.05;

/// How many times as far as chance makes their count vary, which is the root of it: of few stocks, one is many percent.
const CHANCE: f64 = 3.0;

/// A stock's whole time; dates are places among those of the store.
#[derive(Clone, Default)]
struct Life {
    first: usize,
    last: usize,
    rows: u64,
    dates: u32,
    months: Vec<StockMonth>,
}

/// What was seen, by month.
pub(super) fn months(months: &[Month], seen: &[Seen]) -> Vec<MonthCoverage> {
    let month = |(month, seen): (&Month, &Seen)| MonthCoverage {
        month: month.number,
        dates: month.places.len() as u32,
        rows: seen.dates.iter().map(|&(rows, _)| rows).sum(),
    };
    months.iter().zip(seen).map(month).collect()
}

/// What was seen, by date and by stock.
pub(super) fn lives(store: &Store, months: &[Month], seen: &[Seen]) -> Result<(Vec<DateCoverage>, Vec<StockCoverage>)> {
    let (days, codes) = (store.dates()?, store.stocks()?);
    let mut lives = vec![Life::default(); codes.len()];
    for (number, (month, seen)) in months.iter().zip(seen).enumerate() {
        for &(rank, stock) in &seen.stocks {
            let Some(life) = lives.get_mut(rank as usize) else { continue };
            if life.months.is_empty() {
                life.first = month.places.start + usize::from(stock.first);
            }
            life.last = month.places.start + usize::from(stock.last);
            life.rows += u64::from(stock.rows);
            life.dates += u32::from(stock.dates);
            life.months.push(StockMonth { month: number as u32, rows: stock.rows, dates: stock.dates });
        }
    }
    let date = |(date, &(rows, stocks)): (&_, &_)| DateCoverage {
        date: *date,
        rows,
        stocks,
        first: 0,
        last: 0,
        absent: 0,
        unusual: false,
    };
    let mut dates: Vec<DateCoverage> = days.iter().zip(seen.iter().flat_map(|seen| &seen.dates)).map(date).collect();
    let mut stocks = Vec::new();
    for (code, life) in codes.into_iter().zip(lives).filter(|(_, life)| life.rows > 0) {
        dates[life.first].first += 1;
        dates[life.last].last += 1;
        stocks.push(StockCoverage {
            code: code.to_owned(),
            first: days[life.first],
            last: days[life.last],
            rows: life.rows,
            dates: life.dates,
            holes: ((life.last - life.first + 1) as u32).saturating_sub(life.dates),
            state: match days.len() - 1 - life.last {
                0 => StockState::Current,
                1..=STALE => StockState::Stale,
                _ => StockState::Left,
            },
            months: life.months,
        });
    }
    note_absent(&mut dates);
    Ok((dates, stocks))
}

/// Says how many stocks each date lacks, and where that is unusual.
fn note_absent(dates: &mut [DateCoverage]) {
    let mut living = 0;
    let (livings, shares): (Vec<f64>, Vec<f64>) = dates
        .iter_mut()
        .map(|date| {
            living += date.first;
            date.absent = living.saturating_sub(date.stocks);
            let all = f64::from(living.max(1));
            living -= date.last;
            (all, f64::from(date.absent) / all)
        })
        .unzip();
    for (at, date) in dates.iter_mut().enumerate() {
        let mut around = shares[at.saturating_sub(AROUND / 2)..(at + AROUND / 2 + 1).min(shares.len())].to_vec();
        let middle = around.len() / 2;
        let (_, median, _) = around.select_nth_unstable_by(middle, f64::total_cmp);
        let chance = CHANCE * (*median * livings[at] + 1.0).sqrt();
        date.unusual = shares[at] - *median >= UNUSUAL.max(chance / livings[at]);
    }
}
