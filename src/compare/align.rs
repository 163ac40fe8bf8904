//! Lays the rows that were read again beside those of the section before: which are in both, which are new or gone, and
//! what the section is put together from. Pure.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

use arrow_buffer::BooleanBuffer;

use super::rows::{Origin, Place, Run};

/// The appended rows of one section, row by row.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// For each row the version that appended it, or 0; empty when none was.
    pub(crate) rows: Vec<u64>,
    /// The last version that took away the rows that were not given; 0 when none did.
    pub(crate) replaced: u64,
}

impl Marks {
    /// Those of the rows of a part of the section.
    pub(crate) fn part(&self, rows: Range<usize>) -> Marks {
        Marks { rows: self.rows.get(rows).unwrap_or_default().to_vec(), replaced: self.replaced }
    }

    /// The version that appended this row, or 0.
    pub(crate) fn of_row(&self, row: usize) -> u64 {
        self.rows.get(row).copied().unwrap_or(0)
    }

    /// Whether nothing of the section was appended or taken away.
    pub(crate) fn is_none(&self) -> bool {
        self.rows.is_empty() && self.replaced == 0
    }

    /// Whether rows of the section were appended.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A stock whose rows were read again, or are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reread {
    /// Its number.
    pub(crate) stock: u32,
    /// Its place in code order among all stocks.
    pub(crate) rank: u32,
    /// What becomes of its rows.
    pub(crate) rule: Rule,
}

/// What becomes of the rows of a stock that was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// What was appended by this version, from 1, or a later one stands, whatever was read; `u64::MAX` for nothing.
    pub(crate) appended_stands_since: u64,
    /// What becomes of a row that was not read.
    pub(crate) unread: Unread,
    /// Which of the rows that were read are laid beside the others: whoever aligns them leaves out the rest.
    pub(crate) wanted: Wanted,
}

/// Which rows of files that were read again are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    All,
    /// Those that the section before lacks: what it has of the stock stands.
    Absent,
    /// Those of them whose key or date nobody knew when the files were read.
    New,
}

/// What becomes of a row of the section before that was not read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It stays.
    Stays,
    /// It stays if it was appended.
    StaysIfAppended,
    /// It goes.
    Goes,
}

impl Rule {
    /// That all rows that were read take the place of those before, of which `unread` ones do so.
    pub(crate) fn anew(unread: Unread) -> Rule {
        Rule { appended_stands_since: u64::MAX, unread, wanted: Wanted::All }
    }

    /// Whether what the section before says of a stock is left as it is: of a row that was `read` or not, and, if it
    /// is there, the version that appended it, or 0; else the one that took it away.
    fn stands(self, is_read: bool, is_before: bool, appended: u64) -> bool {
        match (is_read, self.unread) {
            (true, _) => appended >= self.appended_stands_since,
            (false, Unread::Stays) => true,
            (false, Unread::StaysIfAppended) => !is_before || appended > 0,
            (false, Unread::Goes) => !is_before,
        }
    }
}

/// How a section follows from the one before and from rows that were read again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Alignment {
    /// What the new section consists of, in key order.
    pub(crate) runs: Vec<Run>,
    /// Rows in both.
    pub(crate) pairs: Vec<Pair>,
    /// Rows of blocks that are new.
    pub(crate) added: Vec<Run>,
    /// Rows of the section before that are gone.
    pub(crate) removed: Vec<usize>,
    /// Appended rows of the section before that stay, although they were not read again.
    pub(crate) stayed: Vec<usize>,
    /// Rows of blocks that may not be in the new section.
    pub(crate) left_out: Vec<Run>,
    /// Those of `removed` that may not be in the new section, whatever was read.
    pub(crate) parted: Vec<usize>,
}

/// Neighbouring rows of the section before, and the rows of a block that take their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) before: usize,
    pub(crate) block: usize,
    pub(crate) row: usize,
    pub(crate) len: usize,
}

