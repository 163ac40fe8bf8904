//! The distinct values of one column of a row group, for its dictionary page.

/// From so many values on a column is judged by those so far.
const SAMPLE: usize = 256;

/// Slots of the table at first. It grows with the values, so that a column given up early has hardly cost a table.
const FIRST_SLOTS: usize = 1024;

/// Marks a slot of the table that holds nothing.
const FREE: u32 = u32::MAX;

/// Finds the distinct values of column after column, in buffers that are used again.
#[derive(Default)]
pub(super) struct Distinct {
    /// Where values are found by their hash: their places in `values`. A power of two long.
    table: Vec<u32>,
    /// The distinct values, in the order in which they were first seen.
    pub(super) values: Vec<u64>,
    /// For each value of the column, the place of its like in `values`.
    pub(super) indices: Vec<u32>,
}

impl Distinct {
    /// Looks for the distinct ones of `count` values; `false`, and nothing to be used, when more than half of them are,
    /// or nearly all of the first ones: then a dictionary would hardly pay.
    pub(super) fn find(&mut self, count: usize, values: impl Iterator<Item = u64>) -> bool {
        let pays = |found: usize, row: usize| found < count / 2 && (row < SAMPLE || found <= row - row / 16);
        self.find_if(count, values, pays) && count > 1
    }

    /// Looks for the distinct ones of `count` values, as long as it `pays` to have found so many in so many rows.
    fn find_if(
        &mut self,
        count: usize,
        values: impl Iterator<Item = u64>,
        pays: impl Fn(usize, usize) -> bool,
    ) -> bool {
        self.start(count, FIRST_SLOTS);
        for (row, value) in values.enumerate() {
            let mut slot = self.slot(value);
            let index = loop {
                match self.table[slot] {
                    FREE => {
                        if !pays(self.values.len(), row) {
                            return false;
                        }
                        self.add(value, slot);
                        let found = self.values.len() as u32 - 1;
                        // Nearly empty, so that most values are found where one looks first.
                        if self.values.len() > self.table.len() / 4 {
                            self.spread(self.table.len() * 4);
                        }
                        break found;
                    }
                    index if self.values[index as usize] == value => break index,
                    _ => slot = (slot + 1) & (self.table.len() - 1),
                }
            };
            self.indices.push(index);
        }
        true
    }

    /// Finds the distinct ones of `count` values below `bound`, however many they are. Where `bound` is not much more than
    /// `count`, each has a slot of its own.
    pub(super) fn find_all_below(&mut self, bound: usize, count: usize, values: impl Iterator<Item = u64>) {
        if bound > count.max(FIRST_SLOTS) {
            self.find_if(count, values, |_, _| true);
            return;
        }
        self.start(count, bound);
        for value in values {
            let slot = value as usize;
            if self.table[slot] == FREE {
                self.add(value, slot);
            }
            self.indices.push(self.table[slot]);
        }
    }

    /// Begins a column of `count` values.
    fn start(&mut self, count: usize, slots: usize) {
        self.values.clear();
        self.indices.clear();
        self.indices.reserve(count);
        self.table.clear();
        self.table.resize(slots, FREE);
    }

    /// Adds a value that is unlike those before.
    fn add(&mut self, value: u64, slot: usize) {
        self.table[slot] = self.values.len() as u32;
        self.values.push(value);
    }

    /// Makes a table of `slots` of the values so far.
    fn spread(&mut self, slots: usize) {
        self.table.clear();
        self.table.resize(slots, FREE);
        for index in 0..self.values.len() {
            let mut slot = self.slot(self.values[index]);
            while self.table[slot] != FREE {
                slot = (slot + 1) & (slots - 1);
            }
            self.table[slot] = index as u32;
        }
    }

    /// Where in the table to look for a value first.
    fn slot(&self, value: u64) -> usize {
        // 2^64 by the golden ratio spreads values that differ in any of their bits over the upper ones.
        (value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (self.table.len().leading_zeros() + 1)) as usize
    }

    /// Bits that an index takes, at least one.
    pub(super) fn width(&self) -> u32 {
        self.values.len().next_power_of_two().ilog2().max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_value_is_found_by_its_index(values in prop::collection::vec(prop_oneof![0..9_u64, any::<u64>()], 0..600)) {
            let mut distinct = Distinct::default();
            let mut seen = Vec::new();
            values.iter().for_each(|value| if !seen.contains(value) { seen.push(*value) });
            // Once more in the same buffers.
            for _ in 0..2 {
                let pays = distinct.find(values.len(), values.iter().copied());
                prop_assert!(pays || seen.len() * 2 > values.len() || values.len() > SAMPLE || values.len() < 2);
                if pays {
                    prop_assert_eq!(&distinct.values, &seen);
                    let found: Vec<u64> = distinct.indices.iter().map(|&at| distinct.values[at as usize]).collect();
                    prop_assert_eq!(&found, &values);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn all_small_values_are_found_however_many_they_are(
            values in prop::collection::vec(0..700_u64, 0..1500),
            spread in 1..700_u64,
        ) {
            let values: Vec<u64> = values.into_iter().map(|value| value % spread).collect();
            let mut seen = Vec::new();
            values.iter().for_each(|value| if !seen.contains(value) { seen.push(*value) });
            for bound in [spread as usize, 700, 5_000] {
                let mut all = Distinct::default();
                all.find_all_below(bound, values.len(), values.iter().copied());
                prop_assert_eq!(&all.values, &seen);
                let found: Vec<u64> = all.indices.iter().map(|&at| all.values[at as usize]).collect();
                prop_assert_eq!(&found, &values);
            }
        }
    }

    #[test]
    fn values_that_hardly_repeat_are_given_up_early() {
        let mut distinct = Distinct::default();
        assert!(!distinct.find(10_000, (0..10_000).map(|n| if n < 5_000 { n } else { 0 })));
        assert_eq!(distinct.indices.len(), SAMPLE);
        assert!(distinct.find(10_000, (0..10_000).map(|n| n % 128)));
        assert!(!distinct.find(1, [7].into_iter()) && !distinct.find(0, std::iter::empty()));
    }

    #[test]
    fn the_table_grows_with_the_values() {
        let values = || (0..9_000_u64).map(|n| (n / 3) << 32);
        let mut distinct = Distinct::default();
        for _ in 0..2 {
            assert!(distinct.find(9_000, values()));
            assert_eq!(distinct.values.len(), 3_000);
            assert!(distinct.indices.iter().map(|&at| distinct.values[at as usize]).eq(values()));
        }
    }

    #[test]
    fn an_index_takes_the_bits_of_the_last_one() {
        let mut distinct = Distinct::default();
        for (count, width) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (128, 7), (129, 8)] {
            assert!(distinct.find(1000, (0..1000).map(|n| n % count)));
            assert_eq!(distinct.width(), width, "{count} values");
        }
    }
}
