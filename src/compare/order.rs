//! The order of keys: rows of one stock on one date, by their key columns.

use std::cmp::Ordering;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef};
use arrow_ord::ord::{DynComparator, make_comparator};
use arrow_ord::rank::rank;
use arrow_schema::{ArrowError, SortOptions};

use crate::error::{Error, Result};

/// Compares rows of two sides by key columns: numbers, times and decimals by value, text by its bytes.
pub(crate) struct KeyOrder(Vec<DynComparator>);

impl KeyOrder {
    /// The order of the rows of `left` beside those of `right`, which have the same key columns in the same types, the
    /// most significant first. Without columns all rows are equal.
    ///
    /// # Errors
    /// When a type has no order.
    pub(crate) fn new(left: &[ArrayRef], right: &[ArrayRef]) -> Result<KeyOrder> {
        let columns = left.iter().zip(right).map(|(left, right)| comparator(left, right)).collect::<Result<_, _>>();
        columns.map(KeyOrder).map_err(Error::failed("compare keys"))
    }

    /// How a row of the left side stands to one of the right.
    pub(crate) fn compare(&self, left: usize, right: usize) -> Ordering {
        self.0.iter().map(|compare| compare(left, right)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// Compares the rows of two columns. Within one column of texts as codes, each text is placed among the others once.
fn comparator(left: &ArrayRef, right: &ArrayRef) -> Result<DynComparator, ArrowError> {
    match left.as_dictionary_opt::<Int32Type>() {
        Some(coded) if Arc::ptr_eq(left, right) && left.logical_null_count() == 0 => {
            let (codes, ranks) = (coded.keys().values().clone(), rank(coded.values(), None)?);
            let of_row = move |row: usize| ranks[codes[row] as usize];
            Ok(Box::new(move |left, right| of_row(left).cmp(&of_row(right))))
        }
        _ => make_comparator(left, right, SortOptions::default()),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Decimal128Array, DictionaryArray, Int32Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn the_first_column_decides_and_text_goes_by_its_bytes() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![-5, 3, 3, 3]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["z", "10", "9", "\u{e9}"]));
        let order = KeyOrder::new(&[numbers.clone(), texts.clone()], &[numbers, texts]).unwrap();
        for row in 0..3 {
            assert_eq!(order.compare(row, row), Ordering::Equal);
            assert_eq!(order.compare(row, row + 1), Ordering::Less, "{row}");
            assert_eq!(order.compare(row + 1, row), Ordering::Greater, "{row}");
        }
    }

    #[test]
    fn codes_go_by_what_they_stand_for() {
        let left: ArrayRef = Arc::new(vec!["b", "a", "c"].into_iter().collect::<DictionaryArray<Int32Type>>());
        let right: ArrayRef = Arc::new(vec!["a", "b", "c"].into_iter().collect::<DictionaryArray<Int32Type>>());
        let order = KeyOrder::new(&[left], &[right]).unwrap();
        assert_eq!(order.compare(0, 0), Ordering::Greater);
        assert_eq!(order.compare(0, 1), Ordering::Equal);
        assert_eq!(order.compare(1, 1), Ordering::Less);
    }

    #[test]
    fn codes_of_one_column_go_by_texts_of_which_some_stand_there_twice() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["b", "a", "b", "\u{e9}", "unused"]));
        let codes = Int32Array::from(vec![1, 0, 2, 3]);
        let column: [ArrayRef; 1] = [Arc::new(DictionaryArray::new(codes, texts))];
        let order = KeyOrder::new(&column, &column).unwrap();
        let found = [(0, 1), (1, 2), (2, 3), (3, 0)].map(|(left, right)| order.compare(left, right));
        assert_eq!(found, [Ordering::Less, Ordering::Equal, Ordering::Less, Ordering::Greater]);
    }

    #[test]
    fn rows_without_key_columns_are_equal_and_decimals_have_an_order() {
        assert_eq!(KeyOrder::new(&[], &[]).unwrap().compare(0, 7), Ordering::Equal);
        let decimals: ArrayRef = Arc::new(Decimal128Array::from(vec![-1, 10, 9]));
        let decimals = [decimals];
        let order = KeyOrder::new(&decimals, &decimals).unwrap();
        assert_eq!([order.compare(0, 1), order.compare(1, 2)], [Ordering::Less, Ordering::Greater]);
    }
}