impl Alignment {
    /// Aligns the rows of one date. `reread` ascends by rank; `stocks` are those of the section before, in the order of
    /// its rows, and `marks` says which of its rows were appended; `read` are the rows of blocks that were read again, in
    /// key order, with the stock of each, which is among `reread`; `ranks` is the place of each stock in code order.
    /// `compare` says how the further key columns of a row of the section before stand to those of the n-th that was
    /// read, both of one stock.
    pub(crate) fn new(
        reread: &[Reread],
        stocks: &[u32],
        marks: &Marks,
        (read, stocks_read): (&[Run], &[u32]),
        ranks: &[u32],
        compare: impl Fn(usize, usize) -> Ordering,
    ) -> Alignment {
        let mut alignment = Alignment::default();
        let (mut kept, mut search, mut n) = (0, 0, 0);
        let mut place = Place::first(read);
        let mut left = reread;
        loop {
            if marks.is_none() {
                // Mostly a row that was read again follows on one that was, and both sections have all of them.
                while let Some(Run { origin, rows }) = place.next() {
                    let both = stocks[search..].iter().zip(&stocks_read[n..n + rows.len()]).enumerate();
                    let is_in_both = |&(at, (stock, other)): &(usize, (&u32, &u32))| {
                        stock == other && compare(search + at, n + at).is_eq()
                    };
                    let len = both.take_while(is_in_both).count();
                    if len == 0 {
                        break;
                    }
                    alignment.take(Origin::Before, kept..search);
                    alignment.pair(search, origin, rows.start, len);
                    alignment.take(origin, rows.start..rows.start + len);
                    place.pass(len);
                    (search, n) = (search + len, n + len);
                    kept = search;
                }
                // Of the last stock further rows may be left.
                if let Some(&stock) = n.checked_sub(1).and_then(|n| stocks_read.get(n)) {
                    let rank = ranks.get(stock as usize).copied().unwrap_or_default();
                    left = &left[gallop(left, |reread| reread.rank < rank)..];
                }
            }
            let Some((&Reread { stock, rank, rule }, others)) = left.split_first() else { break };
            left = others;
            search += gallop(&stocks[search..], |&stock| ranks.get(stock as usize).is_some_and(|&other| other < rank));
            let end = search + stocks[search..].iter().take_while(|&&other| other == stock).count();
            loop {
                let (is_before, is_read) = (search < end, stocks_read.get(n) == Some(&stock));
                let order = match (is_before, is_read) {
                    (false, false) => break,
                    (true, false) => Ordering::Less,
                    (false, true) => Ordering::Greater,
                    (true, true) => compare(search, n),
                };
                let is_before = order.is_le();
                let row = place.next().filter(|_| order.is_ge());
                let row = row.map(|Run { origin, rows }| Run { origin, rows: rows.start..rows.start + 1 });
                place.pass(usize::from(row.is_some()));
                n += usize::from(row.is_some());
                let appended = if is_before { marks.of_row(search) } else { marks.replaced };
                if rule.stands(row.is_some(), is_before, appended) {
                    if is_before && row.is_none() && rule.unread == Unread::StaysIfAppended {
                        alignment.stayed.push(search);
                    }
                    search += usize::from(is_before);
                    continue;
                }
                alignment.take(Origin::Before, kept..search);
                kept = search + usize::from(is_before);
                match &row {
                    Some(Run { origin, rows }) if is_before => alignment.pair(search, *origin, rows.start, 1),
                    Some(Run { origin, rows }) => Run::push(&mut alignment.added, *origin, rows.clone()),
                    None => alignment.removed.push(search),
                }
                if let Some(Run { origin, rows }) = row {
                    alignment.take(origin, rows);
                }
                search = kept;
            }
        }
        alignment.take(Origin::Before, kept..stocks.len());
        alignment
    }

    /// How a section follows from nothing but these rows of blocks, in key order.
    pub(crate) fn of_new(runs: Vec<Run>) -> Alignment {
        Alignment { added: runs.clone(), runs, ..Alignment::default() }
    }

    /// The same without the rows of the new section that may not be in it: `may_be` has one bit for each of them.
    pub(crate) fn only(self, may_be: &BooleanBuffer) -> Alignment {
        if may_be.count_set_bits() == may_be.len() {
            return self;
        }
        let mut only = Alignment::default();
        let mut parted = BTreeSet::new();
        let mut n = 0;
        for Run { origin, rows } in self.runs {
            for row in rows {
                match (may_be.value(n), origin) {
                    (true, _) => only.take(origin, row..row + 1),
                    (false, Origin::Before) => _ = parted.insert(row),
                    (false, Origin::Block(_)) => Run::push(&mut only.left_out, origin, row..row + 1),
                }
                n += 1;
            }
        }
        let left_out: BTreeSet<(Origin, usize)> = each_row(&only.left_out).collect();
        for Pair { before, block, row, len } in self.pairs {
            for n in 0..len {
                let origin = Origin::Block(block);
                match left_out.contains(&(origin, row + n)) {
                    true => _ = parted.insert(before + n),
                    false => only.pair(before + n, origin, row + n, 1),
                }
            }
        }
        let added = each_row(&self.added).filter(|row| !left_out.contains(row));
        added.for_each(|(origin, row)| Run::push(&mut only.added, origin, row..row + 1));
        only.stayed = self.stayed.into_iter().filter(|row| !parted.contains(row)).collect();
        only.removed = [self.removed, parted.iter().copied().collect()].concat();
        only.removed.sort_unstable();
        only.parted = parted.into_iter().collect();
        only
    }

