//! Codes as Chinese A-shares have them, in a fixed order that mixes the boards.

use crate::error::{Error, Result};

/// A range of numbers that one exchange gives to one board.
struct Board {
    first: u32,
    count: u32,
    exchange: &'static str,
    /// Codes taken before it is the next board's turn.
    turn: u32,
}

/// The boards, with turns roughly in proportion to what is listed there. Ranges are wider than the real ones, so that
/// large panels have codes too.
const BOARDS: [Board; 6] = [
    Board { first: 1, count: 1_999, exchange: "SZ", turn: 2 },
    Board { first: 600_000, count: 10_000, exchange: "SH", turn: 9 },
    Board { first: 300_000, count: 5_000, exchange: "SZ", turn: 6 },
    Board { first: 2_000, count: 3_000, exchange: "SZ", turn: 4 },
    Board { first: 688_000, count: 2_000, exchange: "SH", turn: 3 },
    Board { first: 830_000, count: 10_000, exchange: "BJ", turn: 2 },
];

/// The first `count` codes, all different. A longer list begins with the shorter one.
pub(super) fn codes(count: usize) -> Result<Vec<String>> {
    let limit: usize = BOARDS.iter().map(|board| board.count as usize).sum();
    if count > limit {
        return Err(Error::refused(format!("there are no {count} codes"), format!("ask for at most {limit} stocks")));
    }
    let mut codes = Vec::with_capacity(count);
    let mut taken = [0; BOARDS.len()];
    while codes.len() < count {
        for (board, taken) in BOARDS.iter().zip(&mut taken) {
            let next = (*taken + board.turn).min(board.count);
            codes.extend((*taken..next).map(|n| format!("{:06}.{}", board.first + n, board.exchange)));
            *taken = next;
        }
    }
    codes.truncate(count);
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_never_repeat_up_to_the_limit() {
        let mut all = codes(31_999).unwrap();
        assert_eq!(all[0], "000001.SZ");
        assert_eq!(all[2], "600000.SH");
        assert!(codes(32_000).is_err());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 31_999);
    }

    #[test]
    fn a_longer_list_begins_with_the_shorter_one() {
        assert_eq!(codes(500).unwrap()[..300], codes(300).unwrap());
    }
}
