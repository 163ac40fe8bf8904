//! A sketch of many numbers from which their quantiles can be told: counts of buckets, each at most 0.8 % wide.
//!
//! It is DDSketch (Masson, Rim, Lee: “DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error
//! Guarantees”, PVLDB 12(12), 2019) with the bits of the double as the logarithm: a bucket is all numbers of one sign,
//! one exponent and the same first seven bits of the mantissa, and is told as the one of least magnitude, so that small
//! integers are exact. As there, of too many buckets those of the least magnitudes are merged; here for each sign by
//! itself. That loses nothing by the order in which numbers come or sketches are merged, so that the outcome does not
//! depend on the workers.

/// Bits of a double that a bucket leaves out.
const SHIFT: u32 = 45;

/// Buckets of a [`Histogram`]: sign, exponent and seven bits of the mantissa.
const BUCKETS: usize = 1 << (64 - SHIFT);

/// Bytes of a [`Histogram`], about.
pub(super) const HISTOGRAM_LEN: usize = BUCKETS * size_of::<u32>();

/// Buckets of each sign in a [`Sketch`], at most: those of 32 powers of two, where all of them are filled.
const MOST_BUCKETS: usize = 4096;

/// Bytes of a [`Sketch`], at most.
pub(super) const MOST_LEN: usize = 2 * MOST_BUCKETS * size_of::<(i32, u64)>();

/// The bucket of a finite number but zero: its magnitude, then one bit for its sign, so that a larger magnitude has a
/// larger number.
pub(super) fn bucket(value: f64) -> usize {
    let turned = value.to_bits().rotate_left(1);
    (((turned >> SHIFT) & !1) | (turned & 1)) as usize
}

/// Counts by [`bucket`], and which of them are not zero.
pub(super) struct Histogram {
    counts: Box<[u32]>,
    /// Buckets that have a count, each once.
    touched: Vec<u32>,
}

impl Histogram {
    pub(super) fn new() -> Histogram {
        Histogram { counts: vec![0; BUCKETS].into(), touched: Vec::new() }
    }

    pub(super) fn add(&mut self, bucket: usize, count: u32) {
        let held = &mut self.counts[bucket];
        if *held == 0 {
            self.touched.push(bucket as u32);
        }
        *held = held.saturating_add(count);
    }

    /// The median of the absolute values, of `zeros` more, to a bucket. `None` where that is zero, or there is no
    /// value.
    pub(super) fn median_magnitude(&self, zeros: u64) -> Option<f64> {
        let nonzero: u64 = self.touched.iter().map(|&bucket| u64::from(self.counts[bucket as usize])).sum();
        let above = (zeros + nonzero) / 2;
        if nonzero <= above {
            return None;
        }
        let mut passed = 0;
        // From the largest down: numbers have their half within few orders of magnitude of it, mostly.
        for at in (0..=*self.touched.iter().max()? as usize).rev() {
            passed += u64::from(self.counts[at]);
            if passed > above {
                return Some(magnitude(at as u64 >> 1));
            }
        }
        None
    }

    /// Moves all counts to `other`.
    pub(super) fn drain_into(&mut self, other: &mut Histogram) {
        for bucket in self.touched.drain(..) {
            other.add(bucket as usize, std::mem::take(&mut self.counts[bucket as usize]));
        }
    }

    /// Moves all counts to `sketch`.
    pub(super) fn drain_into_sketch(&mut self, sketch: &mut Sketch) {
        self.touched.sort_unstable_by_key(|&bucket| place(bucket));
        let counts = self
            .touched
            .iter()
            .map(|&bucket| (place(bucket), u64::from(std::mem::take(&mut self.counts[bucket as usize]))));
        let drained = Sketch { buckets: counts.collect() };
        self.touched.clear();
        sketch.merge(drained);
    }
}

/// A bucket's place in the order of its numbers.
fn place(bucket: u32) -> i32 {
    let magnitude = (bucket >> 1) as i32;
    if bucket & 1 == 1 { -1 - magnitude } else { magnitude }
}

/// The least magnitude in a bucket.
fn magnitude(bucket: u64) -> f64 {
    f64::from_bits(bucket << SHIFT)
}

/// Counts of buckets, a bounded number of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    /// Place and count, ascending.
    buckets: Vec<(i32, u64)>,
}

impl Sketch {
    /// Takes in the counts of `other`.
    pub(super) fn merge(&mut self, other: Sketch) {
        let ours = std::mem::take(&mut self.buckets);
        let mut merged: Vec<(i32, u64)> = Vec::with_capacity(ours.len().max(other.buckets.len()));
        let (mut ours, mut theirs) = (ours.into_iter().peekable(), other.buckets.into_iter().peekable());
        while let Some((place, count)) = match (ours.peek(), theirs.peek()) {
            (Some(a), Some(b)) if a.0 <= b.0 => ours.next(),
            (Some(_), None) => ours.next(),
            _ => theirs.next(),
        } {
            match merged.last_mut() {
                Some(last) if last.0 == place => last.1 += count,
                _ => merged.push((place, count)),
            }
        }
        let negative = merged.partition_point(|&(place, _)| place < 0);
        let sum = |some: &[(i32, u64)]| some.iter().map(|&(_, count)| count).sum::<u64>();
        // The least positive ones are the first of theirs, the least negative ones the last.
        let excess = (merged.len() - negative).saturating_sub(MOST_BUCKETS);
        if excess > 0 {
            merged[negative + excess].1 += sum(&merged[negative..negative + excess]);
        }
        merged.drain(negative..negative + excess);
        if negative > MOST_BUCKETS {
            merged[MOST_BUCKETS - 1].1 += sum(&merged[MOST_BUCKETS..negative]);
            merged.drain(MOST_BUCKETS..negative);
        }
        self.buckets = merged;
    }