    /// How many rows the new section has.
    pub(crate) fn row_count(&self) -> usize {
        self.runs.iter().map(|run| run.rows.len()).sum()
    }

    fn take(&mut self, origin: Origin, rows: Range<usize>) {
        Run::push(&mut self.runs, origin, rows);
    }

    fn pair(&mut self, before: usize, origin: Origin, row: usize, len: usize) {
        let Origin::Block(block) = origin else { return };
        match self.pairs.last_mut() {
            Some(last) if last.block == block && last.before + last.len == before && last.row + last.len == row => {
                last.len += len;
            }
            _ => self.pairs.push(Pair { before, block, row, len }),
        }
    }
}

/// Each row of `runs` with its origin.
fn each_row(runs: &[Run]) -> impl Iterator<Item = (Origin, usize)> {
    runs.iter().flat_map(|Run { origin, rows }| rows.clone().map(|row| (*origin, row)))
}

/// How many of `sorted` come first for which `is_less` holds; it holds for none after one for which it does not. Costs
/// the logarithm of the result, so that few stocks are found in a long section as cheaply as many.
fn gallop<T>(sorted: &[T], is_less: impl Fn(&T) -> bool) -> usize {
    let mut step = 1;
    let mut low = 0;
    while low + step <= sorted.len() && is_less(&sorted[low + step - 1]) {
        low += step;
        step *= 2;
    }
    let high = (low + step - 1).min(sorted.len());
    low + sorted[low..high].partition_point(is_less)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A row is known by its place: those of stock n, whose rank is 99 - n so that numbers and code order differ,
        /// have the places from rank x keys on.
        #[test]
        fn an_alignment_is_what_a_map_says(
            keys in prop::sample::select(vec![1u32, 3]),
            before in prop::collection::btree_set(0u32..100, 0..100),
            reread in prop::collection::btree_set(0u32..100, 0..100),
            present in prop::collection::vec(any::<bool>(), 100),
            // By place: the version that appended its row; and by stock, from which one on appended rows stand.
            appended in prop::collection::vec(0u64..4, 100),
            since in prop::collection::vec(prop_oneof![Just(u64::MAX), 1u64..4], 100),
            unread in prop::sample::select(vec![Unread::Stays, Unread::StaysIfAppended, Unread::Goes]),
            replaced in 0u64..4,
            is_marked in any::<bool>(),
            blocks in 1usize..4,
            may_be in prop::collection::vec(any::<bool>(), 100),
        ) {
            let (appended, replaced) = if is_marked { (appended, replaced) } else { (vec![0; 100], 0) };
            let ranks: Vec<u32> = (0..100).map(|stock| 99 - stock).collect();
            let stock_of = |place: u32| 99 - place / keys;
            let before: Vec<u32> = before.into_iter().collect();
            let stocks: Vec<u32> = before.iter().map(|&place| stock_of(place)).collect();
            let rule = |stock: u32| Rule { appended_stands_since: since[stock as usize], ..Rule::anew(unread) };
            let reread: BTreeSet<u32> = reread.iter().map(|place| place / keys).collect();
            let read: Vec<u32> =
                (0..100).filter(|place| reread.contains(&(place / keys)) && present[*place as usize]).collect();
            let reread: Vec<Reread> =
                reread.iter().map(|&rank| Reread { stock: 99 - rank, rank, rule: rule(99 - rank) }).collect();
            let marked = before.iter().filter(|_| is_marked);
            let marks = Marks { rows: marked.map(|&place| appended[place as usize]).collect(), replaced };
            let per_block = read.len().div_ceil(blocks).max(1);
            let rows: Vec<(u32, usize, usize)> =
                read.iter().enumerate().map(|(n, &place)| (stock_of(place), n / per_block, 7 + n % per_block)).collect();
            let mut runs = Vec::new();
            rows.iter().for_each(|&(_, block, row)| Run::push(&mut runs, Origin::Block(block), row..row + 1));
            let stocks_read: Vec<u32> = rows.iter().map(|&(stock, ..)| stock).collect();
            let compare = |row: usize, n: usize| before[row].cmp(&read[n]);
            let found = Alignment::new(&reread, &stocks, &marks, (&runs, &stocks_read), &ranks, compare);

            // By place, where each row of the new section lies.
            let mut model: BTreeMap<u32, (Origin, usize)> =
                before.iter().enumerate().map(|(row, &place)| (place, (Origin::Before, row))).collect();
            let (mut removed, mut stayed) = (Vec::new(), Vec::new());
            for (row, &place) in before.iter().enumerate() {
                if reread.iter().all(|reread| reread.stock != stock_of(place)) || read.contains(&place) {
                    continue;
                }
                match unread {
                    Unread::Stays => {}
                    Unread::StaysIfAppended if appended[place as usize] > 0 => stayed.push(row),
                    _ => {
                        model.remove(&place);
                        removed.push(row);
                    }
                }
            }
            let (mut pairs, mut added) = (Vec::new(), Vec::new());
            for (&place, &(stock, block, row)) in read.iter().zip(&rows) {
                let since = since[stock as usize];
                match before.binary_search(&place) {
                    Ok(_) if appended[place as usize] >= since => continue,
                    Err(_) if replaced >= since => continue,
                    Ok(before) => pairs.push((before, block, row)),
                    Err(_) => added.push((Origin::Block(block), row)),
                }
                model.insert(place, (Origin::Block(block), row));
            }
            prop_assert_eq!(each_row(&found.runs).collect::<Vec<_>>(), model.into_values().collect::<Vec<_>>());
            let each = |pair: &Pair| { let p = *pair; (0..p.len).map(move |n| (p.before + n, p.block, p.row + n)) };
            prop_assert_eq!(found.pairs.iter().flat_map(each).collect::<Vec<_>>(), pairs.clone());
            prop_assert_eq!(each_row(&found.added).collect::<Vec<_>>(), added.clone());
            prop_assert_eq!(&found.removed, &removed);
            prop_assert_eq!(&found.stayed, &stayed);
            prop_assert!(found.runs.iter().all(|run| !run.rows.is_empty()));

            // What may not be in the section is as if it had never been read, and is gone if it was there.
            let all: Vec<(Origin, usize)> = each_row(&found.runs).collect();
            let count = all.len();
            let bits: BooleanBuffer = may_be.iter().copied().cycle().take(count).collect();
            let out: BTreeSet<(Origin, usize)> = (0..count).filter(|n| !bits.value(*n)).map(|n| all[n]).collect();
            let is_out = |origin: Origin, row: usize| out.contains(&(origin, row));
            let only = found.only(&bits);
            let left: Vec<(Origin, usize)> = all.into_iter().filter(|row| !out.contains(row)).collect();
            prop_assert_eq!(each_row(&only.runs).collect::<Vec<_>>(), left);
            let (gone, pairs): (Vec<_>, Vec<_>) =
                pairs.into_iter().partition(|&(_, block, row)| is_out(Origin::Block(block), row));
            prop_assert_eq!(only.pairs.iter().flat_map(each).collect::<Vec<_>>(), pairs);
            added.retain(|&(origin, row)| !is_out(origin, row));
            prop_assert_eq!(each_row(&only.added).collect::<Vec<_>>(), added);
            let mut parted: Vec<usize> = gone.into_iter().map(|(before, ..)| before).collect();
            parted.extend(out.iter().filter(|(origin, _)| *origin == Origin::Before).map(|(_, row)| *row));
            parted.sort_unstable();
            prop_assert_eq!(&only.parted, &parted);
            removed.extend(&parted);
            removed.sort_unstable();
            prop_assert_eq!(&only.removed, &removed);
            stayed.retain(|row| !parted.contains(row));
            prop_assert_eq!(&only.stayed, &stayed);
            let read: Vec<(Origin, usize)> =
                out.iter().copied().filter(|(origin, _)| *origin != Origin::Before).collect();
            prop_assert_eq!(each_row(&only.left_out).collect::<Vec<_>>(), read);
        }
    }
}
