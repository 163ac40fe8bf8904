//! Which pieces of two sections have to be compared together. Pure.

use std::ops::Range;

/// Groups of neighbouring pieces of two sections, such that no stock has rows in two groups. `left` and `right` are the
/// places in code order of each piece's first and last stock.
pub(crate) fn groups(left: &[(u32, u32)], right: &[(u32, u32)]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut groups = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let Some(first) = [left.get(i), right.get(j)].into_iter().flatten().map(|piece| piece.0).min() {
        let start = (i, j);
        let mut last = first;
        loop {
            let next = |pieces: &[(u32, u32)], at: usize| pieces.get(at).copied().filter(|piece| piece.0 <= last);
            if let Some(piece) = next(left, i) {
                (i, last) = (i + 1, last.max(piece.1));
            } else if let Some(piece) = next(right, j) {
                (j, last) = (j + 1, last.max(piece.1));
            } else {
                break;
            }
        }
        groups.push((start.0..i, start.1..j));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_share_a_stock_or_lie_across_others_come_together() {
        assert_eq!(groups(&[], &[]), []);
        assert_eq!(groups(&[(3, 9)], &[]), [(0..1, 0..0)]);
        assert_eq!(groups(&[(0, 4), (5, 9)], &[(0, 4), (5, 7)]), [(0..1, 0..1), (1..2, 1..2)]);
        // A stock in two pieces, and a piece that lies across two.
        assert_eq!(groups(&[(0, 4), (4, 9)], &[]), [(0..2, 0..0)]);
        assert_eq!(groups(&[(0, 4), (5, 9), (10, 11)], &[(2, 6)]), [(0..2, 0..1), (2..3, 1..1)]);
        assert_eq!(groups(&[(7, 7)], &[(0, 3), (8, 8)]), [(0..0, 0..1), (0..1, 1..1), (1..1, 1..2)]);
    }
}