    /// The numbers at these ranks, ascending, of all that were counted and `zeros` more; from 0.
    pub(super) fn at_ranks<const N: usize>(&self, ranks: [u64; N], zeros: u64) -> [f64; N] {
        let negative = self.buckets.partition_point(|&(place, _)| place < 0);
        let value = |&(place, count): &(i32, u64)| match place {
            0.. => (magnitude(place as u64), count),
            _ => (-magnitude((-1 - place) as u64), count),
        };
        let (below, above) = self.buckets.split_at(negative);
        let mut ascending = below.iter().map(value).chain([(0.0, zeros)]).chain(above.iter().map(value));
        let (mut last, mut passed) = (0.0, 0);
        ranks.map(|rank| {
            while passed <= rank {
                match ascending.next() {
                    Some((value, count)) => {
                        passed += count;
                        if count > 0 {
                            last = value;
                        }
                    }
                    None => break,
                }
            }
            last
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(values: &[f64]) -> (Sketch, u64) {
        let (mut histogram, mut sketch) = (Histogram::new(), Sketch::default());
        let nonzero = values.iter().filter(|&&value| value != 0.0);
        nonzero.for_each(|&value| histogram.add(bucket(value), 1));
        histogram.drain_into_sketch(&mut sketch);
        (sketch, values.iter().filter(|&&value| value == 0.0).count() as u64)
    }

    /// Numbers of all magnitudes and both signs, zeros among them.
    fn numbers(count: u64) -> Vec<f64> {
        let mut state = 1_u64;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                match state >> 61 {
                    0 => 0.0,
                    _ => f64::from_bits((state & !(0x7ff << 52)) | ((1013 + (state >> 40) % 50) << 52)),
                }
            })
            .collect()
    }

    #[test]
    fn quantiles_are_off_by_less_than_a_bucket() {
        let mut values = numbers(10_000);
        let (sketch, zeros) = sketch(&values);
        values.sort_by(f64::total_cmp);
        let ranks = [0, 1, 100, 2_500, 5_000, 7_500, 9_998, 9_999];
        for (rank, told) in ranks.iter().zip(sketch.at_ranks(ranks, zeros)) {
            let exact = values[*rank as usize];
            assert!((told - exact).abs() <= exact.abs() / 128.0, "{rank}: {told}, {exact}");
        }
    }

    #[test]
    fn small_integers_are_exact() {
        let values: Vec<f64> = (-255..=255).map(f64::from).collect();
        let (sketch, zeros) = sketch(&values);
        assert_eq!(sketch.at_ranks([0, 1, 254, 255, 256, 510], zeros), [-255.0, -254.0, -1.0, 0.0, 1.0, 255.0]);
    }

    /// Of 48 powers of two, the lowest are merged; all others are as they were.
    #[test]
    fn of_too_many_buckets_the_least_are_merged() {
        let values: Vec<f64> = (0..48 * 128)
            .flat_map(|n| {
                let magnitude = f64::from_bits((1000 * 128 + n) << 45);
                [magnitude, -magnitude]
            })
            .collect();
        let (sketch, zeros) = sketch(&values);
        assert_eq!(sketch.buckets.len(), 2 * MOST_BUCKETS);
        let least = f64::from_bits((1000 * 128 + 16 * 128) << 45);
        let middle = 48 * 128;
        let told = sketch.at_ranks([0, middle - 1, middle, middle + 16 * 128, 2 * middle - 1], zeros);
        assert_eq!(told, [-values[values.len() - 2], -least, least, least, values[values.len() - 2]]);
    }

    #[test]
    fn sketches_are_the_same_whatever_the_order() {
        let values = numbers(20_000);
        let (whole, _) = sketch(&values);
        for parts in [2, 7, 100] {
            let mut parts: Vec<Sketch> = values.chunks(values.len() / parts).map(|values| sketch(values).0).collect();
            let forth = parts.iter().fold(Sketch::default(), |mut all, part| {
                all.merge(part.clone());
                all
            });
            parts.reverse();
            let back = parts.iter().fold(Sketch::default(), |mut all, part| {
                all.merge(part.clone());
                all
            });
            assert_eq!((&forth, &back), (&whole, &whole));
        }
        assert_eq!(whole.buckets.len(), 2 * MOST_BUCKETS);
    }

    #[test]
    fn the_ends_of_what_a_double_holds_are_numbers_too() {
        let values = [-f64::MAX, -1.0, -f64::MIN_POSITIVE, -5e-324, 0.0, 5e-324, f64::MIN_POSITIVE, 1.0, f64::MAX];
        let (sketch, zeros) = sketch(&values);
        let told = sketch.at_ranks([0, 1, 2, 3, 4, 5, 6, 7, 8], zeros);
        assert!(told.is_sorted() && told.iter().all(|value| value.is_finite()), "{told:?}");
        assert_eq!((told[4], told[0] < -1e308, told[8] > 1e308), (0.0, true, true));
        assert_eq!(Sketch::default().at_ranks([0, 5], 0), [0.0, 0.0]);
    }

    #[test]
    fn the_median_magnitude_counts_zeros() {
        let mut histogram = Histogram::new();
        for value in [-100.0, 3.0, 1.0] {
            histogram.add(bucket(value), 1);
        }
        let near = |told: Option<f64>, value: f64| told.is_some_and(|told| (told - value).abs() < 0.01 * value);
        assert!(near(histogram.median_magnitude(0), 3.0) && near(histogram.median_magnitude(2), 1.0));
        assert_eq!(histogram.median_magnitude(4), None);
        assert_eq!(Histogram::new().median_magnitude(0), None);
    }
}
